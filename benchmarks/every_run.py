"""What it takes to read every run of a project of a million, for metrics with `full_scan: true`.

    uv run python -m benchmarks.every_run [--runs 1000000]

The sandbox filters in Python and would take hours. So the server makes its answers up, by the
number of a run: it knows counts and pages by creation, as the slices of a scan ask for them, and
nothing else. What is measured is one `runmetrics collect wandb` as a process; memory is its peak
(VmHWM), and the server is in the process that measures.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.processes import OURS
from runmetrics.sandbox.http import LoopbackServer, Request, Response

METRICS = """
builtin: false
metrics:
- {name: all.loss, mean: summary.loss, full_scan: true}
- {name: all.by_user, count: runs, by: user, full_scan: true}
- {name: all.best, max: summary.accuracy, full_scan: true}
"""
USERS = 24
_YEAR = timedelta(days=365)
_HOUR = timedelta(hours=1)
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_QUESTION = re.compile(r"(a\d+): (runCount|runs)\(")
_FIRST = re.compile(r"first: (\d+)")
_AFTER = re.compile(r'after: "(\d+)"')


class Project:
    """A year of runs that ended, evenly spread; one in fifty never logged."""

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.began = datetime.now(UTC).replace(microsecond=0) - _YEAR
        self.apart = (_YEAR - 2 * _HOUR) / runs

    def answer(self, request: Request) -> Response:
        """Answer every question of a document."""
        asked = json.loads(request.body)
        found = []
        for line in asked["query"].splitlines():
            if question := _QUESTION.match(line.strip()):
                alias, kind = question.groups()
                filters = json.loads(asked["variables"].get(f"{alias}_filters") or "{}")
                begin, end = self._span(filters)
                answer = str(end - begin) if kind == "runCount" else self._page(line, begin, end)
                found.append(f'"{alias}": {answer}')
        viewer = '"viewer": {"username": "me", "entity": "e"}'
        body = f'{{"data": {{{viewer}, "project": {{{", ".join(found)}}}}}}}'
        return Response(200, body.encode())

    def _span(self, filters: Mapping[str, Any]) -> tuple[int, int]:
        """Return the first run that matches and the one after the last: nobody lives any more."""
        begin, end = 0, self.runs
        parts = [filters]
        for part in parts:
            parts += part.get("$and", [])
            if "name" in part or "$or" in part:
                return 0, 0
            for bound, text in part.get("createdAt", {}).items():
                time = datetime.strptime(text, _TIME).replace(tzinfo=UTC)
                number = int((time - self.began) / self.apart)
                if bound.startswith("$g"):
                    begin = max(begin, number + 1)
                else:
                    end = min(end, number + 1)
        return begin, max(begin, end)

    def _page(self, line: str, begin: int, end: int) -> str:
        wanted, after = _FIRST.search(line), _AFTER.search(line)
        assert wanted
        begin = int(after[1]) + 1 if after else begin
        last = min(end, begin + int(wanted[1]))
        edges = ", ".join(map(self._edge, range(begin, last)))
        more = str(last < end).lower()
        info = f'{{"endCursor": "{last - 1}", "hasNextPage": {more}}}'
        return f'{{"edges": [{edges}], "pageInfo": {info}}}'

    def _edge(self, number: int) -> str:
        created = self.began + number * self.apart
        summary = {"loss": number % 1000 / 7, "accuracy": number % 977 / 1000, "_runtime": 3600}
        node = {
            "name": f"run{number:07}",
            "displayName": f"calm-lake-{number}",
            "state": "finished",
            "createdAt": created.strftime(_TIME),
            "heartbeatAt": (created + _HOUR).strftime(_TIME),
            "user": {"username": f"user-{number % USERS:02}"},
            "summaryMetrics": None if number % 50 == 7 else json.dumps(summary),
        }
        return json.dumps({"cursor": str(number), "node": node})


def main() -> None:
    """Measure one collection and print a row."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1_000_000)
    chosen = options.parse_args()
    project = Project(chosen.runs)
    with tempfile.TemporaryDirectory() as home, LoopbackServer(project.answer) as server:
        (Path(home) / "runmetrics.yaml").write_text(METRICS)
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "WANDB_BASE_URL": server.url,
            "WANDB_API_KEY": "0" * 40,
            "WANDB_ENTITY": "e",
            "WANDB_PROJECT": "p",
        }
        began = time.monotonic()
        command = [*OURS, "--timeout", "3600"]
        process = subprocess.Popen(command, env=environ, cwd=home, stdout=subprocess.PIPE)
        assert process.stdout is not None
        answer = json.loads(process.stdout.read())
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
    values = [sample["value"] for sample in answer["samples"]]
    assert len(values) == USERS + 2, answer["problems"]
    assert sum(values[1:-1]) == chosen.runs
    print("| runs | requests | at once | whole process | processor | peak |")
    print("|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {chosen.runs:,} | {len(server.requests):,} | {server.most_at_once} | {seconds:.0f} s "
        f"| {usage.ru_utime + usage.ru_stime:.0f} s | {usage.ru_maxrss / 1024:.0f} MB |"
    )


if __name__ == "__main__":
    main()

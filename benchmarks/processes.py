"""Runs a command to its end beside the benchmark's server, and says what it cost."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
OURS = [sys.executable, "-m", "runmetrics", "collect", "wandb", "--json"]


@dataclass(frozen=True, slots=True)
class Server:
    """The sandbox's process: where it is, and what it measured since it was last asked."""

    process: "subprocess.Popen[str]"
    where: Mapping[str, Any]
    latency_seconds: float

    def measured(self) -> dict[str, Any]:
        """Return what passed since the last call."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return dict(json.loads(_line(self.process.stdout)))


@dataclass(frozen=True, slots=True)
class Figures:
    """The cost of one process.

    `at_once` is how many requests ever were under way; `compressed` and `decoded` are bytes of
    answers; `stages` are seconds by name; `round_trips` are the bodies that were posted, those of
    a round trip together; `answer` is what the process printed.
    """

    requests: float
    at_once: int
    compressed: float
    decoded: float
    runs: float
    seconds: float
    cpu_seconds: float
    peak_mb: float
    stages: Mapping[str, float]
    round_trips: list[list[str]]
    answer: Any

    def row(self, who: str) -> str:
        """Return a row of the table."""
        seconds = f"{self.seconds:.2f} s" if self.seconds < 300 else f"{self.seconds / 60:,.0f} min"
        size = f"{self.compressed / 1e6:,.2f} MB | {self.decoded / 1e6:,.1f} MB"
        cells = [who, f"{self.requests:,.0f}", str(self.at_once), size, f"{self.runs:,.0f}"]
        cpu = f"{self.cpu_seconds:.2f} s" if self.seconds < 300 else ""
        return f"| {' | '.join([*cells, seconds, cpu])} | {self.peak_mb:.0f} MB |"


@contextmanager
def started(history: str, runs: int, in_window: int, latency_ms: float) -> Iterator[Server]:
    """Start the server with a history; it ends with the block."""
    command = [sys.executable, "-m", "benchmarks.server", "--history", history]
    command += ["--runs", str(runs), "--in-window", str(in_window), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(
        command, cwd=HERE.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Server(process, json.loads(_line(process.stdout)), latency_ms / 1000)
        finally:
            process.kill()


def peer(name: str, *arguments: str) -> list[str]:
    """Return the command of a peer."""
    return [sys.executable, str(HERE / f"peer_{name}.py"), *arguments]


def run(command: list[str], server: Server, home: str) -> Figures:
    """Run a command to its end as somebody who knows this server alone."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "TMPDIR": home,
        "WANDB_DIR": home,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_BASE_URL": server.where["url"],
        "WANDB_API_KEY": server.where["key"],
        "WANDB_ENTITY": server.where["entity"],
        "WANDB_PROJECT": server.where["project"],
        **server.where["environment"],
    }
    began = time.monotonic()
    process = subprocess.Popen(command, env=environ, cwd=home, stdout=subprocess.PIPE)
    assert process.stdout is not None
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    ended = time.monotonic()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    measured = server.measured()
    passed = sorted(measured["passed"])
    first, last = passed[0], max(ended for _, ended, *_ in passed)
    return Figures(
        requests=measured["requests"],
        at_once=measured["most_at_once"],
        compressed=measured["compressed"],
        decoded=measured["decoded"],
        runs=measured["runs"],
        seconds=ended - began,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        stages={
            "from the start of the process to the first request": first[0] - began,
            "the first request": first[1] - first[0],
            "the other requests": last - first[1],
            "from the last answer to the end of the process": ended - last,
            "(the sandbox's own work beyond the latency)": sum(
                max(0.0, worked - server.latency_seconds) for _, _, worked, _ in passed
            ),
        },
        round_trips=_round_trips(passed),
        answer=json.loads(answer),
    )


def _round_trips(passed: list[tuple[float, float, float, str]]) -> list[list[str]]:
    """Return the bodies, those together that were asked before any of them was answered."""
    round_trips: list[list[str]] = []
    answered = 0.0
    for began, ended, _, body in passed:
        if began >= answered:
            round_trips.append([])
            answered = ended
        round_trips[-1].append(body)
        answered = min(answered, ended)
    return round_trips


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()

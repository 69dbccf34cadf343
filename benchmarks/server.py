"""The sandbox as the benchmark's server: a process of its own that measures what passes.

The first line on stdout says where it is; after that each line on stdin is answered with what
was measured since the last one. It ends with its stdin.

An answer takes `--latency-ms` from its request's arrival, the sandbox's own work included, so that
as little as possible of what is measured is the sandbox. What it has made once it keeps: the texts
of the window's system metrics, and answers compressed.
"""

import argparse
import dataclasses
import functools
import gzip
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime

from benchmarks.histories import ENTITY, HISTORIES, PROJECT, make
from runmetrics.sandbox.history import GPU_MIX
from runmetrics.sandbox.http import Request, Response
from runmetrics.sandbox.store import StoredRun
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox


def main() -> None:
    """Serve until stdin is closed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, required=True)
    options.add_argument("--in-window", type=int, required=True)
    options.add_argument("--latency-ms", type=float, required=True)
    options.add_argument("--history", choices=HISTORIES, default="clean")
    chosen = options.parse_args()
    now = datetime.now(UTC).replace(microsecond=0)
    store = make(chosen.history, runs=chosen.runs, in_window=chosen.in_window, now=now)
    runs: list[StoredRun] = []
    for project in store.projects.values():
        runs += project.runs.values()
        for run in list(project.runs.values())[chosen.runs - chosen.in_window :]:
            assert callable(run.system_metrics)
            run.system_metrics = functools.cache(run.system_metrics)
    compressed = functools.lru_cache(maxsize=32)(gzip.compress)
    measured: Counter[str] = Counter()
    passed: list[tuple[float, float, float, str]] = []
    with WandbSandbox(store=store, quirks=HISTORIES[chosen.history].quirks) as sandbox:
        answer = sandbox.server.handler

        def metered(request: Request) -> Response:
            began = time.monotonic()
            response = answer(request)
            body = compressed(response.body, 6)
            worked = time.monotonic() - began
            sandbox.server.closing.wait(chosen.latency_ms / 1000 - worked)
            passed.append((began, time.monotonic(), worked, request.body.decode()))
            measured["requests"] += 1
            measured["decoded"] += len(response.body)
            measured["runs"] += response.body.count(b'"node": {') + response.body.count(b'"run": {')
            return dataclasses.replace(response, body=body, headers={"Content-Encoding": "gzip"})

        sandbox.server.handler = metered
        gpus = Counter(run.gpu_count for run in runs)
        where = {
            "url": sandbox.url,
            "key": SANDBOX_KEY,
            "entity": ENTITY,
            "project": PROJECT,
            "environment": dict(HISTORIES[chosen.history].environment),
            "gpus": {str(number): gpus[number] for number in GPU_MIX},
        }
        print(json.dumps(where), flush=True)
        sent = sandbox.server.bytes_sent
        for _line in sys.stdin:
            measured["compressed"] = sandbox.server.bytes_sent - sent
            sent = sandbox.server.bytes_sent
            measured["most_at_once"] = sandbox.server.most_at_once
            sandbox.server.most_at_once = 0
            print(json.dumps({**measured, "passed": passed}), flush=True)
            measured.clear()
            passed.clear()


if __name__ == "__main__":
    main()

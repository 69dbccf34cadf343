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
from collections.abc import Callable
from datetime import UTC, datetime

from runmetrics.sandbox.history import GPU_MIX, fill
from runmetrics.sandbox.http import Request, Response
from runmetrics.sandbox.store import Store, StoredRun
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox

ENTITY, PROJECT = "pufferai", "metta"


def main() -> None:
    """Serve until stdin is closed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, required=True)
    options.add_argument("--in-window", type=int, required=True)
    options.add_argument("--latency-ms", type=float, required=True)
    chosen = options.parse_args()
    store = Store()
    now = datetime.now(UTC).replace(microsecond=0)
    fill(store, ENTITY, PROJECT, runs=chosen.runs, in_window=chosen.in_window, now=now)
    runs = list(store.project(ENTITY, PROJECT).runs.values())
    for run in runs[chosen.runs - chosen.in_window :]:
        run.system_metrics = functools.cache(_text_of(run))
    compressed = functools.lru_cache(maxsize=32)(gzip.compress)
    measured: Counter[str] = Counter()
    times: list[tuple[float, float, float]] = []
    with WandbSandbox(store=store) as sandbox:
        answer = sandbox.server.handler

        def metered(request: Request) -> Response:
            began = time.monotonic()
            response = answer(request)
            body = compressed(response.body, 6)
            worked = time.monotonic() - began
            sandbox.server.closing.wait(chosen.latency_ms / 1000 - worked)
            times.append((began, time.monotonic(), worked))
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
            "gpus": {str(number): gpus[number] for number in GPU_MIX},
        }
        print(json.dumps(where), flush=True)
        sent = sandbox.server.bytes_sent
        for _line in sys.stdin:
            measured["compressed"] = sandbox.server.bytes_sent - sent
            sent = sandbox.server.bytes_sent
            print(json.dumps({**measured, "times": times}), flush=True)
            measured.clear()
            times.clear()


def _text_of(run: StoredRun) -> Callable[[], str]:
    assert callable(run.system_metrics)
    return run.system_metrics


if __name__ == "__main__":
    main()

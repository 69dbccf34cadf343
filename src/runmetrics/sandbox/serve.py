"""The sandbox as a process of its own: `runmetrics sandbox`, the benchmarks."""

import json
import signal
import threading
from datetime import UTC, datetime

from runmetrics.sandbox.history import fill
from runmetrics.sandbox.store import Store
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox

ENTITY = "pufferai"
PROJECT = "metta"


def serve(
    *,
    runs: int = 26_000,
    in_window: int = 2_000,
    seed: int = 0,
    latency_ms: float = 0.0,
    port: int = 0,
) -> None:
    """Serve a year of runs until SIGTERM or SIGINT; one JSON line on stdout says where."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    store = Store()
    now = datetime.now(UTC).replace(microsecond=0)
    fill(store, ENTITY, PROJECT, runs=runs, in_window=in_window, now=now, seed=seed)
    with WandbSandbox(store=store, latency_seconds=latency_ms / 1000, port=port) as sandbox:
        where = {"url": sandbox.url, "key": SANDBOX_KEY, "entity": ENTITY, "project": PROJECT}
        print(json.dumps(where), flush=True)  # noqa: T201 - the one line that a parent reads
        stopped.wait()

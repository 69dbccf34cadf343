"""What reading the ten costs on the benchmark's histories: requests, bytes and concurrency.

Seconds are no test's business: they depend on the machine (benchmarks/README.md has them).
"""

from dataclasses import dataclass

import pytest

from benchmarks.histories import ENTITY, HISTORIES, PROJECT, make
from runmetrics.collectors.wandb.collector import WandbCollector
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.plugins import Setup
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox
from tests.collectors.wandb.collecting import NOW, TEN

RUNS, IN_WINDOW = 6_000, 1_500


@dataclass(frozen=True)
class Cost:
    """The most that a history may cost; `megabytes` are of answers, compressed."""

    requests: int
    megabytes: float
    at_once: int


COSTS = {
    "clean": Cost(2, 0.8, 1),
    "diverged": Cost(2, 0.8, 1),
    "saturated": Cost(2, 0.8, 1),
    "text": Cost(2, 0.8, 1),
    "slashes": Cost(2, 0.8, 1),
    "projects": Cost(101, 2.9, 4),
}


def test_every_history_of_the_benchmark_has_a_bound() -> None:
    assert COSTS.keys() == HISTORIES.keys()


@pytest.mark.parametrize("name", COSTS)
def test_a_history_costs_no_more_than_this(name: str) -> None:
    history, most = HISTORIES[name], COSTS[name]
    runs, in_window = (RUNS, IN_WINDOW) if history.projects == 1 else (1_000, 100)
    store = make(name, runs=runs, in_window=in_window, now=NOW)
    with WandbSandbox(store=store, quirks=history.quirks, latency_seconds=0.01) as sandbox:
        environment = {
            "WANDB_API_KEY": SANDBOX_KEY,
            "WANDB_BASE_URL": sandbox.url,
            "WANDB_ENTITY": ENTITY,
            "WANDB_PROJECT": PROJECT,
            **history.environment,
        }
        settings = Settings.load(environ=environment)
        found = WandbCollector(Setup(settings)).collect(NOW, Deadline(300))
        requests, megabytes = len(sandbox.server.requests), sandbox.server.bytes_sent / 1e6
        at_once = sandbox.server.most_at_once
    assert not found.problems
    assert len(found.samples) == history.projects * len(TEN)
    assert requests <= most.requests
    assert megabytes <= most.megabytes
    assert at_once <= most.at_once

"""A W&B project whose ten numbers are known by heart, and a Datadog intake beside it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.store import Store, StoredRun
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.cli.child import DATADOG_KEY, WANDB_KEY


def _runs() -> list[StoredRun]:
    now = datetime.now(UTC).replace(microsecond=0)

    def ended(run_id: str, state: str, ago: timedelta, hours: float, **rest: Any) -> StoredRun:
        beat = now - ago
        began = beat - timedelta(hours=hours)
        return StoredRun(run_id, state, began, beat, compute_seconds=hours * 3600, **rest)

    return [
        ended(
            *("pair", "finished", timedelta(hours=1), 2),
            summary={"accuracy": 0.5, "loss": 0.4},
            gpu_count=2,
            system_metrics={"system.gpu.0.gpu": 80, "system.gpu.1.gpu": 60},
        ),
        ended(
            *("solo", "finished", timedelta(days=2), 4),
            summary={"accuracy": 0.7, "loss": 0.3},
            gpu_count=1,
            system_metrics={"system.gpu.0.gpu": 50},
        ),
        ended("dead", "failed", timedelta(days=1), 1, summary={"loss": "NaN"}, gpu_count=1),
        ended("live", "running", timedelta(seconds=30), 1, summary={"loss": 0.25}, gpu_count=8),
        ended(
            *("past", "finished", timedelta(days=30), 9),
            summary={"accuracy": 0.9, "loss": 0.1},
            gpu_count=1,
        ),
    ]


TEN: Mapping[str, tuple[float, str, str]] = {
    "wandb.runs.active": (1, "run", "1 run"),
    "wandb.runs.completed_7d": (2, "run", "2 runs"),
    "wandb.runs.failed_7d": (1, "run", "1 run"),
    "wandb.runs.total": (5, "run", "5 runs"),
    "wandb.metrics.best_accuracy": (0.9, "", "0.9"),
    "wandb.metrics.latest_loss": (0.25, "", "0.25"),
    "wandb.metrics.avg_accuracy_7d": (0.6, "", "0.6"),
    "wandb.training.avg_duration_hours": (3, "hour", "3 hours"),
    "wandb.training.gpu_utilization_avg": (60, "percent", "60 %"),
    "wandb.training.total_gpu_hours_7d": (17, "hour", "17 hours"),
}
"""Value, Datadog's unit and text in the table."""

VALUES = {name: float(value) for name, (value, _, _) in TEN.items()}


@pytest.fixture
def store() -> Store:
    filled = Store()
    filled.add("e", "p", *_runs())
    return filled


@pytest.fixture
def wandb(store: Store) -> Iterator[WandbSandbox]:
    with WandbSandbox(store=store, keys=frozenset({WANDB_KEY})) as server:
        yield server


@pytest.fixture
def intake() -> Iterator[DatadogIntake]:
    with DatadogIntake(keys={DATADOG_KEY}) as server:
        yield server

"""Collects from a sandbox, in process: what the tests of the reading share."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr

from runmetrics.collectors.wandb.collector import WandbCollector
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.server.retry import RetryPolicy
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.model import Collection
from runmetrics.plugins import Setup
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import Store, StoredRun
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox
from runmetrics.shard import Shard

NOW = datetime.now(UTC).replace(microsecond=0)
"""The instant of every collection here: the server's Date header is honest, so it must be now."""

LAG = 86_400.0
"""How far counts lag where they do, in seconds: far more than NOW grows old while tests run."""

FAST = RetryPolicy(first_seconds=0.001, most_seconds=0.002)
"""Tries as often as ever, and does not wait long between."""

ACTIVE = "wandb.runs.active"
COMPLETED = "wandb.runs.completed_7d"
FAILED = "wandb.runs.failed_7d"
TOTAL = "wandb.runs.total"
BEST = "wandb.metrics.best_accuracy"
LATEST = "wandb.metrics.latest_loss"
AVERAGE = "wandb.metrics.avg_accuracy_7d"
DURATION = "wandb.training.avg_duration_hours"
UTILIZATION = "wandb.training.gpu_utilization_avg"
GPU_HOURS = "wandb.training.total_gpu_hours_7d"
TEN = (
    *(ACTIVE, COMPLETED, FAILED, TOTAL, BEST, LATEST, AVERAGE),
    *(DURATION, UTILIZATION, GPU_HOURS),
)


def ago(**length: float) -> datetime:
    """So long before NOW."""
    return NOW - timedelta(**length)


def run(
    run_id: str, state: str = "finished", *, beat: datetime | None = None, **rest: Any
) -> StoredRun:
    """A run that began an hour before its last heartbeat, unless said otherwise."""
    beat = ago(hours=1) if beat is None else beat
    rest.setdefault("created_at", beat - timedelta(hours=1))
    return StoredRun(id=run_id, state=state, heartbeat_at=beat, **rest)


def sandbox_of(*runs: StoredRun, quirks: Quirks | None = None, **options: Any) -> WandbSandbox:
    """A sandbox whose project e/p holds these runs."""
    store = Store()
    store.project("e", "p")
    store.add("e", "p", *runs)
    return WandbSandbox(store=store, quirks=quirks, **options)


class Server(Protocol):
    """What is to be known of a server."""

    @property
    def url(self) -> str:
        """Its base URL."""


def collector_of(
    server: Server,
    *,
    yaml: str = "",
    shard: Shard | None = None,
    policy: RetryPolicy = FAST,
    **settings: Any,
) -> WandbCollector:
    """A collector of the ten, or of what a file makes of them."""
    settings = {
        "wandb_api_key": SecretStr(SANDBOX_KEY),
        "entity": "e",
        "project": "p",
        "base_url": server.url,
        **settings,
    }
    file = parse_config(yaml, Path("runmetrics.yaml")) if yaml else None
    return WandbCollector(Setup(Settings(**settings), file, shard=shard), policy)


def collect(
    server: Server, *, now: datetime = NOW, seconds: float = 60, **options: Any
) -> Collection:
    """One collection by `collector_of`."""
    return collector_of(server, **options).collect(now, Deadline(seconds))


def collect_from(*runs: StoredRun, quirks: Quirks | None = None, **options: Any) -> Collection:
    """One collection from a project that holds these runs."""
    with sandbox_of(*runs, quirks=quirks) as sandbox:
        return collect(sandbox, **options)


def values(collection: Collection) -> dict[str, float]:
    """What would be sent, by name."""
    return {sample.name: sample.value for sample in collection.samples}


def unknown(collection: Collection) -> set[str]:
    """Names of the metrics that could not be known."""
    return {name for problem in collection.problems for name in problem.metrics}


def missing(collection: Collection) -> dict[str, str]:
    """Why there is no data, by name."""
    return {each.name: each.why for each in collection.missing}


def holder(collection: Collection, name: str) -> str | None:
    """Id of the run that holds a value."""
    (sample,) = [sample for sample in collection.samples if sample.name == name]
    return sample.run.id if sample.run else None


def dull_runs(count: int, **rest: Any) -> Iterable[StoredRun]:
    """Runs of the last days that only fill pages."""
    for index in range(count):
        yield run(f"dull{index:05}", beat=ago(minutes=30 + index), **rest)


def said_of_runs(collection: Collection) -> dict[str, int]:
    """How many runs each kind of remark is about; without the kinds of which there is none."""
    return {kind: count for kind, count in collection.remarks.items() if count}

"""Collections as a script tells them, on a clock that the script moves."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import sin
from typing import Any

from runmetrics.deadline import Deadline
from runmetrics.model import Collection, Cost, Delivery, Missing, Problem, RunRef, Sample
from runmetrics.pipeline import Outcome
from runmetrics.serve.loop import Loop
from tests.sinks.prometheus.prometheus_case import ten

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TAGS = {"wandb_entity": "e", "wandb_project": "p", "collector": "wandb"}


class FakeClock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    @property
    def now(self) -> datetime:
        """The time of day that goes with it."""
        return START + timedelta(seconds=self.seconds - 1000.0)


def sample(name: str = "a.x", value: float = 1.0, **changes: Any) -> Sample:
    tags = {**TAGS, **changes.pop("tags", {})}
    return Sample(name, value, changes.pop("time", START), tags=tags, **changes)


def outcome(*samples: Sample, **changes: Any) -> Outcome:
    """What a collection of these samples ended as; `changes` are its missing, problems, notices."""
    deliveries = changes.pop("deliveries", ())
    collection = Collection(samples, **changes)
    return Outcome("wandb", START, collection, deliveries, not deliveries, 0.5)


def unknown(*names: str, cause: str = "W&B said no", **changes: Any) -> Problem:
    return Problem(names, cause, changes.pop("fix", "ask again"), tags=TAGS, **changes)


class Script:
    """A loop that lives through these outcomes, a half hour apart."""

    def __init__(self, *outcomes: Outcome | Callable[[FakeClock], Outcome]) -> None:
        self.clock = FakeClock()
        self._left: Iterator[Outcome | Callable[[FakeClock], Outcome]] = iter(outcomes)
        self.loop = Loop(self._collect, interval=1800, timeout=90, clock=self.clock)
        self._life = Deadline(60)
        for _ in outcomes:
            self.step()

    def step(self) -> None:
        """One collection, and then the time until the next."""
        self.loop.collect_once(self._life)
        self.clock.seconds += 1800

    def _collect(self, _deadline: Deadline) -> Outcome:
        scripted = next(self._left)
        return scripted(self.clock) if callable(scripted) else scripted


_UNITS: Mapping[str, Callable[[float], float]] = {
    "wandb.runs.active": lambda t: round(9 + 5 * sin(t / 9) + 2 * sin(t / 2.3)),
    "wandb.runs.completed_7d": lambda t: round(1412 + t * 0.9 + 40 * sin(t / 24)),
    "wandb.runs.failed_7d": lambda t: round(61 + 14 * sin(t / 17) + 5 * sin(t / 3.1)),
    "wandb.runs.total": lambda t: round(25_600 + t * 1.32),
    "wandb.metrics.best_accuracy": lambda t: 0.9412 + 0.0123 * (t > 90) + 0.0081 * (t > 240),
    "wandb.metrics.latest_loss": lambda t: 0.19 + 0.9 / (1 + (t % 120) / 9) + 0.03 * sin(t * 1.7),
    "wandb.metrics.avg_accuracy_7d": lambda t: 0.871 + 0.012 * sin(t / 40) + 0.002 * sin(t / 3),
    "wandb.training.avg_duration_hours": lambda t: 3.4 + 0.5 * sin(t / 50 + 1) + 0.06 * sin(t / 4),
    "wandb.training.gpu_utilization_avg": lambda t: 78 + 9 * sin(t / 12) + 3 * sin(t / 2.1),
    "wandb.training.total_gpu_hours_7d": lambda t: 9120 + 800 * sin(t / 60) + 40 * sin(t / 5),
}
_HOLDERS = {
    "wandb.metrics.best_accuracy": RunRef(
        "k3v9x2ab", "amber-river-412", "https://wandb.ai/pufferai/metta/runs/k3v9x2ab"
    ),
    "wandb.metrics.latest_loss": RunRef(
        "p0q8m1zz", "jolly-hill-998", "https://wandb.ai/pufferai/metta/runs/p0q8m1zz"
    ),
}


def a_week(trouble: bool = False, hours: bool = False) -> Script:
    """A week of a lively project; with `trouble`, of which the last hours are not as they were.

    With `hours`, the parts of its GPU hours and the users they are of are told too.
    """
    tags = {"wandb_entity": "pufferai", "wandb_project": "metta", "collector": "wandb"}
    built_in = ten()

    def at(clock: FakeClock) -> Outcome:
        step = (clock.seconds - 1000) / 1800
        samples = [
            replace(
                known,
                value=float(_UNITS[known.name](step)),
                time=clock.now,
                tags=tags,
                run=_HOLDERS.get(known.name),
            )
            for known in built_in
        ]
        if hours:
            total = next(x.value for x in samples if x.name.endswith("total_gpu_hours_7d"))
            for split in (gpu_hours(), by_user(11, "team.gpu_hours_7d")):
                samples += _adding_up(split, total, tags)
        taken = Delivery("datadog", accepted=tuple(samples), requests=1, bytes_sent=1180)
        cost = Cost(requests=3, bytes_received=412_000, runs_read=2041)
        whole = Outcome(
            "wandb", clock.now, Collection(tuple(samples), cost=cost), (taken,), False, 0.9
        )
        return _in_trouble(whole, tags) if trouble and (140 < step < 170 or step > 322) else whole

    return Script(*[at] * 336)


PARTS = {
    ("active_7d", "finished"): 4120.0,
    ("active_7d", "running"): 1830.0,
    ("active_7d", "failed"): 910.0,
    ("active_7d", "stopped"): 240.0,
    ("stalled_7d", ""): 620.0,
    ("unlogged_7d", ""): 280.0,
}
"""GPU hours of a week by part and outcome: 8,000 in all."""


def gpu_hours() -> list[Sample]:
    """Return the parts of the GPU hours as the pack gpu_hours tells them."""
    return [
        sample(
            f"wandb.gpu_hours.{name}",
            value,
            unit="hour",
            tags={"outcome": outcome} if outcome else {},
            description=f"GPU hours {name.partition('_')[0]} in the last 7 days",
        )
        for (name, outcome), value in PARTS.items()
    ]


def by_user(users: int, name: str = "wandb.training.gpu_hours_by_user") -> list[Sample]:
    """Return GPU hours of so many users, the first of whom has the most."""
    return [
        sample(
            name,
            round(5000 / (number + 1), 1),
            unit="hour",
            tags={"user": f"user-{number:02}"},
            description="GPU hours of the last 7 days by user",
        )
        for number in range(users)
    ]


def _adding_up(split: list[Sample], total: float, tags: Mapping[str, str]) -> list[Sample]:
    """These samples in this proportion, but of that total and another project."""
    scale = total / sum(each.value for each in split)
    return [replace(each, value=each.value * scale, tags={**each.tags, **tags}) for each in split]


def _in_trouble(whole: Outcome, tags: Mapping[str, str]) -> Outcome:
    lost = ("wandb.training.gpu_utilization_avg", "wandb.training.total_gpu_hours_7d")
    gone = "wandb.metrics.avg_accuracy_7d"
    kept = tuple(s for s in whole.collection.samples if s.name not in (*lost, gone))
    problem = Problem(
        (*lost, "team.cost.gpu_dollars"),
        "W&B cannot serve systemMetrics of run 7f2c (eager-moon-3)",
        "open the run at https://wandb.ai/pufferai/metta/runs/7f2c, or tell W&B's support",
        tags=tags,
    )
    missing = Missing(gone, "0 of 1,402 runs have a number under 'accuracy'", "", tags)
    notice = "the local clock is 75 s behind W&B's: windows follow W&B's clock"
    collection = replace(
        whole.collection, samples=kept, missing=(missing,), problems=(problem,), notices=(notice,)
    )
    refused = Delivery(
        "datadog",
        undelivered=kept,
        spooled=len(kept),
        error="Datadog answered 503 for 20 s: nothing to do, the next run sends it again",
        requests=6,
    )
    return replace(whole, collection=collection, deliveries=(refused,))

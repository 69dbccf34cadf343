"""What is on show between two collections: one whole, replaced and never changed.

A value that could not be learned again stays as it was read, with the reason; one that is no
longer there (no data) goes. So each value has an age, counted by a clock that never jumps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runmetrics.model import PROJECT_TAGS, Missing, Problem, Sample, Series, project_of
from runmetrics.pipeline import Outcome
from runmetrics.self_metrics import DATA_AGE, about, data_age, data_time, delivered
from runmetrics.sinks.prometheus.families import families_of

HISTORY_SECONDS = 7 * 86_400.0
HISTORY_ROWS = 336
"""At least so many collections are remembered (7 days of one every half hour), at most twice."""
HISTORY_SERIES = 200
"""Further series have no history: a metric split by user must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Value:
    """A sample on show, read at `read_at` (seconds of the clock).

    `problem` is why the last collection did not learn it again, where it did not.
    """

    sample: Sample
    read_at: float
    problem: Problem | None = None

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.sample.name

    @property
    def tags(self) -> Mapping[str, str]:
        """All tags of the series."""
        return self.sample.tags


@dataclass(frozen=True, slots=True)
class Unknown:
    """A metric that was never learned, in one project."""

    name: str
    tags: Mapping[str, str]


Entry = Value | Missing | Unknown
"""What a card on the page can be about."""


def own_tags(entry: Entry) -> dict[str, str]:
    """Return the tags that tell this series from others of its project, by name."""
    return {key: text for key, text in sorted(entry.tags.items()) if key not in PROJECT_TAGS}


@dataclass(frozen=True, slots=True)
class Row:
    """What one collection learned, for the charts: begun at `time` (seconds of the clock)."""

    time: float
    values: Mapping[Series, float]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state after a collection.

    `names` are the metrics in the order they became known, `unshown` what a scrape does not hold.
    `delivered_at` is when a sink last took all that it was given, in epoch seconds.
    """

    outcome: Outcome
    values: tuple[Value, ...]
    itself: tuple[Sample, ...]
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    unshown: tuple[str, ...]
    delivered_at: Mapping[str, float]

    def age_seconds(self, clock: float) -> float | None:
        """Return the age in seconds of the oldest value on show; None where there is none."""
        return max((clock - value.read_at for value in self.values), default=None)

    def samples(self, clock: float, now: datetime) -> tuple[Sample, ...]:
        """Return what a scrape is given: about ourselves first, whose names nothing may take."""
        collector, age = self.outcome.collector, self.age_seconds(clock)
        ages: tuple[Sample, ...] = ()
        if age is not None:
            read_at = now - timedelta(seconds=age)
            ages = data_age(collector, age, now), data_time(read_at, {"collector": collector})
        sinks = delivered(collector, self.outcome.deliveries, self.delivered_at, now)
        return (*self.itself, *ages, *sinks, *(value.sample for value in self.values))

    def entries(self) -> Iterator[Entry]:
        """Yield all that there is to show to people."""
        yield from self.values
        yield from self.outcome.collection.missing
        known = {(value.name, project_of(value.tags)) for value in self.values}
        for problem in self.outcome.collection.problems:
            for name in problem.metrics:
                if (name, project_of(problem.tags)) not in known:
                    yield Unknown(name, problem.tags)

    @property
    def behind(self) -> Mapping[str, int]:
        """Return the sinks that did not take all in the last collection, and how many samples."""
        counts = {each.sink: len(each.undelivered) for each in self.outcome.deliveries}
        return {sink: count for sink, count in counts.items() if count}


def after(before: Snapshot | None, outcome: Outcome, *, began_at: float) -> Snapshot:
    """Return the snapshot that a collection leaves, begun at `began_at` (seconds of the clock)."""
    collection = outcome.collection
    fresh = {sample.series: Value(sample, began_at) for sample in collection.samples}
    held = _held(before, outcome, fresh) if before else ()
    itself = outcome.itself or about(outcome.collector, collection, outcome.time, outcome.seconds)
    names = [*(before.names if before else ())]
    names += [sample.name for sample in collection.samples]
    names += [missing.name for missing in collection.missing]
    names += [name for problem in collection.problems for name in problem.metrics]
    values = (*fresh.values(), *held)
    row = {each.series: each.value for each in collection.samples[:HISTORY_SERIES]}
    took_all = [each.sink for each in outcome.deliveries if not each.undelivered]
    delivered_now = dict.fromkeys(took_all, outcome.time.timestamp())
    return Snapshot(
        outcome,
        values=values,
        itself=tuple(sample for sample in itself if sample.name != DATA_AGE),
        names=tuple(dict.fromkeys(names)),
        rows=_remembered(before.rows if before else (), Row(began_at, row)),
        unshown=families_of(value.sample for value in values).notices,
        delivered_at={**(before.delivered_at if before else {}), **delivered_now},
    )


def _held(before: Snapshot, outcome: Outcome, fresh: Mapping[Series, Value]) -> tuple[Value, ...]:
    return tuple(
        replace(value, problem=problem)
        for value in before.values
        if value.sample.series not in fresh
        and (problem := _reason(value.sample, outcome.collection.problems))
    )


def _reason(sample: Sample, problems: tuple[Problem, ...]) -> Problem | None:
    """Return the problem that keeps a series unknown; one that names no metric is of all."""
    for problem in problems:
        concerned = not problem.metrics or sample.name in problem.metrics
        if concerned and problem.tags.items() <= sample.tags.items():
            return problem
    return None


def _remembered(rows: tuple[Row, ...], row: Row) -> tuple[Row, ...]:
    """Return the history with one row more; where it is full, every other row goes."""
    kept = [old for old in rows if row.time - old.time <= HISTORY_SECONDS]
    if len(kept) >= 2 * HISTORY_ROWS:
        kept = kept[::2]
    return (*kept, row)

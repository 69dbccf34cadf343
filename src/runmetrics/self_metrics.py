"""What this program says about itself: `runmetrics.*`, delivered with the rest.

A monitor on `runmetrics.up` is how people learn that numbers stopped; that none of these decides
the exit code is the pipeline's business.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from runmetrics.model import Collection, Delivery, Sample

PREFIX = "runmetrics."
DATA_AGE = "runmetrics.data_age_seconds"
DATA_TIME = "runmetrics.data_timestamp_seconds"
UNDELIVERED = "runmetrics.samples_undelivered"
LAST_DELIVERY = "runmetrics.last_delivery_timestamp_seconds"

REMARKS: Mapping[str, str] = {
    "defaults": "settings that name what to read and were left to their defaults",
    "gpus_assumed": "runs without a recorded or seen GPU, each taken for one",
    "gpus_per_run": "runs without a usable number under the config key of `gpus_per_run`",
    "hidden": "runs that W&B counts and does not show",
    "impossible": "runs with data that cannot be, taken as if they did not have it",
    "imported": "runs that were synced offline or imported, dated by their own times",
    "mixed_labels": "runs with GPU samples both under node labels and without",
    "unpriced": "runs that cost something, but nothing that is known",
}
"""What the kinds of `runmetrics.remarks` count; the collector sends those that it knows."""

DESCRIPTIONS: Mapping[str, tuple[str, str]] = {
    "runmetrics.up": ("", "1 if anything could be read in the last collection, else 0"),
    "runmetrics.duration_seconds": ("second", "How long the last collection took"),
    "runmetrics.requests": ("request", "Requests that the last collection made"),
    "runmetrics.runs_read": ("run", "Distinct runs that the last collection read"),
    "runmetrics.metrics_known": ("", "Series that the last collection learned"),
    "runmetrics.metrics_unknown": ("", "Metrics that the last collection could not know"),
    "runmetrics.remarks": (
        "",
        "Runs (or settings) that the last collection had to say something of, by kind",
    ),
    "runmetrics.samples_dropped": ("", "Samples that a sink will never take, by reason"),
    DATA_AGE: ("second", "Age of the oldest of the numbers"),
}

FOR_PROMETHEUS: Mapping[str, tuple[str, str]] = {
    DATA_TIME: ("second", "When the oldest of the numbers was read, since the epoch"),
    UNDELIVERED: ("", "Samples that a sink did not take in the last collection, spooled or lost"),
    LAST_DELIVERY: ("second", "When a sink last took all that it was given, since the epoch"),
}
"""For Prometheus alone: `time() - it` is an age that goes on where a file or a scrape stands still.
Datadog keeps no timestamps as values (docs/wandb-and-datadog-facts.md)."""


def about(
    collector: str, collection: Collection, now: datetime, seconds: float
) -> tuple[Sample, ...]:
    """Return samples about a collection that took `seconds`, stamped with its `now`.

    The age of the data is not known where nothing was read, nor the runs where nobody counted.
    """
    unknown = sum(max(1, len(problem.metrics)) for problem in collection.problems)
    up = bool(collection.samples or collection.missing)
    values = {
        "runmetrics.up": float(up),
        "runmetrics.duration_seconds": seconds,
        "runmetrics.requests": float(collection.cost.requests),
        "runmetrics.metrics_known": float(len(collection.samples)),
        "runmetrics.metrics_unknown": float(unknown),
    }
    if (runs := collection.cost.runs_read) is not None:
        values["runmetrics.runs_read"] = float(runs)
    if up:
        values[DATA_AGE] = seconds
    remarks = {**collection.remarks} if up else {}
    if up and collection.defaults:
        remarks["defaults"] = len(collection.defaults)
    return (
        *(_sample(name, value, now, collector=collector) for name, value in values.items()),
        *(
            _sample("runmetrics.remarks", float(count), now, collector=collector, kind=kind)
            for kind, count in sorted(remarks.items())
        ),
    )


def data_age(collector: str, seconds: float, now: datetime) -> Sample:
    """Return the age of the numbers at `now`, for what shows them longer than a delivery takes."""
    return _sample(DATA_AGE, seconds, now, collector=collector)


def data_time(read_at: datetime, tags: Mapping[str, str]) -> Sample:
    """Return the instant at which the oldest of the numbers was read, in place of their age."""
    return _sample(DATA_TIME, read_at.timestamp(), read_at, **tags)


def delivered(
    collector: str, deliveries: Iterable[Delivery], last: Mapping[str, float], now: datetime
) -> tuple[Sample, ...]:
    """Return what each sink did not take, and when it last took all (`last`, epoch seconds)."""
    values = [(UNDELIVERED, each.sink, float(len(each.undelivered))) for each in deliveries]
    values += [(LAST_DELIVERY, sink, at) for sink, at in last.items()]
    return tuple(
        _sample(name, value, now, collector=collector, sink=sink) for name, sink, value in values
    )


def dropped(collector: str, deliveries: Iterable[Delivery], now: datetime) -> tuple[Sample, ...]:
    """Return how many samples were dropped, by sink and reason; nothing where none was."""
    counts = Counter(
        (delivery.sink, drop.reason) for delivery in deliveries for drop in delivery.dropped
    )
    name = "runmetrics.samples_dropped"
    return tuple(
        _sample(name, float(count), now, collector=collector, sink=sink, reason=reason)
        for (sink, reason), count in sorted(counts.items())
    )


def is_about_itself(sample: Sample) -> bool:
    """Return whether a sample is about this program rather than about what it read."""
    return sample.name.startswith(PREFIX)


def _sample(name: str, value: float, now: datetime, /, **tags: str) -> Sample:
    unit, description = {**DESCRIPTIONS, **FOR_PROMETHEUS}[name]
    return Sample(name, value, now, unit=unit, tags=tags, description=description)

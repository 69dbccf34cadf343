"""Samples as OpenTelemetry takes them: names by its syntax, units in UCUM, times in nanoseconds.

Nothing here touches the network or imports OpenTelemetry.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runmetrics.model import Drop, Sample
from runmetrics.sinks.batches import Ledger, unsent
from runmetrics.text import encodable

# opentelemetry.io/docs/specs/otel/metrics/api, "Instrument name syntax".
LONGEST_NAME = 255
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_./-]+")
_NOT_AT_THE_START = re.compile(r"^[^A-Za-z]+")

# opentelemetry.io/docs/specs/semconv/general/metrics, "Instrument units": UCUM's case sensitive
# codes; what is counted stands in braces.
_UCUM = {
    "": "",
    "nanosecond": "ns",
    "microsecond": "us",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
    "day": "d",
    "week": "wk",
    "bit": "bit",
    "byte": "By",
    "kibibyte": "KiBy",
    "mebibyte": "MiBy",
    "gibibyte": "GiBy",
    "tebibyte": "TiBy",
    "percent": "%",
    "fraction": "1",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Point:
    """A sample in the shape it is sent in."""

    sample: Sample
    name: str
    unit: str
    attributes: Mapping[str, str]
    nanoseconds: int
    value: float


def metric_name(name: str) -> str:
    """Return `name` by OpenTelemetry's rules: a letter, then ASCII letters, digits and `_.-/`.

    At most 255 characters; empty when nothing of it can stay.
    """
    return _NOT_AT_THE_START.sub("", _NOT_IN_NAMES.sub("_", name))[:LONGEST_NAME]


def ucum(unit: str) -> str:
    """Return the UCUM code of a unit; one that UCUM does not know becomes an annotation, {run}."""
    return _UCUM.get(unit, f"{{{unit}}}")


def nanoseconds(time: datetime) -> int:
    """Return the nanoseconds since the epoch; exact to the microsecond."""
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000


def prepare(samples: Iterable[Sample]) -> tuple[list[Point], Ledger[Point]]:
    """Return what can be sent, and in the ledger what cannot be: "bad_name", "not_finite",
    "duplicate" (the same point twice) and "collapsed" (by OpenTelemetry's rules for names it is
    the same point as an earlier one)."""
    points: dict[tuple[object, ...], Point] = {}
    ledger = Ledger[Point]()
    unfit: dict[str, list[str]] = {}
    for sample in samples:
        point = _point(sample)
        key = (point.name, tuple(sorted(point.attributes.items())), point.nanoseconds)
        reason = _refusal(point, points.get(key))
        if not reason:
            points[key] = point
            continue
        ledger.dropped.append(Drop(sample, reason))
        if reason != "duplicate":
            unfit.setdefault(reason, []).append(sample.name)
    ledger.notices += (unsent(names, reason) for reason, names in unfit.items())
    return list(points.values()), ledger


def _point(sample: Sample) -> Point:
    try:
        value = float(sample.value) + 0.0
    except OverflowError:  # an integer beyond the range of a float
        value = math.inf
    return Point(
        sample,
        metric_name(sample.name),
        ucum(sample.unit),
        {encodable(key): encodable(value) for key, value in sample.tags.items()},
        nanoseconds(sample.time),
        value,
    )


def _refusal(point: Point, other: Point | None) -> str:
    if not point.name:
        return "bad_name"
    if not math.isfinite(point.value):
        return "not_finite"
    if other is None:
        return ""
    same = (other.sample.name, other.sample.tags) == (point.sample.name, point.sample.tags)
    return "duplicate" if same else "collapsed"

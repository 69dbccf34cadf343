"""Samples as Prometheus gauge families, for the textfile and for a scrape.

Prometheus reads at its own pace and stamps what it reads: each series is its newest point alone,
without a time (node_exporter refuses a textfile with times).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runmetrics.model import Drop, Sample
from runmetrics.sinks.prometheus.names import Name, family_name, label_name
from runmetrics.text import encodable, some, were

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Point:
    """The value of one series, in the family's unit, and the sample that it came from."""

    value: float
    sample: Sample


@dataclass(frozen=True, slots=True)
class Family:
    """One gauge: every series of one metric. `metric` and `unit` are those of its samples."""

    name: str
    help: str
    metric: str
    unit: str
    points: dict[Labels, Point] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Families:
    """What is shown, what is not, and remarks for the person who reads the report."""

    families: tuple[Family, ...]
    drops: tuple[Drop, ...]
    notices: tuple[str, ...]

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples that are shown."""
        return tuple(point.sample for family in self.families for point in family.points.values())


def families_of(samples: Iterable[Sample]) -> Families:
    """Sort `samples` into families; each is either in one or among the drops.

    Reasons of drops: "bad_name" (nothing of it can stay), "not_finite" (in the base unit
    either), "duplicate" (the series has a newer point), "collapsed" (by the rules for names it
    is the same metric or series as another one, which was first).
    """
    families: dict[str, Family] = {}
    drops: list[Drop] = []
    unshown: dict[str, list[str]] = {}
    remarks: dict[str, None] = {}
    for sample in samples:
        name = family_name(sample.name, sample.unit)
        labels, remarks_on_tags = _labels(sample.tags)
        point = Point(_value(name, sample), sample)
        family = families.get(name.text) or _family(name, sample)
        other = family.points.get(labels)
        if refusal := _refusal(family, point, other):
            reason, why = refusal
            drops.append(Drop(sample, reason))
            unshown.setdefault(reason, []).append(f"{_described(sample)}{why}")
        elif other and other.sample.time >= sample.time:
            drops.append(Drop(sample, "duplicate"))
        else:
            if other:
                drops.append(Drop(other.sample, "duplicate"))
            families.setdefault(name.text, family).points[labels] = point
            remarks |= dict.fromkeys(remarks_on_tags)
    notices = [
        f"{were(len(which), 'sample')} not shown ({reason}): {some(which)}"
        for reason, which in unshown.items()
    ]
    return Families(tuple(families.values()), tuple(drops), (*notices, *remarks))


def registry_of(families: Iterable[Family]) -> "CollectorRegistry":
    """Return the library's registry of just these, for its writers of text."""
    from prometheus_client import CollectorRegistry, Metric

    made = []
    for family in families:
        metric = Metric(family.name, family.help, "gauge")
        for labels, point in family.points.items():
            metric.add_sample(family.name, dict(labels), point.value)
        made.append(metric)

    class Snapshot:
        def collect(self) -> "list[Metric]":
            return made

    registry = CollectorRegistry(auto_describe=True)
    registry.register(Snapshot())
    return registry


def text(families: Iterable[Family]) -> bytes:
    """Return the families in Prometheus' text format (0.0.4)."""
    from prometheus_client import generate_latest

    return generate_latest(registry_of(families))


def _family(name: Name, sample: Sample) -> Family:
    help_text = sample.description or sample.name
    if name.factor != 1:
        help_text += "; as a ratio" if name.base == "ratio" else f"; in {name.base}"
    return Family(name.text, encodable(help_text), sample.name, sample.unit)


def _value(name: Name, sample: Sample) -> float:
    try:
        return name.value(sample.value)
    except OverflowError:  # an integer beyond the range of a float
        return math.inf


def _refusal(family: Family, point: Point, other: Point | None) -> tuple[str, str] | None:
    sample = point.sample
    if not family.name:
        return "bad_name", ""
    if not math.isfinite(point.value):
        return "not_finite", ""
    if (family.metric, family.unit) != (sample.name, sample.unit):
        return "collapsed", f" ({family.name} is {family.metric} already)"
    if other and other.sample.tags != sample.tags:
        return "collapsed", " (its labels are those of another series)"
    return None


def _labels(tags: Mapping[str, str]) -> tuple[Labels, Sequence[str]]:
    """Return labels in order, and remarks. An empty value is no label, as to Prometheus.

    The values of tags that are one label are joined by ";", in the order of the tags' names, as
    OpenTelemetry prescribes for its own attributes.
    """
    keys: dict[str, list[str]] = {}
    for key in sorted(tags):
        if tags[key]:
            keys.setdefault(label_name(key), []).append(key)
    remarks = [
        f"tags {', '.join(map(repr, same))} are one label, {name}"
        for name, same in keys.items()
        if name and len(same) > 1
    ]
    if "" in keys:
        remarks.append(f"left out, as nothing of its name can stay: tag {keys.pop('')[0]!r}")
    joined = {name: ";".join(tags[key] for key in same) for name, same in keys.items()}
    return tuple(sorted((name, encodable(value)) for name, value in joined.items())), remarks


def _described(sample: Sample) -> str:
    tags = " ".join(f"{key}:{value}" for key, value in sorted(sample.tags.items()))
    return f"{sample.name} {{{tags}}}" if tags else sample.name

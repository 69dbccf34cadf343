"""Samples as Datadog takes them: names and tags by its rules, points in its window, batches in
its limits. Nothing here touches the network."""

import gzip
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from runmetrics.model import Drop, Sample
from runmetrics.sinks.batches import Ledger, halves, unsent
from runmetrics.text import some, were

if TYPE_CHECKING:
    from datadog_api_client.v2.model.metric_payload import MetricPayload

# docs.datadoghq.com/api/latest/metrics: a payload of at most 512,000 bytes, which must expand to
# less than 5,242,880; points at most one hour in the past and ten minutes in the future.
MOST_SECONDS_PAST = 3600
MOST_SECONDS_AHEAD = 600
LONGEST_NAME = 200
LONGEST_TAG = 200
_MOST_SERIES = 10_000  # bounds the memory of one attempt to fit


class Limits(NamedTuple):
    """The most bytes that one post may have, as sent and before compression."""

    compressed: int
    raw: int


LIMITS = Limits(compressed=512_000, raw=5_242_880 - 1)

# The backend's own normalisation (DataDog/integrations-core, ddev validate metadata).
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_.]+")
_UNDERSCORES_AT_DOTS = re.compile(r"_*\._*")
_NOT_AT_THE_START = re.compile(r"^[^a-zA-Z]+")
_NOT_IN_TAGS = re.compile(r"(?:[^\w:./-]|_)+")


def metric_name(name: str) -> str:
    """Return `name` by Datadog's rules: a letter, then ASCII letters, digits, `_.`, at most 200.

    Empty when nothing of it can stay.
    """
    name = _UNDERSCORES_AT_DOTS.sub(".", _NOT_IN_NAMES.sub("_", name))
    return _NOT_AT_THE_START.sub("", name)[:LONGEST_NAME].rstrip("_")


def tag(text: str) -> str:
    """Return `text` ("key:value") by Datadog's rules, at most 200 characters; empty if none stay.

    Lower case, starting with a letter of any language, then letters, digits and `_-:./`.
    """
    text = _NOT_IN_TAGS.sub("_", text.lower())
    first_letter = next((at for at, letter in enumerate(text) if letter.isalpha()), len(text))
    return text[first_letter:][:LONGEST_TAG].rstrip("_:")


def tags_of(sample: Sample, common: Sequence[str]) -> tuple[str, ...]:
    """Return the tags to send: the sample's own, and the common ones whose key it does not set."""
    own = {tag(f"{key.replace(':', '_')}:{value}") for key, value in sample.tags.items()}
    keys = {text.split(":")[0] for text in own}
    shared = {text for text in map(tag, common) if text.split(":")[0] not in keys}
    return tuple(sorted((own | shared) - {""}))


@dataclass(frozen=True, slots=True)
class Series:
    """A sample in the shape it is sent in: one gauge with one point at whole UTC seconds."""

    sample: Sample
    name: str
    tags: tuple[str, ...]
    timestamp: int
    value: float


def prepare(
    samples: Sequence[Sample], common_tags: Sequence[str], now: float
) -> tuple[list[Series], Ledger[Series]]:
    """Return what can be sent at `now` (epoch seconds), and in the ledger what cannot be.

    Of several samples that are one point to Datadog the first is kept: which of them it would
    show is otherwise a matter of luck.
    """
    series: dict[tuple[str, tuple[str, ...], int], Series] = {}
    ledger = Ledger[Series]()
    collapsed: list[str] = []
    unfit: dict[str, list[str]] = {}
    for sample in samples:
        name, tags = metric_name(sample.name), tags_of(sample, common_tags)
        timestamp = math.floor(sample.time.timestamp())
        key = (name, tags, timestamp)
        reason = _refusal(sample.value, name, now - timestamp)
        if not reason and key in series:
            reason = "duplicate"
            first = series[key].sample
            if (first.name, first.tags) != (sample.name, sample.tags):
                reason = "collapsed"
                collapsed.append(" ".join((name, *tags)))
        if reason:
            ledger.dropped.append(Drop(sample, reason))
            if reason not in ("duplicate", "collapsed"):
                unfit.setdefault(reason, []).append(_described(sample, reason, now - timestamp))
        else:
            # Adding 0.0 turns -0.0 into 0.0, which some JSON readers print as "-0".
            series[key] = Series(sample, name, tags, timestamp, float(sample.value) + 0.0)
    ledger.notices += (unsent(names, reason) for reason, names in unfit.items())
    if collapsed:
        ledger.notices.append(
            f"{were(len(collapsed), 'sample')} not sent (collapsed): by Datadog's rules for names"
            f" and tags it is the same series as another one: {some(collapsed)}"
        )
    return list(series.values()), ledger


def _refusal(value: float, name: str, age_seconds: float) -> str:
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer beyond the range of a float
        finite = False
    if not finite:
        return "not_finite"
    if not name:
        return "bad_name"
    if age_seconds > MOST_SECONDS_PAST:
        return "too_old"
    if age_seconds < -MOST_SECONDS_AHEAD:
        return "too_new"
    return ""


def _described(sample: Sample, reason: str, age_seconds: float) -> str:
    if reason == "too_old":
        return f"{sample.name} ({age_seconds:.0f} s old)"
    if reason == "too_new":
        return f"{sample.name} ({-age_seconds:.0f} s ahead)"
    return sample.name


def payload(series: Sequence[Series]) -> "MetricPayload":
    """Return the official client's model of one post."""
    from datadog_api_client.model_utils import unset
    from datadog_api_client.v2.model.metric_intake_type import MetricIntakeType
    from datadog_api_client.v2.model.metric_payload import MetricPayload
    from datadog_api_client.v2.model.metric_point import MetricPoint
    from datadog_api_client.v2.model.metric_series import MetricSeries

    return MetricPayload(
        series=[
            MetricSeries(
                metric=one.name,
                points=[MetricPoint(timestamp=one.timestamp, value=one.value)],
                tags=list(one.tags),
                type=MetricIntakeType.GAUGE,
                unit=one.sample.unit or unset,
            )
            for one in series
        ]
    )


def encode(body: Mapping[str, Any]) -> tuple[bytes, int]:
    """Return a body as it is sent (strict JSON, gzip), and its size before compression.

    The same body gives the same bytes every time, so that what was measured is what is sent.
    """
    raw = json.dumps(body, allow_nan=False, separators=(",", ":")).encode("ascii")
    return gzip.compress(raw, compresslevel=6, mtime=0), len(raw)


def fits(series: Sequence[Series], limits: Limits = LIMITS) -> bool:
    """Say whether one post of `series` is within both limits."""
    compressed, raw_bytes = encode(payload(series).to_dict())
    return len(compressed) <= limits.compressed and raw_bytes <= limits.raw


def batches(series: Sequence[Series], limits: Limits = LIMITS) -> Iterator[Sequence[Series]]:
    """Cut `series`, in order, into posts that are within the limits; one alone may not be."""
    for start in range(0, len(series), _MOST_SERIES):
        waiting = [series[start : start + _MOST_SERIES]]
        while waiting:
            part = waiting.pop()
            if len(part) == 1 or fits(part, limits):
                yield part
            else:
                waiting.extend(reversed(halves(part)))

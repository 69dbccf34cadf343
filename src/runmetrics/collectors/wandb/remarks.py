"""What is said beside the values: why one is missing, what a filter missed, what the cap did."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.groups import OTHER, Series
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Field, Metric
from runmetrics.collectors.wandb.reading.document import SummaryAsk
from runmetrics.collectors.wandb.reading.filters import Filter
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.collectors.wandb.values import decode_object, number
from runmetrics.errors import RunmetricsError
from runmetrics.spelling import shown
from runmetrics.text import some

_MOST_NAMES = 3
_MOST_RUNS = 3
"""Whole summaries are read of no more runs: one may be hundreds of KB (fact 27)."""

_MOST_KEYS = 3


def note(metric: Metric, series: Series, logged: set[str]) -> str:
    """Say how many of the runs lack the value, and which similar keys are logged instead."""
    if series.over_cap:
        return f"{series.over_cap:,} series {'summed' if series.tags else 'left out'} by max_series"
    field = metric.field
    if series.value is not None and (field is None or series.known == series.selected):
        return ""
    which = f"{' or '.join(metric.states)} runs" if metric.states else "runs"
    latest = metric.aggregate is Aggregate.LATEST
    if series.selected and field is not None:
        lacking = series.selected - series.known
        noun = "known price or duration" if metric.priced else _named(field)
        text = f"{lacking:,} of {series.selected:,} {which} have no {noun}"
        if latest and series.known and series.value is None:
            able = f"{series.known:,} of {series.selected:,} {which}"
            text = f"{able} have a {noun}, and none of them a heartbeat"
        text += as_text(series.behind.texts, series.behind.text)
    elif metric.window:
        text = f"no {which} in the window"
    elif field is None or metric.by or metric.live:
        text = f"no {which}{' that meet its conditions' * bool(metric.conditions)}"
    else:
        text = f"no run {'with a heartbeat ' * latest}has a number under {_named(field)}"
    similar = most_alike(field.key, logged) if field and field.source == "summary" else []
    if similar:
        text += "; similar keys in use: " + ", ".join(f"'{key}'" for key in similar)
    return text


def as_text(count: int, example: str) -> str:
    """Say how many of some runs logged text instead of a number, with an example."""
    if not count:
        return ""
    return f", {count:,} of them text instead of a number, such as {shown(example)}"


def over_cap(metric: Metric, series: Iterable[Series], max_series: int) -> list[str]:
    """Say what became of the series of a metric that are over the cap."""
    return [
        f"{metric.name} by {' and '.join(metric.by)} has more than {max_series:,} series: "
        + (
            f"the least {each.over_cap:,} are summed as '{OTHER}'"
            if each.tags
            else f"the {each.over_cap:,} of the fewest runs are left out"
        )
        + "; narrow it, or raise max_series"
        for each in series
        if each.over_cap
    ]


def vain_filter(where: Filter, metrics: Sequence[Metric]) -> str:
    """Say that a filter matches no run of the whole project: it is often misspelt."""
    names = [metric.name for metric in metrics if Filter.of(metric.where) == where]
    shown = json.dumps(where.as_mapping(), ensure_ascii=False)
    return (
        f"no run of the whole project matches where {shown} of "
        f"{some(names, _MOST_NAMES)}: check its keys and values"
    )


async def logged_keys(client: ProjectClient, run_ids: Iterable[str]) -> set[str]:
    """Return summary keys under which a few of these runs have numbers, as far as can be read."""
    asks = list(dict.fromkeys(map(SummaryAsk, run_ids)))[:_MOST_RUNS]
    try:
        answers = await client.ask(asks)
    except RunmetricsError:
        return set()
    found: set[str] = set()
    for ask in asks:
        summary = answers[ask]
        if not isinstance(summary, Unknown):
            found |= set(_paths(decode_object(summary) or {}))
    return found


def most_alike(key: str, others: Iterable[str]) -> list[str]:
    """Return those of `others` that share a word with `key` or are spelt nearly like it."""
    words = _words(key)
    scored = []
    for other in others:
        if other == key:
            continue
        shared = bool(words & _words(other)) or key.lower() in other.lower()
        likeness = difflib.SequenceMatcher(None, key.lower(), other.lower()).ratio()
        if shared or likeness > 0.7:
            scored.append((-likeness, other))
    return [other for _, other in sorted(scored)][:_MOST_KEYS]


def _words(key: str) -> set[str]:
    return {word for word in re.split(r"[^a-z0-9]+", key.lower()) if len(word) > 2}


def _paths(summary: Mapping[str, object]) -> Iterable[str]:
    """Yield keys of numbers, and of those one level down: `a.max` of {"a": {"max": 1}}.

    Passed over are W&B's own keys and media (which have a _type).
    """
    for key, value in summary.items():
        if key.startswith("_") or not key.isprintable():
            continue
        if number(value) is not None:
            yield key
        elif isinstance(value, dict) and "_type" not in value:
            for inner, each in value.items():
                if inner.isprintable() and number(each) is not None:
                    yield f"{key}.{inner}"


def _named(field: Field) -> str:
    return f"'{field.key}'" if field.source != "run" else RUN_FIELDS[field.key].noun

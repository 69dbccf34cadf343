"""What is said beside the values: why one is missing, what a filter missed, what the cap did."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.groups import OTHER, Series
from runmetrics.collectors.wandb.metrics.catalog import Field, Metric
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.similar import most_alike
from runmetrics.text import counted, some

_MOST_NAMES = 3


def note(metric: Metric, series: Series, logged: set[str]) -> str:
    """How many of the runs lack the value, and which similar keys are logged instead."""
    if series.over_cap:
        return f"{series.over_cap:,} series {'summed' if series.tags else 'left out'} by max_series"
    field = metric.field
    if series.value is not None and (field is None or series.known == len(series.selected)):
        return ""
    which = f"{' or '.join(metric.states)} runs" if metric.states else "runs"
    if series.selected and field is not None:
        lacking = len(series.selected) - series.known
        text = f"{lacking:,} of {len(series.selected):,} {which} have no {_named(field)}"
    elif metric.window:
        text = f"no {which} in the window"
    elif field is None or metric.by or metric.live:
        text = f"no {which}{' that meet its conditions' * bool(metric.conditions)}"
    else:
        text = f"no run has a number under {_named(field)}"
    similar = most_alike(field.key, logged) if field and field.source == "summary" else []
    if similar:
        text += "; similar keys in use: " + ", ".join(f"'{key}'" for key in similar)
    return text


def over_cap(metric: Metric, series: Iterable[Series], max_series: int) -> list[str]:
    """What became of the series of a metric that are over the cap."""
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


def vain_filter(where: Mapping[str, Any], metrics: Sequence[Metric]) -> str:
    """A filter that matches no run of the whole project: more often a slip than a fact."""
    names = [metric.name for metric in metrics if metric.where == where]
    return (
        f"no run of the whole project matches where {json.dumps(where, ensure_ascii=False)} of "
        f"{some(names, _MOST_NAMES)}: check its keys and values"
    )


def faults(runs: Iterable[Run]) -> list[str]:
    """What could not be made sense of in the runs, counted, with an example."""
    found: dict[str, list[str]] = {}
    for run in {run.id: run for run in runs}.values():
        for fault in run.faults:
            found.setdefault(fault, []).append(run.id)
    return [
        f"{fault} in {counted(len(ids), 'run')} (such as {ids[0]}): "
        "taken as if those runs did not have it"
        for fault, ids in sorted(found.items())
    ]


def _named(field: Field) -> str:
    return f"'{field.key}'" if field.source != "run" else RUN_FIELDS[field.key].noun

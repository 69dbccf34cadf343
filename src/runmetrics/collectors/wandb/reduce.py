"""Turns runs into numbers. Pure: no clock, no network; the same code explains and pushes."""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from runmetrics.collectors.wandb.fields import GROUPS, RUN_FIELDS, gpu_selection
from runmetrics.collectors.wandb.groups import Series, capped, group_tags
from runmetrics.collectors.wandb.measures import Rules, configured_gpus, price, silent
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Condition, Field, Metric
from runmetrics.collectors.wandb.runs import EXITED, Run
from runmetrics.collectors.wandb.unknown import Unknown, unreadable
from runmetrics.collectors.wandb.values import Scalar, mean, number
from runmetrics.text import counted

PERCENTILES = {Aggregate.P50: 50, Aggregate.P90: 90, Aggregate.P95: 95, Aggregate.P99: 99}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_OVER_GPUS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": mean,
    "max": max,
    "min": min,
    "sum": math.fsum,
}
ALIVE = Condition(Field("run", "silent"), "eq", 0.0)
"""The condition that leaves out silent runs; unknown where every running run is one."""

_PARTS = {"summary": "summaryMetrics", "config": "config", "system": "systemMetrics"}


def reduce(metric: Metric, runs: Iterable[Run], rules: Rules) -> list[Series] | Unknown:
    """Return the metric over these runs, one series per group; Unknown if a run lacks a part."""
    runs = list(runs)
    if ALIVE in metric.conditions and (out := _heartbeats_are_out(runs, rules)):
        return out
    selected: list[Run] = []
    for run in runs:
        if _in_window(metric, run, rules.now) and _in_state(metric, run):
            if hidden := _hidden(metric, run, rules):
                return hidden
            if all(_holds(condition, metric, run, rules) for condition in metric.conditions):
                selected.append(run)
    groups: dict[tuple[tuple[str, str], ...], list[Run]] = {} if metric.by else {(): selected}
    for run in selected if metric.by else ():
        for tags in group_tags(metric.by, run):
            groups.setdefault(tags, []).append(run)
    try:
        every = [
            _series(metric, group, rules, dict(tags)) for tags, group in sorted(groups.items())
        ]
        return capped(metric, every, rules.max_series)
    except OverflowError:
        return Unknown(
            f"the values under {metric.field} are too large to add up",
            f"leave out what cannot be right: if: {{{metric.field}: {{lt: 1000000000}}}}",
        )


def measure(
    metric_field: Field, run: Run, rules: Rules, since: datetime | None = None
) -> float | None:
    """Return a run's number under a field, or None where it has none.

    `since` is the beginning of the metric's window: GPU hours are those after that instant.
    """
    if metric_field.of_every_gpu:
        samples = run.gpu_values.get(metric_field.key, ())
        return _OVER_GPUS[metric_field.over_gpus](samples) if samples else None
    if metric_field.source != "run":
        return run.number(str(metric_field))
    return RUN_FIELDS[metric_field.key].measure(run, rules, since)


def value_of(metric: Metric, run: Run, rules: Rules) -> float | None:
    """Return what a run adds to a metric over a field, in dollars where it is priced."""
    if metric.field is None:
        return None
    since = rules.now - metric.window if metric.window else None
    value = measure(metric.field, run, rules, since)
    if not metric.priced or value is None:
        return value
    dollars = price(run, rules)
    return None if dollars is None else value * dollars


def detail_of(metric: Metric, run: Run, rules: Rules) -> str:
    """Return what there is to say of a run beside what it adds to a metric."""
    field = metric.field
    own = RUN_FIELDS[field.key].detail(run, rules) if field and field.source == "run" else ""
    if not metric.priced:
        return own
    dollars = price(run, rules)
    named = run.gpu_type or "GPUs of an unknown type"
    cost = f"no price for {named}" if dollars is None else f"{dollars:g} dollars an hour ({named})"
    return ", ".join(filter(None, (own, cost)))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile by linear interpolation between the two nearest ranks."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    rank = math.floor(position)
    below, above = ordered[rank], ordered[min(rank + 1, len(ordered) - 1)]
    # In halves, because the distance of two floats can be too large for a float.
    value = 2 * (below / 2 + (above / 2 - below / 2) * (position - rank))
    return min(max(value, below), above)


def _series(
    metric: Metric, selected: Sequence[Run], rules: Rules, tags: Mapping[str, str]
) -> Series:
    if metric.field is None:
        return Series(float(len(selected)), selected, len(selected), None, tags)
    known = [(each, run) for run in selected if (each := value_of(metric, run, rules)) is not None]
    holder: Run | None = None
    value: float | None = None
    match metric.aggregate:
        case Aggregate.LATEST:
            beaten = [pair for pair in known if pair[1].last_beat is not None]
            if beaten:
                value, holder = max(beaten, key=lambda pair: _recency(pair[1]))
        case Aggregate.MAX if known:
            value, holder = max(known, key=lambda pair: (pair[0], _seniority(pair[1])))
        case Aggregate.MIN if known:
            value, holder = max(known, key=lambda pair: (-pair[0], _seniority(pair[1])))
        case Aggregate.SUM if known or not selected or _sums_to_zero(metric):
            value = math.fsum(each for each, _ in known)
        case Aggregate.MEAN if known:
            value = mean([each for each, _ in known])
        case _ if known and metric.aggregate in PERCENTILES:
            value = percentile([each for each, _ in known], PERCENTILES[metric.aggregate])
    return Series(value, selected, len(known), holder, tags)


def _sums_to_zero(metric: Metric) -> bool:
    """Return whether a sum of nothing known is 0; of money it is not, hours without a price."""
    field = metric.field
    if field is None or metric.priced:
        return False
    return field.source == "run" and RUN_FIELDS[field.key].sums_to_zero


def _recency(run: Run) -> tuple[float, float, str]:
    return (_unix(run.last_beat), _unix(run.started_at), run.id)


def _seniority(run: Run) -> tuple[float, str]:
    return (-_unix(run.started_at), run.id)


def _unix(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0


def _heartbeats_are_out(runs: Sequence[Run], rules: Rules) -> Unknown | None:
    """Say that all running runs are silent, if they are: their GPUs are not free for that."""
    running = [run for run in runs if run.state == "running"]
    if not running or any(silent(run, rules, None) == 0 for run in running):
        return None
    return Unknown(
        f"W&B has no recent heartbeat of any running run ({counted(len(running), 'run')})",
        "see whether W&B receives heartbeats, and mark runs that have died as stopped",
    )


def _in_window(metric: Metric, run: Run, now: datetime) -> bool:
    if metric.window is None:
        return True
    time = run.started_at if metric.window_by == "created" else run.last_sign
    return time is not None and time >= now - metric.window


def _in_state(metric: Metric, run: Run) -> bool:
    return not metric.states or run.state in metric.states


def _hidden(metric: Metric, run: Run, rules: Rules) -> Unknown | None:
    """Say what this metric needs of a run that the server cannot serve, if anything."""
    if not run.unreadable:
        return None
    needed: set[str] = set()
    for each in metric.fields:
        needed |= _needed_parts(each, run, rules)
    needed |= {"runInfo"} if metric.priced else set()
    for group in metric.by:
        needed |= {"config"} if group.startswith("config.") else {GROUPS[group].part}
    if "runInfo" in needed:  # on a server without that field the record is in the config
        recorded = run.gpu_type or run.gpu_count
        needed = needed - {"runInfo"} if recorded else {*needed, "config"}
    for part in sorted(needed & run.unreadable):
        return unreadable([run], part)
    return None


def _needed_parts(metric_field: Field, run: Run, rules: Rules) -> set[str]:
    if metric_field.source != "run":
        return {_PARTS[metric_field.source]}
    row = RUN_FIELDS[metric_field.key]
    parts = {*row.needs.parts, *({"summaryMetrics"} if row.needs.summary_keys else ())}
    if row.counts_gpus:
        selection = gpu_selection(rules.gpus_per_run)
        parts |= {"config"} if selection.config_keys else set()
        # The record is of one node: only the system metrics show whether there are more.
        parts |= set() if configured_gpus(run, rules) is not None else selection.parts
    if "computeSeconds" in parts and not run.compute_seconds and run.state in EXITED:
        parts |= {"summaryMetrics"}  # the time until the exit stands there
    return parts


def _holds(condition: Condition, metric: Metric, run: Run, rules: Rules) -> bool:
    since = rules.now - metric.window if metric.window else None
    value: Scalar | None
    if condition.field.source == "run" or condition.field.of_every_gpu:
        value = measure(condition.field, run, rules, since)
    else:
        value = run.values.get(str(condition.field))
    if condition.op == "is":
        return _is(value, condition.value)
    if condition.op in _COMPARE:
        finite = number(value)
        return finite is not None and _COMPARE[condition.op](finite, float(condition.value))
    same = value == condition.value and isinstance(value, bool) == isinstance(condition.value, bool)
    return same if condition.op == "eq" else value is not None and not same


def _is(value: Scalar | None, kind: object) -> bool:
    is_float = isinstance(value, float)
    match kind:
        case "nan":
            return is_float and math.isnan(value)  # type: ignore[arg-type]
        case "infinite":
            return is_float and math.isinf(value)  # type: ignore[arg-type]
        case "not_finite":
            return is_float and not math.isfinite(value)  # type: ignore[arg-type]
        case "numeric":
            return is_float and math.isfinite(value)  # type: ignore[arg-type]
    return value is None

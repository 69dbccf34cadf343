"""Turns runs into numbers. Pure: no clock, no network; the same code explains and pushes."""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from runmetrics.collectors.wandb.catalog import Aggregate, Condition, Field, Metric
from runmetrics.collectors.wandb.runs import Run, Scalar
from runmetrics.collectors.wandb.unknown import Unknown, unreadable

_PERCENTILES = {Aggregate.P50: 50, Aggregate.P90: 90, Aggregate.P95: 95, Aggregate.P99: 99}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_PARTS = {"summary": "summaryMetrics", "config": "config", "system": "systemMetrics"}
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What the derived fields depend on: W&B's time of the collection, and the GPUs per run.

    `gpus_per_run` is "auto" (what W&B recorded), a fixed number, or "config.KEY".
    """

    now: datetime
    gpus_per_run: str | float = "auto"


@dataclass(frozen=True, slots=True)
class Series:
    """One value of a metric, or None with nothing to compute it from.

    `selected` runs met the metric's conditions, `known` of them had a value under its field;
    `holder` is the run that holds a least, greatest or latest value.
    """

    value: float | None
    selected: Sequence[Run] = ()
    known: int = 0
    holder: Run | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def reduce(metric: Metric, runs: Iterable[Run], rules: Rules) -> list[Series] | Unknown:
    """The metric over these runs, one series per group; Unknown if a run hides what it needs."""
    selected: list[Run] = []
    for run in runs:
        if _in_window(metric, run, rules.now) and _in_state(metric, run):
            if hidden := _hidden(metric, run, rules):
                return hidden
            if all(_holds(condition, metric, run, rules) for condition in metric.conditions):
                selected.append(run)
    if not metric.by:
        return [_series(metric, selected, rules, {})]
    groups: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in selected:
        for tags in group_tags(metric.by, run):
            groups.setdefault(tags, []).append(run)
    return [_series(metric, group, rules, dict(tags)) for tags, group in sorted(groups.items())]


def measure(
    metric_field: Field, run: Run, rules: Rules, since: datetime | None = None
) -> float | None:
    """A run's number under a field, or None where it has none.

    `since` clips run.gpu_hours to the part of the run after that instant.
    """
    if metric_field.source != "run":
        return run.number(str(metric_field))
    seconds = run.duration_seconds
    match metric_field.key:
        case "duration_hours":
            return None if seconds is None else seconds / _SECONDS_PER_HOUR
        case "gpus":
            return gpus(run, rules)
        case "gpu_hours":
            if seconds is None or run.last_sign is None:
                return None
            if since is not None:
                seconds = min(seconds, max(0.0, (run.last_sign - since).total_seconds()))
            return gpus(run, rules) * seconds / _SECONDS_PER_HOUR
        case "gpu_utilization":
            return run.gpu_utilization
        case "age_hours":
            return _elapsed(run.created_at, rules.now, _SECONDS_PER_HOUR)
        case "idle_minutes":
            return _elapsed(run.last_sign, rules.now, 60.0)
    raise ValueError(f"there is no field {metric_field}")


def gpus(run: Run, rules: Rules) -> float:
    """GPUs of a run: by the rule of the settings, else as recorded, else as seen, else one."""
    if isinstance(rules.gpus_per_run, float | int):
        return float(rules.gpus_per_run)
    if rules.gpus_per_run != "auto":
        configured = run.number(rules.gpus_per_run)
        if configured is not None and configured > 0:
            return configured
    return float(run.gpu_count or run.gpus_seen or 1)


def percentile(values: Sequence[float], percent: float) -> float:
    """A percentile by linear interpolation between the two nearest ranks."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def group_tags(by: Sequence[str], run: Run) -> list[tuple[tuple[str, str], ...]]:
    """The groups a run counts under: one, or one per tag of a run where `by` names tags."""
    combined: list[tuple[tuple[str, str], ...]] = [()]
    for name in by:
        values = _group_values(name, run)
        combined = [
            (*tags, (name.replace("config.", ""), value)) for tags in combined for value in values
        ]
    return combined


def _series(
    metric: Metric, selected: Sequence[Run], rules: Rules, tags: Mapping[str, str]
) -> Series:
    if metric.field is None:
        return Series(float(len(selected)), selected, len(selected), None, tags)
    since = rules.now - metric.window if metric.window else None
    known = [
        (number, run)
        for run in selected
        if (number := measure(metric.field, run, rules, since)) is not None
    ]
    holder: Run | None = None
    value: float | None = None
    match metric.aggregate:
        case Aggregate.LATEST:
            beaten = [pair for pair in known if pair[1].heartbeat_at is not None]
            if beaten:
                value, holder = max(beaten, key=lambda pair: _recency(pair[1]))
        case Aggregate.MAX if known:
            value, holder = max(known, key=lambda pair: (pair[0], _seniority(pair[1])))
        case Aggregate.MIN if known:
            value, holder = min(known, key=lambda pair: (pair[0], _seniority(pair[1])[0] * -1))
        case Aggregate.SUM if known or not selected or metric.field.source == "run":
            value = math.fsum(number for number, _ in known)
        case Aggregate.MEAN if known:
            value = math.fsum(number for number, _ in known) / len(known)
        case _ if known and metric.aggregate in _PERCENTILES:
            value = percentile([number for number, _ in known], _PERCENTILES[metric.aggregate])
    return Series(value, selected, len(known), holder, tags)


def _recency(run: Run) -> tuple[float, float, str]:
    return (_unix(run.heartbeat_at), _unix(run.created_at), run.id)


def _seniority(run: Run) -> tuple[float, str]:
    return (-_unix(run.created_at), run.id)


def _unix(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0


def _in_window(metric: Metric, run: Run, now: datetime) -> bool:
    if metric.window is None:
        return True
    time = run.created_at if metric.window_by == "created" else run.last_sign
    return time is not None and time >= now - metric.window


def _in_state(metric: Metric, run: Run) -> bool:
    return not metric.states or run.state in metric.states


def _elapsed(since: datetime | None, now: datetime, unit_seconds: float) -> float | None:
    return None if since is None else max(0.0, (now - since).total_seconds()) / unit_seconds


def _hidden(metric: Metric, run: Run, rules: Rules) -> Unknown | None:
    """What this metric needs of a run that the server cannot serve, if anything (FAULTS W5)."""
    if not run.unreadable:
        return None
    fields = [condition.field for condition in metric.conditions]
    needed: set[str] = set()
    for each in [*fields, *([metric.field] if metric.field else [])]:
        needed |= _needed_parts(each, run, rules)
    for part in sorted(needed & run.unreadable):
        return unreadable([run], part)
    return None


def _needed_parts(metric_field: Field, run: Run, rules: Rules) -> set[str]:
    if metric_field.source != "run":
        return {_PARTS[metric_field.source]}
    parts: set[str] = set()
    if metric_field.key in ("duration_hours", "gpu_hours"):
        parts.add("computeSeconds")
    if metric_field.key == "gpu_utilization":
        parts.add("systemMetrics")
    if metric_field.key in ("gpus", "gpu_hours") and isinstance(rules.gpus_per_run, str):
        if rules.gpus_per_run != "auto":
            parts.add("config")
        if not run.number(rules.gpus_per_run):
            parts |= {"runInfo"} if run.gpu_count else {"runInfo", "systemMetrics"}
    return parts


def _holds(condition: Condition, metric: Metric, run: Run, rules: Rules) -> bool:
    since = rules.now - metric.window if metric.window else None
    value: Scalar | None
    if condition.field.source == "run":
        value = measure(condition.field, run, rules, since)
    else:
        value = run.values.get(str(condition.field))
    if condition.op == "is":
        return _is(value, condition.value)
    if condition.op in _COMPARE:
        number = value if isinstance(value, float) and math.isfinite(value) else None
        return number is not None and _COMPARE[condition.op](number, float(condition.value))
    same = value == condition.value and isinstance(value, bool) == isinstance(condition.value, bool)
    return same if condition.op == "eq" else value is not None and not same


def _is(value: Scalar | None, kind: object) -> bool:
    is_float = isinstance(value, float)
    match kind:
        case "nan":
            return is_float and math.isnan(value)  # type: ignore[arg-type]
        case "infinite":
            return is_float and math.isinf(value)  # type: ignore[arg-type]
        case "numeric":
            return is_float and math.isfinite(value)  # type: ignore[arg-type]
    return value is None


def _group_values(name: str, run: Run) -> Sequence[str]:
    if name == "tag":
        return sorted(set(run.tags)) or ("none",)
    if name.startswith("config."):
        value = run.values.get(name)
        return (_plain(value),) if value is not None else ("none",)
    found = {
        "user": run.user,
        "group": run.group,
        "job_type": run.job_type,
        "sweep": run.sweep,
        "state": run.state,
        "host": run.host,
        "gpu_type": run.gpu_type,
        "run": run.id,
    }[name]
    return (found or "none",)


def _plain(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if not value.is_integer() else str(int(value))
    return value

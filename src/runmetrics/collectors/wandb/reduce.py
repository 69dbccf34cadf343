"""Turns runs into numbers. Pure: no clock, no network; the same code explains and pushes."""

import math
import operator
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence

from runmetrics.collectors.wandb.contributions import measure, rank_of, value_of
from runmetrics.collectors.wandb.fields import GROUPS, RUN_FIELDS, gpu_selection
from runmetrics.collectors.wandb.groups import Series, capped, group_tags
from runmetrics.collectors.wandb.ids import Ids
from runmetrics.collectors.wandb.measures import Rules, configured_gpus, silent
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Condition, Field, Metric
from runmetrics.collectors.wandb.runs import EXITED, Run
from runmetrics.collectors.wandb.tallies import Behind
from runmetrics.collectors.wandb.unknown import Unknown, not_served, unreadable
from runmetrics.collectors.wandb.values import Scalar, mean, number
from runmetrics.text import counted

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_IS: Mapping[object, Callable[[float], bool]] = {
    "nan": math.isnan,
    "infinite": math.isinf,
    "not_finite": lambda value: not math.isfinite(value),
    "numeric": math.isfinite,
}
ALIVE = Condition(Field("run", "silent"), "eq", 0.0)
"""The condition that leaves out silent runs; unknown where every running run is one."""

_PARTS = {"summary": "summaryMetrics", "config": "config", "system": "systemMetrics"}

Tags = tuple[tuple[str, str], ...]


class Reduction:
    """A metric in the making: takes runs one by one, in any order, and keeps none but a holder.

    What it keeps of a run is the value, where all values are needed at once, and a few bytes where
    something is to be said of it.
    """

    def __init__(self, metric: Metric, rules: Rules) -> None:
        self._metric = metric
        self._rules = rules
        self._totals: dict[Tags, Total] = {} if metric.by else {(): Total(metric)}
        self._hidden: Unknown | None = None
        self._blank: dict[str, Ids] = {}
        self._watches_life = ALIVE in metric.conditions
        self._running = 0
        self._alive = False

    def add(self, run: Run, blank: frozenset[str] = frozenset()) -> None:
        """Take in a run; each may come once. Its parts in `blank` show nothing."""
        metric, rules = self._metric, self._rules
        if self._watches_life and run.state == "running":
            self._running += 1
            self._alive = self._alive or silent(run, rules, None) == 0
        if self._hidden or not _selects(metric, run, rules):
            return
        if run.unreadable or blank:
            self._doubt(run, blank)
        if _meets_conditions(metric, run, rules):
            value = value_of(metric, run, rules)
            for tags in group_tags(metric.by, run):
                total = self._totals.get(tags)
                if total is None:
                    total = self._totals[tags] = Total(metric)
                total.add(run, value, rules)

    def lose(self, run_id: str, parts: Iterable[str]) -> None:
        """Be told that W&B has what was blank of a run that was taken in, and does not show it."""
        for part in parts:
            if run_id in self._blank.get(part, ()):
                self._hidden = self._hidden or not_served(part, run_id)

    def series(self) -> list[Series] | Unknown:
        """Return one series per group; Unknown if a run lacks a part."""
        if self._running and not self._alive:  # their GPUs are not free for that
            return Unknown(
                f"W&B has no recent heartbeat of any running run ({counted(self._running, 'run')})",
                "see whether W&B receives heartbeats, and mark runs that have died as stopped",
            )
        if self._hidden:
            return self._hidden
        try:
            every = [total.series(dict(tags)) for tags, total in sorted(self._totals.items())]
            return capped(self._metric, every, self._rules.max_series)
        except OverflowError:
            field = self._metric.field
            return Unknown(
                f"the values under {field} are too large to add up",
                f"leave out what cannot be right: if: {{{field}: {{lt: 1000000000}}}}",
            )

    def _doubt(self, run: Run, blank: frozenset[str]) -> None:
        """Note what the metric is made of that the server cannot serve of a run, or may have."""
        needed = _needed(self._metric, run, self._rules)
        for part in sorted(needed & run.unreadable):
            self._hidden = self._hidden or unreadable([run], part)
        for part in needed & blank:
            self._blank.setdefault(part, Ids()).add(run.id)


class Total:
    """One series of a metric in the making: what runs add up to, in any order, without being kept.

    `_best` is the rank, the run and the value of the one that holds a least, greatest or latest
    value; sums, means and percentiles are exact only when made of all values at once, eight bytes
    each.
    """

    __slots__ = ("_behind", "_best", "_known", "_metric", "_selected", "_values")

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._selected = self._known = 0
        self._values = array("d")
        self._best: tuple[tuple[float, float, str], Run, float] | None = None
        self._behind = Behind()

    def add(self, run: Run, value: float | None, rules: Rules) -> None:
        """Take in a run that meets the metric's conditions, with what it adds."""
        self._selected += 1
        field, aggregate = self._metric.field, self._metric.aggregate
        if field is None:
            self._known += 1
            return
        self._behind.add(self._metric, field, run, value, rules)
        if value is None:
            return
        self._known += 1
        if not aggregate.of_one_run:
            self._values.append(value)
        elif rank := rank_of(aggregate, run, value):
            ranked = (*rank, run.id)
            if self._best is None or ranked > self._best[0]:
                self._best = ranked, run, value

    def series(self, tags: Mapping[str, str]) -> Series:
        """Return the series; raises OverflowError where a sum is too large for a float."""
        holder = self._best[1] if self._best else None
        return Series(
            *(self._value(), self._selected, self._known, holder, tags), behind=self._behind
        )

    def _value(self) -> float | None:
        metric, values = self._metric, self._values
        if metric.field is None:
            return float(self._selected)
        if metric.aggregate.of_one_run:
            return self._best[2] if self._best else None
        if metric.aggregate is Aggregate.SUM:
            known = values or not self._selected or _sums_to_zero(metric)
            return math.fsum(values) if known else None
        if not values:
            return None
        percent = metric.aggregate.percent
        return mean(values) if percent is None else percentile(values, percent)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile by linear interpolation between the two nearest ranks."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    rank = math.floor(position)
    below, above = ordered[rank], ordered[min(rank + 1, len(ordered) - 1)]
    # In halves, because the distance of two floats can be too large for a float.
    value = 2 * (below / 2 + (above / 2 - below / 2) * (position - rank))
    return min(max(value, below), above)


def _sums_to_zero(metric: Metric) -> bool:
    """Return whether a sum of nothing known is 0; of money it is not, hours without a price."""
    field = metric.field
    if field is None or metric.priced:
        return False
    return field.source == "run" and RUN_FIELDS[field.key].sums_to_zero


def reduce(metric: Metric, runs: Iterable[Run], rules: Rules) -> list[Series] | Unknown:
    """Return the metric over these runs, one series per group; Unknown if a run lacks a part."""
    reduction = Reduction(metric, rules)
    for run in runs:
        reduction.add(run)
    return reduction.series()


def by_group(metric: Metric, runs: Iterable[Run], rules: Rules) -> dict[Tags, list[Run]]:
    """Return the runs that a metric takes into account, by the tags of their series."""
    groups: dict[Tags, list[Run]] = {}
    for run in runs:
        if _selects(metric, run, rules) and _meets_conditions(metric, run, rules):
            for tags in group_tags(metric.by, run):
                groups.setdefault(tags, []).append(run)
    return groups


def _selects(metric: Metric, run: Run, rules: Rules) -> bool:
    """Return whether the run is in a state of the metric, and in its window."""
    if metric.states and run.state not in metric.states:
        return False
    since = metric.since(rules.now)
    if since is None:
        return True
    time = run.started_at if metric.window_by == "created" else run.last_sign
    return time is not None and time >= since


def _meets_conditions(metric: Metric, run: Run, rules: Rules) -> bool:
    return all(_holds(condition, metric, run, rules) for condition in metric.conditions)


def _needed(metric: Metric, run: Run, rules: Rules) -> set[str]:
    """Return the parts of this run that the metric is made of."""
    needed: set[str] = set()
    for each in metric.fields:
        needed |= _needed_parts(each, run, rules)
    needed |= {"runInfo"} if metric.priced else set()
    for group in metric.by:
        needed |= {"config"} if group.startswith("config.") else {GROUPS[group].part}
    if "runInfo" in needed:  # on a server without that field the record is in the config
        recorded = run.gpu_type or run.gpu_count
        needed = needed - {"runInfo"} if recorded else {*needed, "config"}
    return needed


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
    value: Scalar | None
    if condition.field.source == "run" or condition.field.of_every_gpu:
        value = measure(condition.field, run, rules, metric.since(rules.now))
    else:
        value = run.values.get(str(condition.field))
    if condition.op == "is":
        if condition.value == "missing":
            return value is None
        return isinstance(value, float) and _IS[condition.value](value)
    if condition.op in _COMPARE:
        finite = number(value)
        return finite is not None and _COMPARE[condition.op](finite, float(condition.value))
    same = value == condition.value and isinstance(value, bool) == isinstance(condition.value, bool)
    return same if condition.op == "eq" else value is not None and not same

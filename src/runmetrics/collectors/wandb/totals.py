"""What runs add up to, one after the other and in any order, without being kept."""

import math
from array import array
from collections.abc import Mapping, Sequence

from runmetrics.collectors.wandb.contributions import rank_of
from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.groups import Series
from runmetrics.collectors.wandb.measures import Rules
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Metric
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.tallies import Behind
from runmetrics.collectors.wandb.values import mean


class Total:
    """One series of a metric in the making."""

    __slots__ = (
        "_behind",
        "_best",
        "_extreme",
        "_holder",
        "_known",
        "_metric",
        "_selected",
        "_values",
    )

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._selected = self._known = 0
        self._values = array("d")
        self._best: tuple[float, float, str] | None = None
        self._holder: Run | None = None
        self._extreme: float | None = None
        self._behind = Behind()

    def add(self, run: Run, value: float | None, rules: Rules) -> None:
        """Take in a run that meets the metric's conditions, with what it adds."""
        self._selected += 1
        field = self._metric.field
        if field is None:
            self._known += 1
            return
        self._behind.add(self._metric, field, run, value, rules)
        if value is None:
            return
        self._known += 1
        if self._metric.aggregate.of_one_run:
            self._compare(run, value)
        else:  # exact only when made of all values at once: eight bytes each
            self._values.append(value)

    def series(self, tags: Mapping[str, str]) -> Series:
        """Return the series; raises OverflowError where a sum is too large for a float."""
        return Series(
            *(self._value(), self._selected, self._known, self._holder, tags),
            behind=self._behind,
        )

    def _value(self) -> float | None:
        aggregate, values = self._metric.aggregate, self._values
        if self._metric.field is None:
            return float(self._selected)
        if aggregate is Aggregate.SUM:
            known = values or not self._selected or _sums_to_zero(self._metric)
            return math.fsum(values) if known else None
        if aggregate.of_one_run:
            return self._extreme
        if not values:
            return None
        percent = aggregate.percent
        return mean(values) if percent is None else percentile(values, percent)

    def _compare(self, run: Run, value: float) -> None:
        rank = rank_of(self._metric.aggregate, run, value)
        if rank is not None and (self._best is None or (*rank, run.id) > self._best):
            self._best, self._holder, self._extreme = (*rank, run.id), run, value


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

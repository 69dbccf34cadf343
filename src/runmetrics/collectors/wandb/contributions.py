"""What a run adds to a metric (in dollars where it is priced), and how it ranks among others."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.measures import Rules, price
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Field, Metric
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.values import mean

_OVER_GPUS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": mean,
    "max": max,
    "min": min,
    "sum": math.fsum,
}


def measure(metric_field: Field, run: Run, rules: Rules, since: datetime | None) -> float | None:
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
    value = measure(metric.field, run, rules, metric.since(rules.now))
    if not metric.priced or value is None:
        return value
    dollars = price(run, rules)
    return None if dollars is None else value * dollars


def rank_of(aggregate: Aggregate, run: Run, value: float) -> tuple[float, float] | None:
    """Return what decides which run holds a greatest, least or latest value, before the greater id.

    Of equal values that of the run which began first, of equal heartbeats that of the run which
    began last; None for a run without a heartbeat, which is never the latest.
    """
    began = run.started_at.timestamp() if run.started_at else 0.0
    if aggregate is Aggregate.LATEST:
        return (run.last_beat.timestamp(), began) if run.last_beat else None
    return (value if aggregate is Aggregate.MAX else -value, -began)


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

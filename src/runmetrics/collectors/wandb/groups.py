"""How `by` splits a metric into series, how many there may be, and how many to expect."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runmetrics.collectors.wandb.fields import GROUPS
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Catalog, Metric
from runmetrics.collectors.wandb.metrics.language import STATES, tag_name
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.tallies import Behind
from runmetrics.collectors.wandb.values import Scalar

OTHER = "other"
"""Value of the tags under which the counts and sums over the cap are added up."""

NONE = "none"
"""Value of a tag where the run has nothing to be grouped by."""

_ADDS_UP = (Aggregate.COUNT, Aggregate.SUM)


@dataclass(frozen=True, slots=True)
class Series:
    """One value of a metric, or None with nothing to compute it from.

    `selected` is how many runs met the metric's conditions, `known` how many of them had a value
    under its field; `holder` is the run that holds a least, greatest or latest value. `over_cap` is
    how many series this one stands for because there are more than may be: their sum, or None and
    they are left out; a run that is in several of them counts in each. `behind` is what there is to
    say of the runs.
    """

    value: float | None
    selected: int = 0
    known: int = 0
    holder: Run | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    over_cap: int = 0
    behind: Behind = field(default_factory=Behind)


def group_tags(by: Sequence[str], run: Run) -> list[tuple[tuple[str, str], ...]]:
    """Return the groups a run counts under: one, or one per tag of a run where `by` names tags."""
    combined: list[tuple[tuple[str, str], ...]] = [()]
    for name in by:
        values = _group_values(name, run)
        combined = [(*tags, (tag_name(name), value)) for tags in combined for value in values]
    return combined


def capped(metric: Metric, series: Sequence[Series], most: int) -> list[Series]:
    """Return at most `most` series of a metric, `other` included, in the order of their tags.

    Counts and sums keep the greatest values, and one more series tagged `other` is the sum of the
    rest (a run with several tags counts in it under each, as it does in theirs). Of anything else
    the series of the most runs are kept. Equals are kept in the order of their tags, so that the
    same runs always give the same series.
    """
    if len(series) <= most:
        return list(series)
    if metric.aggregate not in _ADDS_UP:
        ranked = sorted(series, key=lambda each: (-each.known, _tags(each)))
        return [*_in_order(ranked[:most]), Series(None, over_cap=len(series) - most)]
    # What is called `other` by the runs themselves would be the same series as ours.
    ranked = sorted(series, key=lambda each: (_is_other(each), -_size(each), _tags(each)))
    kept, rest = ranked[: most - 1], ranked[most - 1 :]
    values = [each.value for each in rest if each.value is not None]
    behind = Behind()
    for each in rest:
        behind.update(each.behind)
    other = Series(
        math.fsum(values) if values else None,
        sum(each.selected for each in rest),
        sum(each.known for each in rest),
        tags=dict.fromkeys(rest[0].tags, OTHER),
        over_cap=len(rest),
        behind=behind,
    )
    return [*_in_order(kept), other]


def estimate_series(catalog: Catalog, projects: int = 1) -> dict[str, int]:
    """Return the most series that each metric can become, before anything is read, by name.

    A metric's name with a set of tags is one custom metric of Datadog's bill; the values add up.
    A run is taken to be in one of the states that W&B is known to report. Over
    `max_series_total` no metric is split: each is then one series of each project.
    """
    split = {
        metric.name: projects * _most_groups(metric, catalog.max_series)
        for metric in catalog.metrics
    }
    if catalog.max_series_total is None:
        return split
    bound = max(catalog.max_series_total, projects)
    return {name: min(count, bound) for name, count in split.items()}


def estimate_total(catalog: Catalog, projects: int = 1) -> int:
    """Return the most series of one collection, by the same rule."""
    total = sum(estimate_series(catalog, projects).values())
    if catalog.max_series_total is None:
        return total
    return min(total, max(catalog.max_series_total, projects * len(catalog.metrics)))


def _most_groups(metric: Metric, most: int) -> int:
    """Return how many groups there can be: by states alone as many as they make, else `most`."""
    of_states = [GROUPS[name].of_state if name in GROUPS else None for name in metric.by]
    known = [of_state for of_state in of_states if of_state is not None]
    if len(known) < len(of_states):
        return most
    states = metric.states or STATES
    return min(most, len({tuple(of_state(state) for of_state in known) for state in states}))


def _tags(series: Series) -> tuple[tuple[str, str], ...]:
    return tuple(series.tags.items())


def _in_order(series: Sequence[Series]) -> list[Series]:
    return sorted(series, key=_tags)


def _is_other(series: Series) -> bool:
    return {*series.tags.values()} == {OTHER}


def _size(series: Series) -> float:
    return -math.inf if series.value is None else series.value


def _group_values(name: str, run: Run) -> Sequence[str]:
    if name.startswith("config."):
        value = run.values.get(name)
        return ((_plain(value) if value is not None else "") or NONE,)
    return [value for value in GROUPS[name].values(run) if value] or (NONE,)


def _plain(value: Scalar) -> str:
    """Return a config value as a tag; different values are different tags, and 8.0 is 8."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)

"""The bound on all series of a collection: over it no metric is split by `by`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from runmetrics.collectors.wandb.metrics.catalog import Catalog
from runmetrics.custom_metrics import count_series
from runmetrics.model import Collection
from runmetrics.text import counted


@dataclass(frozen=True, slots=True)
class Part:
    """What one project gave: metrics split as they say, and the same with none of them split."""

    split: Collection
    whole: Collection

    @classmethod
    def of(cls, collection: Collection) -> "Part":
        """Return a part that is the same either way."""
        return cls(collection, collection)


def bounded(parts: Sequence[Part], catalog: Catalog) -> Collection:
    """Add up what the projects gave, split if all series together are within the bound."""
    split = sum((part.split for part in parts), Collection())
    most = catalog.max_series_total
    series = count_series(split.samples)
    if most is None or series.total() <= most:
        return split
    whole = sum((part.whole for part in parts), Collection())
    by = {metric.name: metric.by for metric in catalog.metrics if metric.by}
    left = count_series(whole.samples).total()
    notices = []
    if largest := max(by, key=lambda name: series[name], default=""):
        notices.append(
            f"{counted(series.total(), 'series', 'series')} are more than max_series_total "
            f"({most:,}), so no metric is split: the largest, {largest} by "
            f"{' and '.join(by[largest])}, has {series[largest]:,}; narrow it, lower max_series, "
            "or raise max_series_total"
        )
    if left > most:
        notices.append(
            f"{left:,} series without any split are more than max_series_total ({most:,}) and are "
            "sent: raise it, or collect fewer metrics"
        )
    return dataclasses.replace(whole, notices=(*whole.notices, *notices))

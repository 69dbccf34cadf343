"""How many custom metrics samples make on Datadog's bill: a name with a set of tags is one."""

from collections import Counter
from collections.abc import Iterable

from runmetrics.model import Sample

_SHOWN = 3


def count_series(samples: Iterable[Sample]) -> Counter[str]:
    """Distinct sets of tags by metric; tags that every sample gets from a sink add none."""
    distinct = {(sample.name, tuple(sorted(sample.tags.items()))) for sample in samples}
    return Counter(name for name, _ in distinct)


def in_words(series: Counter[str]) -> str:
    """How many there are, and which metrics make most of them."""
    most = ", ".join(f"{name} {count}" for name, count in series.most_common(_SHOWN))
    return f"{series.total()} custom metrics (name x tags), most of them: {most or 'none'}"

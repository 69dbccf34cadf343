"""How many custom metrics samples make on Datadog's bill: a name with a set of tags is one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from runmetrics.model import Sample
from runmetrics.text import counted


def count_series(samples: Iterable[Sample]) -> Counter[str]:
    """Return distinct sets of tags by metric; tags that a sink puts on every sample add none."""
    return Counter(name for name, _ in dict.fromkeys(each.series for each in samples))


def bill(
    now: Counter[str], at_most: Mapping[str, int], most: int | None, price: float | None
) -> Iterator[str]:
    """Yield lines about custom metrics: all of them first, then those of more than one series.

    `at_most` is by metric, where it is known, and `most` all of those together, where that is
    bounded; more than that is believed. `price` is in dollars a month for each.
    """
    beyond = sum(max(0, count - at_most.get(name, 0)) for name, count in now.items())
    total = beyond + (sum(at_most.values()) if most is None else most)
    text = f"{counted(now.total(), 'custom metric')} at Datadog now, at most {total:,}"
    if price is not None:
        text += f": {dollars(now.total() * price)} a month now, at most {dollars(total * price)}"
    yield text
    for name, count in now.most_common():
        if (bound := max(count, at_most.get(name, 0))) > 1:
            yield f"{name}: {count:,} now, at most {bound:,}"


def dollars(amount: float) -> str:
    """Return an amount of money as people write it: $1,234.50."""
    return f"${amount:,.2f}"

"""Tells runs that have no summary from those whose summary W&B does not show.

A run that never logged has none, so that a blank one says nothing by itself. The server's filters
see what it has: whether it has the key, or else what the official client writes with every log.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runmetrics.collectors.wandb.reading.document import CountAsk, Page, PageAsk
from runmetrics.collectors.wandb.reading.filters import Filter
from runmetrics.collectors.wandb.reading.plan import PAGE_SIZE, RankedRead
from runmetrics.collectors.wandb.reading.rounds import Reader
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.collectors.wandb.values import decode_object
from runmetrics.text import counted

Blank = Mapping[str, frozenset[str]]
"""The parts that show nothing, by run id."""

_PARTS = ("summaryMetrics", "config")
_EMPTY = (None, "", "null")
_IN_A_FILTER = 1000
_LOGGED = ("_timestamp", "_runtime")
"""Keys that the official client writes for every run that logs (fact 24)."""


def blank_parts(node: Mapping[str, Any]) -> frozenset[str]:
    """Return which parts of a run came empty, or as no JSON object."""
    return frozenset(part for part in _PARTS if part in node and _is_blank(node[part]))


def _is_blank(value: object) -> bool:
    return (isinstance(value, str | None) and value in _EMPTY) or decode_object(value) is None


def not_shown(read: RankedRead, blank: Blank) -> Reader[Unknown | None]:
    """Say that W&B does not show what a run has under the key, if it has some of these."""
    names = sorted(name for name, parts in blank.items() if read.part in parts)
    asks = [CountAsk(read.base & _among(some) & _has(read)) for some in _batches(names)]
    if not asks:
        return None
    answers = yield asks
    suspects = [ask for ask in asks if answers.known(ask)]
    if not suspects:
        return None
    # A run that logged for the first time meanwhile is shown by now.
    pages = {ask: PageAsk(ask.filter, "+created_at", PAGE_SIZE, read.selection) for ask in suspects}
    again = yield [*suspects, *pages.values()]
    count = sum(again.known(ask) - _shown(again.known(page), read) for ask, page in pages.items())
    if count <= 0:
        return None
    return Unknown(
        f"W&B shows no readable {read.part} of {counted(count, 'run')} that may have a "
        f"{read.field} (of these: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''})",
        "look at the run in W&B; deleting it, or asking support@wandb.com, fixes it",
    )


def _shown(page: Page, read: RankedRead) -> int:
    """Return how many runs of a page show the part that the value is read from."""
    return len({node["name"] for node in page.nodes if read.part not in blank_parts(node)})


def _batches(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + _IN_A_FILTER] for start in range(0, len(names), _IN_A_FILTER))


def _among(names: Sequence[str]) -> Filter:
    return Filter.of({"name": {"$in": list(names)}})


def _has(read: RankedRead) -> Filter:
    """Match runs that have the key; where filters may not see it, those that logged at all."""
    if read.plain or read.part != "summaryMetrics":
        return read.having
    paths = (read.path, *map(read.path_of, _LOGGED))
    return Filter.of({"$or": [{path: {"$exists": True}} for path in paths]})

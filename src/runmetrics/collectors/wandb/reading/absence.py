"""Proves that nobody has a number under a key, where a first page brought none.

That a filter brings nothing shows nothing by itself: it may not work. So who has the key at all is
counted beside, those that diverged (text that spells NaN or an infinity) are told from the others,
and a control shows that the server compares numbers, and filters by keys with such signs. Where no
late run has a key with such signs, every run is read.
"""

import itertools
import re
from datetime import datetime
from typing import Final

from runmetrics.collectors.wandb.metrics.language import LIVE_STATES
from runmetrics.collectors.wandb.reading.document import Asks, CountAsk, Page, PageAsk, Reader
from runmetrics.collectors.wandb.reading.filters import Filter
from runmetrics.collectors.wandb.reading.plan import PAGE_SIZE, RankedRead, numbers_under
from runmetrics.collectors.wandb.reading.ranking import (
    NotProven,
    Proof,
    Rows,
    Winner,
    best,
    rows_of,
    values_of,
)
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.unknown import Unknown, hidden_runs
from runmetrics.collectors.wandb.values import scalar

_DIVERGED = ["NaN", "Infinity", "-Infinity"]
_MOST_SUMMARIES = 3
"""Whole summaries are read of no more runs: one may be hundreds of KB (fact 27)."""

_CONTROL: Final = CountAsk(
    Filter.of(
        {"$or": [numbers_under(f"summary_metrics.{key}") for key in ("_timestamp", "_runtime")]}
    )
)
"""Counts numbers that the official client writes for every run that logs (fact 24)."""


def nobody_has_a_number(
    read: RankedRead, listing: PageAsk, head: Page, now: datetime, *, bounded: bool
) -> Reader[Proof | Page]:
    """Return a winner without a run if that is proven; `head` came for `listing` without a number.

    A run may have logged the first number meanwhile: the page that shows it is returned then.
    `bounded`: `listing` asks for numbers only, else for whatever has the key.
    """
    if why := _says_nothing(head, rows_of(read, head, now)):
        return why
    have = CountAsk(read.base & read.having)
    numbers = CountAsk(read.base & read.numbers) if bounded else have
    diverged = CountAsk(read.base & Filter.of({read.path: {"$in": _DIVERGED}}))
    rest = read.base & read.having & Filter.of({read.path: {"$nin": _DIVERGED}})
    others = PageAsk(rest, "+created_at", PAGE_SIZE, read.selection)
    like = _runs_with_keys(read)
    asks: Asks = [diverged, others, _CONTROL, *([] if read.plain else [like])] if bounded else []
    answers = yield [listing, have, numbers, *asks]
    head = answers.known(listing)
    rows = rows_of(read, head, now)
    if best(read, rows.runs):
        return head
    if why := _says_nothing(head, rows):
        return why
    hidden = answers.known(numbers) - len(rows.runs)
    if hidden > 0:
        return hidden_runs(hidden)
    count = answers.known(have)
    if not bounded:
        return Winner(None) if count or read.plain else NotProven(for_good=True)
    if count == 0 and read.plain:
        return Winner(None)
    if count == 0:
        late = answers[like]
        works = isinstance(late, Page) and (yield from _filters_by_such_keys(read, late))
        return Winner(None) if works else NotProven(for_good=True)
    rest_of = count - answers.known(diverged) - len(rows.runs)
    page = answers.known(others)
    rows = rows_of(read, page, now)
    if rows.blank:
        return rows.blank
    if rows.foreign or best(read, rows.runs):
        return NotProven(for_good=rows.foreign)
    whole = not page.has_next and rest_of <= len(rows.runs)
    return Winner(None) if whole or answers.known(_CONTROL) else NotProven()


def _says_nothing(page: Page, rows: Rows) -> Unknown | NotProven | None:
    """Return why a page without a number does not show that there is none."""
    if rows.blank or page.hidden:
        return rows.blank or hidden_runs(page.hidden)
    if rows.foreign or page.has_next:
        return NotProven(for_good=rows.foreign)
    return None


def _runs_with_keys(read: RankedRead) -> PageAsk:
    """Ask for all keys of a few late runs that keep them: they ended, and had begun to log."""
    ended = Filter.of({"state": {"$nin": list(LIVE_STATES)}})
    logged = Filter.of(
        {"$or": [{"state": "finished"}, {"summary_metrics._timestamp": {"$exists": True}}]}
    )
    whole = Selection(frozenset({read.part}))
    return PageAsk(ended & logged, "-heartbeat_at", _MOST_SUMMARIES, whole)


def _filters_by_such_keys(read: RankedRead, page: Page) -> Reader[bool]:
    """Return whether the server finds a run of the page by a key of it with the same signs.

    That it finds none by the key which nobody seems to have shows that it does not find all.
    """
    controls: list[CountAsk] = []
    for node in page.nodes:
        found = values_of(node, read.part)
        if read.field.key in found:
            return False  # it was not found
        like = (
            CountAsk(Filter.of({"name": node["name"]}) & read.having_key(key))
            for key, value in found.items()
            if "." not in key
            and _signs(read.field.key) <= _signs(key)
            and scalar(value) is not None
        )
        controls += itertools.islice(like, 1)
    answers = yield controls
    return any(answers[control] == 1 for control in controls)


def _signs(key: str) -> set[str]:
    """Return what may keep W&B from filtering by a key: signs, and a digit at its start."""
    first = {"digit"} if key[:1].isdigit() else set()
    return first | set(re.sub(r"\w", "", key, flags=re.ASCII))

"""Proves that nobody has a number under a key, where a first page brought none.

That a filter brings nothing shows nothing by itself: it may not work. So who has the key at all is
counted beside, those that diverged (text that spells NaN or an infinity) are told from the others,
and a control shows that the server compares numbers, and filters by keys with such signs. Where no
late run has a key with such signs, the latest and the first thousand runs are looked at instead.
"""

import re
from datetime import datetime
from typing import Final

from runmetrics.collectors.wandb.reading.document import CountAsk, Page, PageAsk
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter
from runmetrics.collectors.wandb.reading.plan import (
    PAGE_SIZE,
    RankedRead,
    numbers_under,
)
from runmetrics.collectors.wandb.reading.ranking import (
    NotProven,
    Proof,
    Rows,
    Winner,
    best,
    rows_of,
)
from runmetrics.collectors.wandb.reading.rounds import Reader
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.unknown import hidden_runs
from runmetrics.collectors.wandb.values import decode_object, number, unwrapped

_DIVERGED = ["NaN", "Infinity", "-Infinity"]
_MOST_SUMMARIES = 3
"""Whole summaries are read of no more runs: one may be hundreds of KB (fact 27)."""

_SHORT = 100
"""Characters of a text that may serve as a control."""

_CONTROL: Final = CountAsk(
    Filter.of(
        {"$or": [numbers_under(f"summary_metrics.{key}") for key in ("_timestamp", "_runtime")]}
    )
)
"""Counts numbers that the official client writes for every run that logs (fact 24)."""


def nobody_has_a_number(
    read: RankedRead, head: Page, rows: Rows, now: datetime, *, bounded: bool
) -> Reader[Proof]:
    """Return a winner without a run if that is proven; `rows` of `head` hold no number.

    `bounded`: `head` was to hold numbers only, else whatever has the key.
    """
    if rows.blank or head.hidden:
        return rows.blank or hidden_runs(head.hidden)
    if rows.foreign or head.has_next:
        return NotProven(for_good=rows.foreign)
    have = CountAsk(read.base & read.having)
    if not bounded:
        count = (yield [have]).known(have)
        if count > len(rows.runs):
            return hidden_runs(count - len(rows.runs))
        return Winner(None) if count or read.plain else NotProven(for_good=True)
    numbers = CountAsk(read.base & read.numbers)
    diverged = CountAsk(read.base & Filter.of({read.path: {"$in": _DIVERGED}}))
    rest = read.base & read.having & Filter.of({read.path: {"$nin": _DIVERGED}})
    others = PageAsk(rest, "+created_at", PAGE_SIZE, read.selection)
    answers = yield [have, numbers, diverged, others, _CONTROL]
    hidden = answers.known(numbers) - len(rows.runs)
    if hidden > 0:
        return hidden_runs(hidden)
    count, page = answers.known(have), answers.known(others)
    if count == 0:
        works = True if read.plain else (yield from _filters_by_such_keys(read))
        if works is None:
            works = yield from _nobody_has_the_key(read, now)
        return Winner(None) if works else NotProven(for_good=True)
    rest_of = count - answers.known(diverged) - len(rows.runs)
    rows = rows_of(read, page, now)
    if rows.foreign or best(read, rows.runs):
        return NotProven(for_good=rows.foreign)
    whole = not page.has_next and rest_of <= len(rows.runs)
    return Winner(None) if whole or answers.known(_CONTROL) else NotProven()


def _filters_by_such_keys(read: RankedRead) -> Reader[bool | None]:
    """Return whether the server finds one of the latest runs by a key with the same signs.

    None where none of them has such a key.
    """
    parts = Selection(frozenset({read.part}))
    latest = PageAsk(EVERYTHING, "-heartbeat_at", _MOST_SUMMARIES, parts)
    for node in (yield [latest]).known(latest).nodes:
        found = decode_object(node.get(read.part)) or {}
        found = found if read.part == "summaryMetrics" else unwrapped(found)
        for key, value in found.items():
            same = _equal_to(value)
            if same is None or "." in key or not _signs(read.field.key) <= _signs(key):
                continue
            if key == read.field.key:
                return False  # it was not found
            control = Filter.of({"name": node["name"]}) & Filter.of({read.path_of(key): same})
            counted = CountAsk(control)
            return (yield [counted]).known(counted) == 1
    return None


def _equal_to(value: object) -> object:
    """Return the condition that a value meets; None for what W&B may not compare."""
    if isinstance(value, str):
        return value if len(value) <= _SHORT else None
    same = number(value)
    return None if same is None else {"$gte": same, "$lte": same}


def _nobody_has_the_key(read: RankedRead, now: datetime) -> Reader[bool]:
    """Return whether neither the latest nor the first thousand runs have the key."""
    pages = [
        PageAsk(read.base, order, PAGE_SIZE, read.selection)
        for order in ("-heartbeat_at", "+created_at")
    ]
    answers = yield pages
    runs = [run for page in pages for run in rows_of(read, answers.known(page), now).runs]
    return all(str(read.field) not in run.values for run in runs)


def _signs(key: str) -> set[str]:
    """Return what may keep W&B from filtering by a key: signs, and a digit at its start."""
    first = {"digit"} if key[:1].isdigit() else set()
    return first | set(re.sub(r"\w", "", key, flags=re.ASCII))

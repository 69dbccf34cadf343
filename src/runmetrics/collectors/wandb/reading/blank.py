"""Tells runs that have no summary from those whose summary W&B does not show.

A run that never logged has none, so that a blank one says nothing by itself. The server's filters
see what it has: a key that is wanted of it, or else what the official client writes for every run.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runmetrics.collectors.wandb.reading.document import Answers, CountAsk, PageAsk, Reader
from runmetrics.collectors.wandb.reading.filters import Filter
from runmetrics.collectors.wandb.reading.plan import PAGE_SIZE, is_plain
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.collectors.wandb.values import decode_object

PartsOfRuns = Mapping[str, frozenset[str]]
"""Some parts of some runs, by run id."""

_EMPTY = (None, "", "null")
_IN_A_FILTER = 1000
_WRITTEN = {"summaryMetrics": ("_timestamp", "_runtime"), "config": ("_wandb",)}
"""Keys that the official client writes: with every log, and of every run (facts 12 and 24)."""


def blank_parts(node: Mapping[str, Any]) -> frozenset[str]:
    """Return which parts of a run came empty, or as no JSON object."""
    return frozenset(
        part
        for part in _WRITTEN
        if part in node and (node[part] in _EMPTY or decode_object(node[part]) is None)
    )


def not_shown(selection: Selection, blank: PartsOfRuns) -> Reader[dict[str, frozenset[str]]]:
    """Return those of the blank parts that hold something which W&B does not show.

    They were read with `selection`. A part about which W&B cannot be asked counts as one of them.
    """
    asks: dict[CountAsk, tuple[str, Sequence[str]]] = {}
    for part in _WRITTEN:
        for some in _batches(sorted(name for name, parts in blank.items() if part in parts)):
            among = Filter.of({"name": {"$in": some}})
            asks[CountAsk(among & _holding(part, selection))] = (part, some)
    if not asks:
        return {}
    answers = yield [*asks]
    suspects = {ask: asked for ask, asked in asks.items() if answers[ask] != 0}
    if not suspects:
        return {}
    # A run that logged for the first time meanwhile is shown by now.
    pages = {
        ask: PageAsk(ask.filter, "+created_at", PAGE_SIZE, selection.only(part))
        for ask, (part, _) in suspects.items()
    }
    again = yield [*pages, *pages.values()]
    found: dict[str, frozenset[str]] = {}
    for ask, page in pages.items():
        part, names = suspects[ask]
        for name in _still_blank(again, ask, page, part, names):
            found[name] = found.get(name, frozenset()) | {part}
    return found


def _still_blank(
    answers: Answers, counted: CountAsk, listing: PageAsk, part: str, names: Sequence[str]
) -> Iterable[str]:
    """Return which runs are counted as having the part and do not show it."""
    count, page = answers[counted], answers[listing]
    if isinstance(count, Unknown) or isinstance(page, Unknown):
        return names
    listed = {node["name"] for node in page.nodes}
    shown = {node["name"] for node in page.nodes if part not in blank_parts(node)}
    if count > len(listed):  # any of them may be one that is not listed
        return {*names} - shown
    return listed - shown


def _batches(names: list[str]) -> Iterable[list[str]]:
    return (names[start : start + _IN_A_FILTER] for start in range(0, len(names), _IN_A_FILTER))


def _holding(part: str, selection: Selection) -> Filter:
    """Match runs that have a key of those selected; or any at all, where filters may not see it."""
    of_summary = part == "summaryMetrics"
    keys = selection.summary_keys if of_summary else selection.config_keys
    # All that is read of a summary's `_wandb` is the time until the exit.
    paths = {"_wandb.runtime" if of_summary and key == "_wandb" else key for key in keys}
    if not of_summary:  # a path goes on with `value` after its first segment (fact 12)
        paths = {key.partition(".")[0] for key in keys}
    if not all(map(is_plain, keys)) or not keys:
        paths |= {*_WRITTEN[part]}
    prefix = "summary_metrics" if of_summary else "config"
    return Filter.of({"$or": [{f"{prefix}.{path}": {"$exists": True}} for path in sorted(paths)]})

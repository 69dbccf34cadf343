"""A metric split by `by`: one card with its series as a list, the greatest first."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from runmetrics.serve.entries import own_tags
from runmetrics.serve.markup import bar, el, held_badge, link, quantity
from runmetrics.serve.snapshot import Value

MOST_ROWS = 20
_ROWS_OF_A_TILE = 4
"""A longer list has the page's whole width, in columns: it must not stretch other tiles."""


def ranking_card(series: Sequence[Value], clock: float) -> Element:
    """Return the card of a metric of several series, of which there is at least one."""
    ranked = sorted(series, key=lambda value: (-value.sample.value, [*own_tags(value).values()]))
    sample = ranked[0].sample
    told = {key: {own_tags(value).get(key) for value in ranked} for key in own_tags(ranked[0])}
    split_by = [key for key, texts in told.items() if len(texts) > 1] or [*told]
    greatest = max(abs(value.sample.value) for value in ranked)
    name = el("h3", {"class": "mono", "title": sample.name}, sample.name.rpartition(".")[2])
    by = el("span", "by", f"by {', '.join(split_by)}" if split_by else "")
    wide = " wide" if len(ranked) > _ROWS_OF_A_TILE else ""
    card = el("article", f"tile ranking{wide}", el("div", "told", el("div", "top", name, by)))
    card[0].append(el("p", "what", sample.description))
    rows = (_row(value, split_by, greatest, clock) for value in ranked[:MOST_ROWS])
    card[0].append(el("ol", "", *rows))
    if (more := len(ranked) - MOST_ROWS) > 0:
        card[0].append(el("p", "more", f"And {more} more at /metrics."))
    return card


def _row(value: Value, split_by: Sequence[str], greatest: float, clock: float) -> Element:
    tags = own_tags(value)
    label = " · ".join(tags.get(key, "") for key in split_by) or "-"
    shown = el("span", {"class": "label", "title": label}, el("bdi", "", label))
    if run := value.sample.run:
        shown.append(
            el("small", "", "run ", link(run.url, el("bdi", "", run.display_name or run.id)))
        )
    if value.problem:
        shown.append(held_badge(clock - value.read_at, str(value.problem)))
    share = max(0.0, value.sample.value / greatest) if greatest else 0.0
    return el(
        "li",
        "held" if value.problem else "",
        shown,
        quantity("span", value.sample.value, value.sample.unit),
        bar([("share", share), ("rest", 1 - share)]),
    )

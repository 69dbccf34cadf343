"""The metrics on the page: a card for each, under the first part of its name."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.etree.ElementTree import Element

from runmetrics.model import Missing, RunRef, Sample, project_of
from runmetrics.serve.chart import chart
from runmetrics.serve.gpu_hours import gpu_hours_card
from runmetrics.serve.markup import bar, el, held_badge, link, quantity
from runmetrics.serve.snapshot import Entry, Row, Snapshot, Value, own_tags
from runmetrics.text import rough_length, show_value

MOST_CARDS = 200
MOST_ROWS = 20
_ROWS_OF_A_TILE = 4
"""A longer list has the page's whole width, in columns: it must not stretch other tiles."""

_Card = tuple[int, Element]
"""How many series it shows, and the element."""


def tiles(snapshot: Snapshot, clock: float) -> Iterator[Element]:
    """Yield a heading and a grid for each project and beginning of names, as they became known.

    A metric of one series is a tile, a metric of several (`by`) one card with a sorted list.
    """
    order = {name: place for place, name in enumerate(snapshot.names)}
    first: dict[str, int] = {}
    for name, place in order.items():
        first.setdefault(_prefix(name), place)

    def key(entry: Entry) -> tuple[str, int, int, list[str]]:
        project, prefix = _heading(entry)
        return project, first[prefix], order[entry.name], [*own_tags(entry).values()]

    shown = sorted(snapshot.entries(), key=key)
    several = len({project_of(entry.tags) for entry in shown}) > 1
    left = MOST_CARDS
    unseen = 0
    for (project, prefix), group in groupby(shown, key=_heading):
        cards = [*_cards(snapshot, [*group], clock)]
        unseen += sum(series for series, _ in cards[left:])
        if cards := cards[:left]:
            yield el("h2", "mono", f"{project} · {prefix}" if several else prefix)
            yield el("div", "tiles", *(card for _, card in cards))
        left -= len(cards)
    if unseen:
        yield el("p", "more", f"And {unseen} more series at /metrics.")


def _heading(entry: Entry) -> tuple[str, str]:
    return project_of(entry.tags), _prefix(entry.name)


def _prefix(name: str) -> str:
    return name.rpartition(".")[0] or name


def _cards(snapshot: Snapshot, group: Sequence[Entry], clock: float) -> Iterator[_Card]:
    parts, rest = gpu_hours_card(group, clock)
    if parts is not None:
        yield len(group) - len(rest), parts
    for _, same in groupby(rest, key=lambda entry: entry.name):
        series = [*same]
        values = [entry for entry in series if isinstance(entry, Value)]
        if len(values) > 1:
            yield len(values), _ranking(values, clock)
        else:
            yield from ((1, _tile(entry, snapshot.rows, clock)) for entry in series)


def _tile(entry: Entry, rows: Sequence[Row], clock: float) -> Element:
    name = entry.name
    top = el("div", "top", el("h3", {"class": "mono", "title": name}, name.rpartition(".")[2]))
    told = el("div", "told", top)
    tile = el("article", "tile", told)
    if isinstance(entry, Value):
        sample = entry.sample
        told.extend([quantity("p", sample.value, sample.unit), el("p", "what", sample.description)])
        if entry.problem:
            tile.set("class", "tile held")
            top.append(held_badge(clock - entry.read_at, str(entry.problem)))
        if sample.run:
            told.append(_holder("p", "more", sample.run))
        if sample.note:
            told.append(el("p", "more", sample.note))
        tile.extend(_history(sample, rows))
    elif isinstance(entry, Missing):
        told.extend([el("p", "value none", "no data"), el("p", "more", entry.why)])
    else:
        told.append(el("p", "value none", "unknown"))
    if chips := [f"{key}:{text}" for key, text in own_tags(entry).items()]:
        told.append(
            el("div", "chips", *(el("span", {"class": "chip", "title": x}, x) for x in chips))
        )
    return tile


def _history(sample: Sample, rows: Sequence[Row]) -> Iterator[Element]:
    """Yield its range and its chart, from the second collection on."""
    series, unit = sample.series, sample.unit or "unit"
    numbers = [row.values[series] for row in rows if series in row.values]
    if len(rows) < 2 or not numbers:
        return
    ends = (show_value(end, unit) for end in (min(numbers), max(numbers)))
    least, greatest = (end.partition(" ")[0] for end in ends)
    span = f"last {rough_length(rows[-1].time - rows[0].time)}"
    extent = f"{least} to {greatest}" if least != greatest else f"always {least}"
    yield el("div", "range", el("span", "", extent), el("span", "", span))
    yield chart(rows, series, f"{sample.name}, {span}: {extent}")


def _holder(tag: str, css: str, run: RunRef) -> Element:
    """Return the run that holds a value, as a link to its page."""
    return el(tag, css, "run ", link(run.url, el("bdi", "", run.display_name or run.id)))


def _ranking(series: Sequence[Value], clock: float) -> Element:
    """Return the card of a metric split by `by`: its series as a list, the greatest first."""
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
    if value.sample.run:
        shown.append(_holder("small", "", value.sample.run))
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

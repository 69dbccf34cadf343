"""The metrics on the page: a card for each, under the first part of its name."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.etree.ElementTree import Element

from runmetrics.model import Missing, project_of
from runmetrics.serve.chart import chart
from runmetrics.serve.entries import Entry, entries, name_of, own_tags, tags_of
from runmetrics.serve.gpu_hours import gpu_hours_card
from runmetrics.serve.markup import el, held_badge, link, quantity
from runmetrics.serve.ranking import ranking_card
from runmetrics.serve.snapshot import Snapshot, Value
from runmetrics.text import rough_length, show_value

MOST_CARDS = 200

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
        return project, first[prefix], order[name_of(entry)], [*own_tags(entry).values()]

    shown = sorted(entries(snapshot), key=key)
    several = len({project_of(tags_of(entry)) for entry in shown}) > 1
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


def _cards(snapshot: Snapshot, group: Sequence[Entry], clock: float) -> Iterator[_Card]:
    parts, rest = gpu_hours_card(group, clock)
    if parts is not None:
        yield len(group) - len(rest), parts
    for _, same in groupby(rest, key=name_of):
        series = [*same]
        values = [entry for entry in series if isinstance(entry, Value)]
        if len(values) > 1:
            yield len(values), ranking_card(values, clock)
        else:
            yield from ((1, _tile(snapshot, entry, clock)) for entry in series)


def _heading(entry: Entry) -> tuple[str, str]:
    return project_of(tags_of(entry)), _prefix(name_of(entry))


def _prefix(name: str) -> str:
    return name.rpartition(".")[0] or name


def _tile(snapshot: Snapshot, entry: Entry, clock: float) -> Element:
    name = name_of(entry)
    top = el("div", "top", el("h3", {"class": "mono", "title": name}, name.rpartition(".")[2]))
    told = el("div", "told", top)
    tile = el("article", "tile", told)
    if isinstance(entry, Value):
        _show(entry, snapshot, clock, top, told, tile)
    elif isinstance(entry, Missing):
        told.extend([el("p", "value none", "no data"), el("p", "more", entry.why)])
    else:
        told.append(el("p", "value none", "unknown"))
    if chips := [f"{key}:{text}" for key, text in own_tags(entry).items()]:
        told.append(
            el("div", "chips", *(el("span", {"class": "chip", "title": x}, x) for x in chips))
        )
    return tile


def _show(
    value: Value, snapshot: Snapshot, clock: float, top: Element, told: Element, tile: Element
) -> None:
    sample = value.sample
    told.extend([quantity("p", sample.value, sample.unit), el("p", "what", sample.description)])
    if value.problem:
        tile.set("class", "tile held")
        top.append(held_badge(clock - value.read_at, str(value.problem)))
    if sample.run:
        name = sample.run.display_name or sample.run.id
        told.append(el("p", "more", "run ", link(sample.run.url, el("bdi", "", name))))
    if sample.note:
        told.append(el("p", "more", sample.note))
    _draw(value, snapshot, tile)


def _draw(value: Value, snapshot: Snapshot, tile: Element) -> None:
    """Append the history, from the second collection on."""
    rows, unit = snapshot.rows, value.sample.unit
    numbers = [row.values[value.series] for row in rows if value.series in row.values]
    if len(rows) < 2 or not numbers:
        return
    ends = (show_value(end, unit or "unit") for end in (min(numbers), max(numbers)))
    least, greatest = (end.partition(" ")[0] for end in ends)
    span = f"last {rough_length(rows[-1].time - rows[0].time)}"
    extent = f"{least} to {greatest}" if least != greatest else f"always {least}"
    tile.append(el("div", "range", el("span", "", extent), el("span", "", span)))
    tile.append(chart(rows, value.series, f"{value.sample.name}, {span}: {extent}"))

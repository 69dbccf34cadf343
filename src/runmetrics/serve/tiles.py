"""The metrics on the page: a tile for each series, under the first part of its name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from xml.etree.ElementTree import Element

from runmetrics.model import Missing
from runmetrics.report import show_value
from runmetrics.serve.chart import chart
from runmetrics.serve.markup import el, link
from runmetrics.serve.snapshot import Snapshot, Value
from runmetrics.text import rough_length

MOST_TILES = 200
_TAGS_EVERYBODY_HAS = {"collector", "wandb_entity", "wandb_project"}


@dataclass(frozen=True, slots=True)
class _Unknown:
    """A metric that was never learned, in one project."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


_Entry = Value | Missing | _Unknown


def tiles(snapshot: Snapshot, clock: float) -> Iterator[Element]:
    """A heading and a grid for each project and beginning of names, as they became known."""
    order = {name: place for place, name in enumerate(snapshot.names)}
    first: dict[str, int] = {}
    for name, place in order.items():
        first.setdefault(_prefix(name), place)

    def key(entry: _Entry) -> tuple[str, int, int, list[str]]:
        project, prefix = _heading(entry)
        return project, first[prefix], order[_name(entry)], _chips(_tags(entry))

    entries = sorted(_entries(snapshot), key=key)
    several = len({project_of(_tags(entry)) for entry in entries}) > 1
    for (project, prefix), group in groupby(entries[:MOST_TILES], key=_heading):
        title = f"{project} · {prefix}" if several else prefix
        yield el("h2", "mono", title)
        yield el("div", "tiles", *(_tile(snapshot, entry, clock) for entry in group))
    if more := len(entries[MOST_TILES:]):
        yield el("p", "more", f"And {more} more series at /metrics.")


def project_of(tags: Mapping[str, str]) -> str:
    """entity/project; what there is of it."""
    return f"{tags.get('wandb_entity', '')}/{tags.get('wandb_project', '')}".strip("/")


def _entries(snapshot: Snapshot) -> Iterator[_Entry]:
    collection = snapshot.outcome.collection
    yield from snapshot.values
    yield from collection.missing
    known = {(value.sample.name, project_of(value.sample.tags)) for value in snapshot.values}
    for problem in collection.problems:
        for name in problem.metrics:
            if (name, project_of(problem.tags)) not in known:
                yield _Unknown(name, problem.tags)


def _heading(entry: _Entry) -> tuple[str, str]:
    return project_of(_tags(entry)), _prefix(_name(entry))


def _prefix(name: str) -> str:
    return name.rpartition(".")[0] or name


def _name(entry: _Entry) -> str:
    return entry.sample.name if isinstance(entry, Value) else entry.name


def _tags(entry: _Entry) -> Mapping[str, str]:
    return entry.sample.tags if isinstance(entry, Value) else entry.tags


def _chips(tags: Mapping[str, str]) -> list[str]:
    return [f"{key}:{text}" for key, text in sorted(tags.items()) if key not in _TAGS_EVERYBODY_HAS]


def _tile(snapshot: Snapshot, entry: _Entry, clock: float) -> Element:
    top = el("div", "top", el("h3", {"class": "mono", "title": _name(entry)}, _leaf(entry)))
    told = el("div", "told", top)
    tile = el("article", "tile", told)
    if isinstance(entry, Value):
        _show(entry, snapshot, clock, top, told, tile)
    elif isinstance(entry, Missing):
        told.extend([el("p", "value none", "no data"), el("p", "more", entry.why)])
    else:
        told.append(el("p", "value none", "unknown"))
    if chips := _chips(_tags(entry)):
        told.append(
            el("div", "chips", *(el("span", {"class": "chip", "title": x}, x) for x in chips))
        )
    return tile


def _leaf(entry: _Entry) -> str:
    return _name(entry).rpartition(".")[2]


def _show(
    value: Value, snapshot: Snapshot, clock: float, top: Element, told: Element, tile: Element
) -> None:
    sample = value.sample
    number, _, unit = show_value(sample.value, sample.unit).partition(" ")
    shown = el("p", {"class": "value", "title": f"{sample.value!r} {sample.unit}".strip()}, number)
    if unit:
        shown.append(el("small", "", unit))
    told.extend([shown, el("p", "what", sample.description)])
    if value.problem:
        tile.set("class", "tile held")
        age = f"{rough_length(clock - value.read_at)} old"
        top.append(el("span", {"class": "badge bad", "title": str(value.problem)}, age))
    if sample.run:
        name = sample.run.display_name or sample.run.id
        told.append(el("p", "more", "run ", link(sample.run.url, el("bdi", "", name))))
    if sample.note:
        told.append(el("p", "more", sample.note))
    _draw(value, snapshot, tile)


def _draw(value: Value, snapshot: Snapshot, tile: Element) -> None:
    """The history, from the second collection on."""
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

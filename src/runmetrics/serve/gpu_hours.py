"""Where the GPU hours went: the parts of the pack gpu_hours as one bar, which is all of them."""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from runmetrics.serve.entries import Entry, name_of, own_tags
from runmetrics.serve.markup import bar, el, held_badge
from runmetrics.serve.snapshot import Value
from runmetrics.text import show_value

_PART = re.compile(r"wandb\.gpu_hours\.(active|stalled|unlogged)(_\w+)?")


def gpu_hours_card(group: Sequence[Entry], clock: float) -> tuple[Element | None, list[Entry]]:
    """Return the card of the parts among the entries of one project, and the other entries.

    The parts add up to all GPU hours only where all three are known: else there is no card.
    """
    parts = [entry for entry in group if _PART.fullmatch(name_of(entry))]
    values = [entry for entry in parts if isinstance(entry, Value)]
    kinds = {_kind(value) for value in values}
    if len(kinds) < 3 or len(values) < len(parts) or min(v.sample.value for v in values) < 0:
        return None, [*group]
    order = ("active", "stalled", "unlogged")
    values.sort(key=lambda value: (order.index(_kind(value)), -value.sample.value))
    return _card(values, clock), [entry for entry in group if entry not in parts]


def _kind(value: Value) -> str:
    found = _PART.fullmatch(value.sample.name)
    return found[1] if found else ""


def _card(values: Sequence[Value], clock: float) -> Element:
    total = sum(value.sample.value for value in values)
    unit = values[0].sample.unit
    top = el("div", "top", el("h3", "", "Where the GPU hours went"))
    if old := [value for value in values if value.problem]:
        oldest = min(old, key=lambda value: value.read_at)
        top.append(held_badge(clock - oldest.read_at, str(oldest.problem)))
    number, _, word = show_value(total, unit).partition(" ")
    shown = el("p", {"class": "value", "title": f"{total!r} {unit}"}, number, el("small", "", word))
    shares = [(value, value.sample.value / total if total else 0.0) for value in values]
    classes = [
        (f"{_kind(value)} n{place % 5}", share) for place, (value, share) in enumerate(shares)
    ]
    legend = (
        el(
            "li",
            {"title": value.sample.description},
            el("span", f"key {css}"),
            el("span", "", _label(value)),
            el("b", "", show_value(value.sample.value, unit)),
            el("span", "soft", f"{100 * share:.0f} %"),
        )
        for (value, share), (css, _) in zip(shares, classes, strict=True)
    )
    told = el(
        "div",
        "told",
        top,
        shown,
        bar(classes, "Parts of the GPU hours"),
        el("ul", "legend", *legend),
    )
    return el("article", "tile parts", told)


def _label(value: Value) -> str:
    return ", ".join([_kind(value), *own_tags(value).values()])

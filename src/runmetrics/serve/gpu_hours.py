"""Where the GPU hours went: the parts of the pack gpu_hours as one bar, which is all of them."""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from runmetrics.serve.markup import bar, el, held_badge, quantity
from runmetrics.serve.snapshot import Entry, Value, own_tags
from runmetrics.text import show_value

_KINDS = ("active", "stalled", "unlogged")
_PART = re.compile(rf"wandb\.gpu_hours\.({'|'.join(_KINDS)})(_\w+)?")


def gpu_hours_card(group: Sequence[Entry], clock: float) -> tuple[Element | None, list[Entry]]:
    """Return the card of the parts among the entries of one project, and the other entries.

    The parts add up to all GPU hours only where all three are known: else there is no card.
    """
    parts = [entry for entry in group if _kind(entry)]
    values = [entry for entry in parts if isinstance(entry, Value)]
    kinds = {_kind(value) for value in values}
    if len(kinds) < 3 or len(values) < len(parts) or min(v.sample.value for v in values) < 0:
        return None, [*group]
    values.sort(key=lambda value: (_KINDS.index(_kind(value)), -value.sample.value))
    return _card(values, clock), [entry for entry in group if entry not in parts]


def _kind(entry: Entry) -> str:
    """Return which of the parts it is; empty for anything else."""
    found = _PART.fullmatch(entry.name)
    return found[1] if found else ""


def _percent(share: float) -> str:
    """Return a share, in which next to nothing is not nothing, and nearly all is not all."""
    if 0 < share < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def _card(values: Sequence[Value], clock: float) -> Element:
    total = sum(value.sample.value for value in values)
    top = el("div", "top", el("h3", "", "Where the GPU hours went"))
    if old := [value for value in values if value.problem]:
        oldest = min(old, key=lambda value: value.read_at)
        top.append(held_badge(clock - oldest.read_at, str(oldest.problem)))
    legend = el("ul", "legend")
    shares: list[tuple[str, float]] = []
    for place, value in enumerate(values):
        sample, kind = value.sample, _kind(value)
        css, share = f"{kind} n{place % 5}", sample.value / total if total else 0.0
        shares.append((css, share))
        legend.append(
            el(
                "li",
                {"title": sample.description},
                el("span", f"key {css}"),
                el("span", "", ", ".join([kind, *own_tags(value).values()])),
                el("b", "", show_value(sample.value, sample.unit)),
                el("span", "soft", _percent(share)),
            )
        )
    shown = quantity("p", total, values[0].sample.unit)
    told = el("div", "told", top, shown, bar(shares, "Parts of the GPU hours"), legend)
    return el("article", "tile parts", told)

"""Words that every part of the program uses: one line, a count with its noun, a few names."""

import os
from collections.abc import Sequence
from datetime import timedelta

_SIGNS = {"percent": "%"}


def one_line(text: str) -> str:
    """Return foreign text with a space for each sign that would break a line or steer a terminal.

    Lone surrogates, which no encoding takes, are such signs too.
    """
    return "".join(sign if sign.isprintable() else " " for sign in text)


def encodable(text: str) -> str:
    """Return text without the lone surrogates (halves of characters) that no encoding takes."""
    return text.encode("utf-8", "replace").decode()


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun: "1 run", "1,200 runs"; `plural` where an s is not enough."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first few of `names`, and how many more there are: "a, b, c and 4 more"."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def typed(arguments: str) -> str:
    """Return a command of this program as its user types it: by `uv run` in a clone."""
    by_uv = "uv run " if "UV_RUN_RECURSION_DEPTH" in os.environ else ""  # uv run sets it
    return f"{by_uv}runmetrics {arguments}"


def exact_length(length: timedelta) -> str:
    """Return a length of time in the unit that people use for it: 24 hours, but 7 days."""
    seconds = int(length.total_seconds())
    for unit, size, least in (("day", 86_400, 2), ("hour", 3600, 1), ("minute", 60, 1)):
        count, rest = divmod(seconds, size)
        if not rest and count >= least:
            return counted(count, unit)
    return counted(seconds, "second")


def rough_length(seconds: float) -> str:
    """Return seconds, rounded, in the greatest unit of which there are two: 45 s, 90 min, 7 d."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{round(max(0.0, seconds))} s"


def were(count: int, noun: str) -> str:
    """Return a count with its noun and verb: "1 sample was", "2 samples were"."""
    return f"{counted(count, noun)} {'was' if count == 1 else 'were'}"


def show_value(value: float, unit: str) -> str:
    """Return a value with its unit: whole numbers as such, others with few digits."""
    digits = 4 if unit else 6
    number = f"{value:,.{digits}g}"
    if abs(value) < 1e15 and value == int(value):
        number = f"{value + 0:,.0f}"  # minus 0 is 0
    elif 10 ** (digits - 1) <= abs(value) < 1e15:
        number = f"{value:,.1f}"
    if unit in _SIGNS:
        return f"{number} {_SIGNS[unit]}"
    if not unit:
        return number
    return f"{number} {unit}{'s' * (value != 1)}"

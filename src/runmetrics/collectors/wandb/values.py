"""Plain values out of whatever JSON W&B answers with, and what is said of a value that cannot be.

Nothing here raises: what makes no sense is None, or ABSENT where None is a value.
"""

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from runmetrics.text import encodable

Scalar = float | str | bool
"""A cleaned value: floats may be NaN or infinite; only finite floats are numbers."""

_SPELT_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
ABSENT = object()
"""What `look_up` returns where there is no such key."""

FIRST_DAY = datetime(2016, 1, 1, tzinfo=UTC)
"""No run is older than W&B: a time before is no time, and no run lasts longer than from here."""

_AHEAD = timedelta(hours=24)
"""A time that lies further ahead of the server's clock is no time."""

_NO_TIME_SECONDS = 2.5e11
"""So long after 1970 there are no more times: it is the year 9892."""

_ENCODINGS = 3
"""A summary may be a JSON string of a JSON string; deeper nesting is junk."""

_MOST_DIGITS = 400
"""Longer integers are beyond a float, and from 4,300 digits on Python refuses to read them."""


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) < _MOST_DIGITS else None


_DECODER = json.JSONDecoder(strict=False)
_PATIENT_DECODER = json.JSONDecoder(strict=False, parse_int=_integer)
"""Asking us about each integer takes most of the time of reading a run, so only where needed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something of a run that cannot be; `therefore` is what follows for the runs that have it.

    `shown` is the value as people read it, empty where it says nothing; of several faults that
    say the same, the one with the greatest `badness` is shown.
    """

    what: str
    shown: str = ""
    badness: float = 0.0
    therefore: str = "taken as if those runs did not have it"


def number(value: object) -> float | None:
    """Return a finite JSON number as a float; None for anything else, booleans included.

    Zero has no sign: -0.0 is 0.0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value) + 0.0
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def scalar(value: object) -> Scalar | None:
    """Return a cleaned value; None for null, objects, arrays and integers beyond a float."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _SPELT_FLOATS.get(value, text(value))
    if isinstance(value, int | float):
        try:
            return float(value) + 0.0
        except OverflowError:
            return None
    return None


def text(value: object) -> str:
    """Return text that can be written anywhere, without the halves of characters JSON can spell."""
    return encodable(value) if isinstance(value, str) else ""


def mean(values: Collection[float]) -> float:
    """Return the arithmetic mean of finite numbers, at least one: between least and greatest."""
    try:
        middle = math.fsum(values) / len(values)
    except OverflowError:
        middle = 2 * math.fsum(value / 2 / len(values) for value in values)
    return min(max(middle, min(values)), max(values))


def parse_time(value: object) -> datetime | None:
    """Return an ISO 8601 time of the server as aware UTC; one without a zone is UTC."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: before the year 1 or after 9999 in UTC
        return None


def instant(seconds: float) -> datetime | None:
    """Return a time by its seconds since 1970; None for a negative one and after the year 9892."""
    if not 0 <= seconds < _NO_TIME_SECONDS:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def time_fault(what: str, time: datetime, now: datetime) -> Fault | None:
    """Say that no run can be at a time, before W&B began or far ahead of the server's `now`."""
    if FIRST_DAY <= time <= now + _AHEAD:
        return None
    early = time < FIRST_DAY
    how = f"lies before {FIRST_DAY:%Y}" if early else "lies more than a day ahead"
    distance = FIRST_DAY - time if early else time - now
    return Fault(f"{what} {how}", f"{time.date()}", distance.total_seconds())


def decode_object(value: object) -> dict[str, Any] | None:
    """Return a JSONString scalar as a dict: null, "" and "null" are empty; None when it is junk.

    Bare NaN tokens and control characters inside are accepted; a doubly encoded string is decoded
    again.
    """
    for _ in range(_ENCODINGS):
        if value is None or value == "":
            return {}
        if not isinstance(value, str):
            break
        try:
            value = _decode(value)
        except (ValueError, RecursionError):
            return None
    if value is None:
        return {}
    return value if isinstance(value, dict) else None


def _decode(value: str) -> object:
    try:
        return _DECODER.decode(value)
    except ValueError:  # junk, or an integer that Python refuses
        return _PATIENT_DECODER.decode(value)


def look_up(mapping: Mapping[str, Any], key: str) -> object:
    """Return what is under `key`, taken literally first, then as a dotted path; else ABSENT.

    A null that is there is None.
    """
    if key in mapping:
        return mapping[key]
    for position, character in enumerate(key):
        if character == ".":
            inner = mapping.get(key[:position])
            if isinstance(inner, dict):
                found = look_up(inner, key[position + 1 :])
                if found is not ABSENT:
                    return found
    return ABSENT


def scalars(source: str, found: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Scalar]:
    """Return the cleaned values under `keys`, by the names of their fields ("summary.loss")."""
    values = ((f"{source}.{key}", scalar(look_up(found, key))) for key in keys)
    return {name: value for name, value in values if value is not None}


def lengths(source: str, found: Mapping[str, Any], keys: Iterable[str]) -> dict[str, int]:
    """Return how long the lists under `keys` are, by the names of their fields."""
    values = ((f"{source}.{key}", look_up(found, key)) for key in keys)
    return {name: len(value) for name, value in values if isinstance(value, list)}


def leaves(found: Mapping[str, Any], deepest: int) -> Iterator[tuple[str, Scalar]]:
    """Yield the values of an object by dotted paths of at most `deepest` keys: `a.max`.

    Passed over are W&B's own keys, media (which have a _type), and keys that no file can name.
    """
    for key, value in found.items():
        if key.startswith("_") or not key.isprintable() or key != key.strip() or not key:
            continue
        if isinstance(value, dict):
            if "_type" not in value and deepest > 1:
                inner = leaves(value, deepest - 1)
                yield from ((f"{key}.{path}", leaf) for path, leaf in inner)
        elif (leaf := scalar(value)) is not None:
            yield key, leaf


def unwrapped(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config as its author wrote it: W&B stores {"lr": {"value": 0.1}}."""
    return {
        key: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
        for key, entry in config.items()
    }

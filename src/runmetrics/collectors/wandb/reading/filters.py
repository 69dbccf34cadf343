"""Filters of runs as values: what the server is asked to match, MongoDB-style.

Names of fields in filters are camelCase (the official client's documentation of `Api.runs`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_SECOND = timedelta(seconds=1)
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Where a server's times stop to make sense, and a second more or less is not yet out of range."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What the server is asked to match; `one & other` is what both match, `Filter()` everything.

    `conditions` are JSON texts with sorted keys, so that equal filters are equal values.
    """

    conditions: tuple[str, ...] = ()

    @classmethod
    def of(cls, conditions: Mapping[str, Any]) -> "Filter":
        """Return the filter of a mapping; ValueError where it holds NaN or an infinity."""
        if not conditions:
            return cls()
        return cls((json.dumps(conditions, sort_keys=True, allow_nan=False),))

    def __and__(self, other: "Filter") -> "Filter":
        return Filter(tuple(dict.fromkeys(self.conditions + other.conditions)))

    def __str__(self) -> str:
        """Return the JSON that is sent."""
        match self.conditions:
            case ():
                return "{}"
            case (only,):
                return only
        return f'{{"$and": [{", ".join(self.conditions)}]}}'

    def as_mapping(self) -> dict[str, Any]:
        """Return the filter as it would be written in a program."""
        mapping: dict[str, Any] = json.loads(str(self))
        return mapping


EVERYTHING = Filter()


def in_states(states: tuple[str, ...]) -> Filter:
    """Match the runs in one of the states; no states are any state."""
    if not states:
        return EVERYTHING
    return Filter.of({"state": states[0] if len(states) == 1 else {"$in": list(states)}})


def alive_since(time: datetime) -> Filter:
    """Match the runs with a heartbeat after a time; their creation stands in for a missing one."""
    after = {"$gt": timestamp(time)}
    return Filter.of({"$or": [{"heartbeatAt": after}, {"createdAt": after}]})


def moved_since(beat: datetime, created: datetime) -> Filter:
    """Match the runs with a heartbeat after a time, or that were created at another or later."""
    beats, is_new = {"$gt": timestamp(beat)}, {"$gte": timestamp(created)}
    return Filter.of({"$or": [{"heartbeatAt": beats}, {"createdAt": is_new}]})


def created_since(time: datetime) -> Filter:
    """Match the runs that were created at a time or later."""
    return Filter.of({"createdAt": {"$gte": timestamp(time)}})


def created_between(begin: datetime, end: datetime | None) -> Filter:
    """Match creation in a span, a second wider on both sides: filters are in whole seconds."""
    bounds = {"$gt": timestamp(_sensible(begin) - _SECOND)}
    if end is not None:
        bounds["$lt"] = timestamp(_sensible(end) + _SECOND)
    return Filter.of({"createdAt": bounds})


def _sensible(time: datetime) -> datetime:
    return min(max(time, _FIRST), _LAST)


def timestamp(time: datetime) -> str:
    """Return a time for a filter: whole seconds, floored, with the Z that W&B insists on."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

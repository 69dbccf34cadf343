"""Filters and orders of runs, as the W&B backend reads them.

A filter is MongoDB-style JSON over a fixed set of columns, `config.K` and `summary_metrics.K`.
What is unknown is a bad request in a filter, and silently ignored in an order. A `View` works on
whole columns: a project of 200,000 runs is filtered a dozen times by one document.
"""

import json
import math
import operator
import re
from collections.abc import Callable
from datetime import datetime
from itertools import compress
from typing import Any

from runmetrics.sandbox.keys import at
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import EARLIEST, LATEST, StoredRun, as_object, config_values, moment

Mask = list[bool]
Check = Callable[[Any], bool]

_TIMES = {"createdAt": "created_at", "created_at": "created_at", "heartbeatAt": "heartbeat_at"}
_ORDERED_TIMES = _TIMES | {
    "heartbeat_at": "heartbeat_at",
    "updated_at": "updated_at",
    "updatedAt": "updated_at",
}
_COLUMNS: dict[str, Callable[[StoredRun], Any]] = {
    "displayName": lambda run: run.display_name or run.id,
    "display_name": lambda run: run.display_name or run.id,
    "duration": lambda run: _duration(run),
    "group": operator.attrgetter("group"),
    "host": operator.attrgetter("host"),
    "jobType": operator.attrgetter("job_type"),
    "name": operator.attrgetter("id"),
    "state": operator.attrgetter("state"),
    "sweep": operator.attrgetter("sweep"),
    "tags": operator.attrgetter("tags"),
    "username": operator.attrgetter("user"),
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$eq": operator.eq,
    "$ne": operator.ne,
}
_STRICT_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class BadRequest(Exception):  # noqa: N818 - it is what the server answers: 400
    """The server refuses the document; the text is the error's message."""


class View:
    """A project's runs at one moment, in creation order; every column and filter is read once."""

    def __init__(self, runs: list[StoredRun], quirks: Quirks) -> None:
        self.runs = runs
        self.quirks = quirks
        self._columns: dict[str, list[Any] | None] = {}
        self._masks: dict[str, Mask] = {}

    def matching(self, filters: str | None) -> list[StoredRun]:
        """Return the runs that match; no filter is every run. Raises BadRequest."""
        return list(compress(self.runs, self._asked(filters)))

    def count(self, filters: str | None) -> int:
        """Return how many runs match. Raises BadRequest."""
        return sum(self._asked(filters))

    def ordered(self, filters: str | None, order: str | None) -> list[StoredRun]:
        """Return the runs that match, in the order asked for; an unknown one is creation order."""
        name, down = (order or "").lstrip("+-"), (order or "").startswith("-")
        if name in _ORDERED_TIMES:
            ranks: list[Any] = self._time_column(_ORDERED_TIMES[name])
            if down and self.quirks.missing_first:
                ranks = [LATEST if time is EARLIEST else time for time in ranks]
        else:
            known = name.startswith(("summary_metrics.", "config."))
            column = self._column(name) if known else None
            if column is None:
                return self.matching(filters)
            ranks = [self._rank(value, down) for value in column]
        rows = compress(range(len(self.runs)), self._asked(filters))
        return [self.runs[row] for row in sorted(rows, key=ranks.__getitem__, reverse=down)]

    def _rank(self, value: Any, down: bool) -> tuple[int, Any]:
        """Missing, then what is no number, then numbers; the quirks move the first two up."""
        if value.__class__ is float and value == value:  # the many, first; NaN is no number
            return (2, value)
        if value is None:
            return (9 if self.quirks.missing_first and down else 0, 0)
        if isinstance(value, bool):
            return (2, int(value)) if self.quirks.booleans_as_numbers else (1, "")
        if isinstance(value, str | float):  # text or NaN
            return (3 if self.quirks.strings_above_numbers else 1, str(value))
        return (2, value) if isinstance(value, int) else (1, "")

    # ---------------------------------------------------------------------------------- filters

    def _asked(self, filters: str | None) -> Mask:
        if not filters or self.quirks.filters_ignored:
            return self._all_of({})
        try:
            spec = json.loads(filters, parse_constant=_no_constant)
        except ValueError as error:
            raise BadRequest(f"invalid filters: {error}") from error
        return self._all_of({} if spec is None else spec)

    def _all_of(self, spec: Any) -> Mask:
        if not isinstance(spec, dict):
            raise BadRequest("invalid filters: expected an object")
        key = json.dumps(spec, sort_keys=True)
        if key not in self._masks:
            self._masks[key] = self._both([self._entry(k, value) for k, value in spec.items()])
        return self._masks[key]

    def _both(self, masks: list[Mask]) -> Mask:
        whole = masks[0] if masks else [True] * len(self.runs)
        for mask in masks[1:]:
            whole = list(map(operator.and_, whole, mask))
        return whole

    def _either(self, masks: list[Mask]) -> Mask:
        whole = masks[0] if masks else [False] * len(self.runs)
        for mask in masks[1:]:
            whole = list(map(operator.or_, whole, mask))
        return whole

    def _entry(self, key: str, value: Any) -> Mask:
        if key in ("$and", "$or", "$nor"):
            masks = [self._all_of(part) for part in _listed(key, value)]
            if key == "$and":
                return self._both(masks)
            either = self._either(masks)
            return either if key == "$or" else list(map(operator.not_, either))
        if isinstance(value, dict) and any(name.startswith("$") for name in value):
            if self.quirks.bounds and len(value.keys() & {"$gte", "$gt", "$lte", "$lt"}) > 1:
                return self._bounded(key)
            return self._both([self._condition(key, name, value[name]) for name in value])
        return self._condition(key, "$eq", value)

    def _bounded(self, column: str) -> Mask:
        if self.quirks.bounds == "refused":
            raise BadRequest(f"invalid filters: {column}: one operator was expected")
        return [False] * len(self.runs)

    def _condition(self, column: str, name: str, operand: Any) -> Mask:
        if name == "$not":
            return list(map(operator.not_, self._entry(column, operand)))
        if column in _TIMES:
            return self._time_condition(_TIMES[column], name, operand)
        values = self._column(column)
        if column == "tags" and values is not None:
            return self._tags_condition(values, name, operand)
        check = _check(name, operand, self.quirks)
        return [False] * len(self.runs) if values is None else [check(value) for value in values]

    def _tags_condition(self, tags: list[tuple[str, ...]], name: str, operand: Any) -> Mask:
        """Match a run by its tags: any of them may match, none may where the operator denies."""
        if name == "$exists":
            return [bool(own) == bool(operand) for own in tags]
        positive = {"$ne": "$eq", "$nin": "$in"}.get(name, name)
        check = _check(positive, operand, self.quirks)
        return [any(map(check, own)) == (name == positive) for own in tags]

    def _time_condition(self, attribute: str, name: str, operand: Any) -> Mask:
        times = self._time_column(attribute)
        if name == "$exists":
            return [(time is not EARLIEST) == bool(operand) for time in times]
        if name in ("$in", "$nin"):
            options = [self._time_condition(attribute, "$eq", o) for o in _listed(name, operand)]
            found = self._either(options)
            return found if name == "$in" else list(map(operator.not_, found))
        compare = _COMPARISONS.get(name)
        if compare is None:
            raise BadRequest(f"invalid filters: unknown operator {name}")
        # A time without Z is no error: it matches nothing.
        in_utc = isinstance(operand, str) and _STRICT_TIME.fullmatch(operand)
        bound = moment(operand) if in_utc else None
        if bound is None:
            return [False] * len(times)
        if name in ("$gt", "$gte"):
            return [compare(time, bound) for time in times]
        return [compare(time, bound) and time is not EARLIEST for time in times]

    # ---------------------------------------------------------------------------------- columns

    def _time_column(self, attribute: str) -> list[datetime]:
        """Return the instants of all runs; EARLIEST where there is none."""
        column = self._columns.get(attribute)
        if column is None:
            column = [
                time if time.__class__ is datetime else moment(time) or EARLIEST
                for time in map(operator.attrgetter(attribute), self.runs)
            ]
            if attribute == "updated_at":
                beats = self._time_column("heartbeat_at")
                column = [b if a is EARLIEST else a for a, b in zip(column, beats, strict=True)]
            self._columns[attribute] = column
        return column

    def _column(self, name: str) -> list[Any] | None:
        """Return the values of all runs; None for a key that this server does not filter by."""
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def _read(self, name: str) -> list[Any] | None:
        if name in _COLUMNS:
            return list(map(_COLUMNS[name], self.runs))
        kind, _, key = name.partition(".")
        if kind not in ("summary_metrics", "config") or not key:
            raise BadRequest(f"Unknown column '{name}' in 'where clause'")
        plain = key.removesuffix(".value") if kind == "config" else key
        if self.quirks.slashed_keys_not_filterable and ("/" in plain or "." in plain):
            return None
        folded = self.quirks.keys_without_case
        nested = self.quirks.dotted_keys_are_paths
        if kind == "config":
            configs = [config_values(run.config) for run in self.runs]
            return [at(one, plain, folded, config=True, path_only=nested) for one in configs]
        summaries = [as_object(run.summary) for run in self.runs]
        if folded or "." in plain:
            return [at(summary, plain, folded, path_only=nested) for summary in summaries]
        return [summary.get(plain) for summary in summaries]


def _no_constant(name: str) -> Any:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


def _listed(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest(f"invalid filters: {name} needs a list")
    return value


def _duration(run: StoredRun) -> float | None:
    if run.compute_seconds is not None:
        return run.compute_seconds
    start, end = moment(run.created_at), moment(run.heartbeat_at)
    return None if start is None or end is None else (end - start).total_seconds()


def _check(name: str, operand: Any, quirks: Quirks) -> Check:
    """Return the test of one value; a missing one passes none but `$exists: false`."""
    if name == "$eq":
        return lambda value: _same(value, operand)
    if name == "$ne":
        return lambda value: value is not None and not _same(value, operand)
    if name in _COMPARISONS:
        return _comparison(name, operand, quirks)
    if name == "$exists":
        return lambda value: (value is not None) == bool(operand)
    if name in ("$in", "$nin"):
        options = _listed(name, operand)
        if name == "$in":
            return lambda value: any(_same(value, option) for option in options)
        return lambda value: value is not None and not any(_same(value, o) for o in options)
    if name == "$regex":
        try:
            pattern = re.compile(operand)
        except (re.error, TypeError) as error:
            raise BadRequest(f"invalid filters: $regex: {error}") from error
        return lambda value: isinstance(value, str) and pattern.search(value) is not None
    raise BadRequest(f"invalid filters: unknown operator {name}")


def _same(value: Any, operand: Any) -> bool:
    if value is None or isinstance(value, bool) is not isinstance(operand, bool):
        return False
    return bool(value == operand)


def _comparison(name: str, operand: Any, quirks: Quirks) -> Check:
    """Numbers compare with numbers and text with text; the quirks add to what lies above."""
    compare = _COMPARISONS[name]
    if isinstance(operand, str):
        return lambda value: isinstance(value, str) and compare(value, operand)
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        return lambda _value: False
    text_is_above = quirks.strings_above_numbers and name in ("$gt", "$gte")

    def holds(value: Any) -> bool:
        if value.__class__ is float or value.__class__ is int:
            return compare(value, operand) or (text_is_above and math.isnan(value))
        if isinstance(value, str):
            return text_is_above
        return quirks.booleans_as_numbers and isinstance(value, bool) and compare(value, operand)

    return holds

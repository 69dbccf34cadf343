"""What W&B would refuse in a filter (`where`), or match nothing with, without a word."""

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

from runmetrics.collectors.wandb.metrics.language import STATES
from runmetrics.collectors.wandb.metrics.yaml_lines import Place
from runmetrics.spelling import choose, near, shown
from runmetrics.text import one_line

# The operators that the official client documents for `Api.runs(filters=...)`.
OPERATORS: Final = (
    *("$and", "$or", "$nor", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte"),
    *("$in", "$nin", "$exists", "$regex"),
)
# What W&B's filters are known to go by: the official client's `Api.runs`, and W&B's own pages.
COLUMNS: Final = (
    *("createdAt", "displayName", "duration", "group", "heartbeatAt", "host", "inputArtifacts"),
    *("jobType", "name", "outputArtifacts", "state", "sweep", "tags", "updatedAt", "username"),
)
_COLUMNS_IN_SNAKE_CASE: Final = ("created_at", "display_name")
_KEYED_COLUMNS: Final = ("config", "summary_metrics")
_CLOSE: Final = 0.7
_WHOLE_VALUES: Final = frozenset({"$eq", "$ne", "$in", "$nin"})
_NOT_FINITE: Final = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
_TIMES = {"createdAt", "heartbeatAt", "updatedAt", "created_at", "heartbeat_at", "updated_at"}
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z")


def _inside(where: object, path: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield all that is in a filter, at any depth, by its place."""
    items = where.items() if isinstance(where, Mapping) else ()
    for key, value in enumerate(where) if isinstance(where, list) else items:
        yield (*path, key), value
        yield from _inside(value, (*path, key))


def _columns(where: object, path: Place) -> Iterator[tuple[Place, str, Any]]:
    """Yield (place, name, value) of what a filter compares: what is inside a value is none."""
    for place, value in _inside(where, path):
        *above, key = place[len(path) :]
        outside = all(isinstance(part, int) or str(part).startswith("$") for part in above)
        if outside and isinstance(key, str) and not key.startswith("$"):
            yield place, key, value


def where_faults(where: object, path: Place) -> Iterator[tuple[Place, str]]:
    """Yield what W&B would refuse, or silently match nothing with: (place, what)."""
    for place, value in _inside(where, path):
        key = place[-1]
        is_time = set(place[-3:]) & _TIMES and not isinstance(value, Mapping | list | bool)
        if isinstance(key, str) and (fault := _clause_fault(key, value)):
            yield place, fault
        elif isinstance(value, float) and not math.isfinite(value):
            yield place, "a filter cannot hold NaN or an infinity: use if: {FIELD: {is: nan}}"
        elif is_time and not _INSTANT.fullmatch(str(value)):
            # W&B matches nothing, in silence, where the Z is missing.
            yield place, f"{shown(value)} is not a time in UTC: write it as 2026-01-31T00:00:00Z"


def _clause_fault(key: str, value: object) -> str:
    """Say what is wrong about one key of a filter and its value, but for what is inside."""
    if key in ("$and", "$or", "$nor", "$in", "$nin"):
        right = f"write {key}: {'[x]' if key in ('$in', '$nin') else '[{...}, {...}]'}"
        if value == [] and key != "$nin":
            return f"[] names nothing: {right}"
        return "" if isinstance(value, list) else f"{shown(value)} is not a list: {right}"
    if f"${key}" in OPERATORS or (key.startswith("$") and key not in OPERATORS):
        return f"unknown operator: {choose(key, OPERATORS)}"
    if isinstance(value, list):
        # W&B answers 500 to it, however often it is asked (fact 64).
        right = f"$nin: {shown(value)}" if key == "$ne" else f"$in: {shown(value)}"
        right = right if key.startswith("$") else f"{one_line(key)}: {{{right}}}"
        return f"{shown(value)} is a bare list, which W&B cannot compare with: write {right}"
    if key.startswith("summary."):
        rest = key.removeprefix("summary.")
        return f"a filter names summary keys otherwise: write summary_metrics.{one_line(rest)}"
    return ""


def dotted_names(where: object) -> Iterator[str]:
    """Yield the names in a filter whose key has a dot: config.a.b."""
    for place, _ in _inside(where):
        key = str(place[-1])
        column, _, rest = key.partition(".")
        if column in _KEYED_COLUMNS and "." in rest:
            yield one_line(key)


def unlikely_states(value: object, path: Place) -> Iterator[tuple[Place, str]]:
    """Yield states that are close to a known one: no fault, W&B may report more."""
    for place, word in _words(value, path):
        if word not in STATES and (guess := near(word, STATES)):
            what = f"{shown(word)} is no state that W&B is known to report"
            yield place, f'{what}: did you mean "{guess}"?'


def unlikely_texts(value: object, path: Place, fix: str) -> Iterator[tuple[Place, str]]:
    """Yield texts that spell NaN or an infinity: no fault, a run may have logged the text."""
    for place, word in _words(value, path):
        if _NOT_FINITE.fullmatch(word):
            yield place, f"{shown(word)} is compared as text, not with NaN or an infinity: {fix}"


def _words(value: object, path: Place) -> Iterator[tuple[Place, str]]:
    """Yield what values are compared with as a whole, where that is text: one, or a list."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, word in enumerate(value):
            yield from _words(word, (*path, index))
    elif isinstance(value, Mapping):
        for operator in value.keys() & _WHOLE_VALUES:
            yield from _words(value[operator], (*path, operator))


def unlikely_words(where: object, path: Place) -> Iterator[tuple[Place, str]]:
    """Yield what is probably mistyped: keys, states, NaN, regular expressions: (place, what).

    W&B may know more of each. It refuses some keys that it does not know, and matches nothing with
    others.
    """
    for here, key, value in _columns(where, path):
        name, dot, rest = key.partition(".")
        if name == "state" and not dot:
            yield from unlikely_states(value, here)
        if name in _KEYED_COLUMNS:
            yield from unlikely_texts(value, here, "use if: {FIELD: {is: nan}}")
        known = _KEYED_COLUMNS if dot else (*COLUMNS, *_COLUMNS_IN_SNAKE_CASE)
        guess = "" if name in known else near(name, known, _CLOSE)
        if guess or key in _KEYED_COLUMNS:
            meant = f"{guess}{dot}{one_line(rest)}" if guess else f"{key}.KEY"
            yield here, f'no filter of W&B is known by that name: did you mean "{meant}"?'
        pattern = value.get("$regex", "") if isinstance(value, Mapping) else ""
        if why := _regex_error(pattern):
            what = f"{shown(pattern)} is no regular expression ({why}): W&B may refuse it"
            yield (*here, "$regex"), what


def _regex_error(value: object) -> str:
    """Say why Python cannot read a regular expression; nothing where it can."""
    if not isinstance(value, str):
        return "not text"
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""

"""How a dotted key of a filter or an order finds its value in a summary or a config."""

from collections.abc import Mapping
from typing import Any

_MISSING = object()


def _get(values: Any, key: str, without_case: bool) -> Any:
    """Return the value under one key, the first that fits where case does not matter."""
    if not isinstance(values, Mapping):
        return _MISSING
    if not without_case:
        return values.get(key, _MISSING)
    folded = key.casefold()
    return next((value for k, value in values.items() if k.casefold() == folded), _MISSING)


def at(
    values: Mapping[str, Any],
    key: str,
    without_case: bool,
    *,
    config: bool = False,
    path_only: bool = False,
) -> Any:
    """Return the value under a literal key (not with `path_only`), else along its dots, else None.

    The backend keeps config as {"A": {"value": {"b": 1}}}, so that a nested key of it is written
    A.value.b.
    """
    found = _MISSING if path_only and "." in key else _get(values, key, without_case)
    if found is _MISSING and "." in key:
        head, *rest = key.split(".")
        if config and rest.pop(0) != "value":
            return None
        found = _get(values, head, without_case)
        for part in rest:
            found = _get(found, part, without_case)
    return None if found is _MISSING else found

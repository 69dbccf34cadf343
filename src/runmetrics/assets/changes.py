"""Say what would change, in lines that a person reads before saying yes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_LONGEST = 60
_BEFORE = 15


def differences(there: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """Yield `path: old -> new` for each value of `wanted` that is not so in `there`.

    What only `there` has is the other side's own (ids, times, defaults) and no difference, except
    further items of a list. What is not set, empty, zero or false is all the same: which of them
    is given back is up to the other side.
    """
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        for key, value in wanted.items():
            yield from differences(there.get(key), value, f"{path}.{key}" if path else str(key))
    elif isinstance(there, list) and isinstance(wanted, list):
        if len(there) != len(wanted):
            yield f"{path}: {len(there)} -> {len(wanted)} items"
        for index, (old, new) in enumerate(zip(there, wanted, strict=False)):
            yield from differences(old, new, f"{path}[{index}]")
    elif there != wanted and (there or wanted):
        start = 0
        if isinstance(there, str) and isinstance(wanted, str):
            start = max(0, _same(there, wanted) - _BEFORE)
        yield f"{path}: {_shown(there, start)} -> {_shown(wanted, start)}"


def _same(one: str, other: str) -> int:
    """Return how many characters at the start of both are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _shown(value: Any, start: int) -> str:
    """Return a value on one line; of a long text, the part from `start`."""
    if value is None:
        return "not set"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    cut = isinstance(value, str) and len(value) > _LONGEST
    text = json.dumps(value[start:] if cut else value, ensure_ascii=False, default=str)
    text = f"...{text}" if cut and start else text
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."

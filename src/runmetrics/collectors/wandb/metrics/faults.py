"""Faults of a file in words: what pydantic found, and where it is."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import ErrorDetails

from runmetrics.collectors.wandb.metrics.layout import unknown_key
from runmetrics.collectors.wandb.metrics.yaml_lines import Place
from runmetrics.config.rules import not_text
from runmetrics.spelling import shown
from runmetrics.text import one_line

_WRONG_TYPE: Final = {
    "bool_type": "is neither true nor false: write true or false",
    "list_type": "is not a list: write [one, another]",
    "dict_type": "is not a mapping: write key: value",
    "model_type": "is not a mapping: write key: value",
}
_FOR_EXAMPLE: Final = {"name": "wandb.runs.mine", "path": "acme/llm"}


def explained(error: ErrorDetails) -> tuple[Place, str]:
    """Return a fault that pydantic found in our words: (place, what is wrong and what is right)."""
    place, kind, value = error["loc"], error["type"], error["input"]
    if kind == "value_error":  # of a key itself, pydantic adds "[key]" to its place
        place = place[:-1] if place[-1] == "[key]" else place
        return place, str(error["ctx"]["error"])
    if kind == "extra_forbidden":
        return place, unknown_key(place)
    if kind == "missing":
        return place, f"is missing: write {place[-1]}: {_FOR_EXAMPLE[str(place[-1])]}"
    if kind == "literal_error":
        expected = error["ctx"]["expected"].replace("'", "")
        return place, f"{shown(value)} is not known here: write {expected}"
    if kind == "string_too_short":
        return place, "is empty: write a value, or leave the key out"
    if kind == "string_type":
        return place, not_text(value)
    if kind == "list_type" and place == ("metrics",):
        names = [*value] if isinstance(value, dict) else []
        name = names[0] if names and isinstance(names[0], str) else _FOR_EXAMPLE["name"]
        return place, f"{shown(value)} is not a list: write - name: {one_line(name)}"
    wrong = _WRONG_TYPE.get(kind, error["msg"])
    return place, f"{shown(value)} {wrong}"


def subject(place: Place, raw: Any) -> Iterator[str]:
    """Yield the metric and the key that a place lies in, as a message names them."""
    if place[:1] == ("metrics",) and len(place) > 1:
        entry = raw["metrics"][place[1]]
        name = entry.get("name") if isinstance(entry, dict) else None
        nameable = isinstance(name, str) and name.isprintable() and 0 < len(name) <= 200
        yield str(name) if nameable else f"metrics[{place[1]}]"
        place = place[2:]
    words = [f"[{part}]" if isinstance(part, int) else f".{_printable(part)}" for part in place]
    if words:
        yield "".join(words).removeprefix(".")


def _printable(key: str) -> str:
    return key if key.isprintable() and 0 < len(key) <= 100 else shown(key)

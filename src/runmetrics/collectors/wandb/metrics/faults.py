"""Everything that can be wrong with a file, or is doubtful in it, in words.

What pydantic found is put into our words. Each check reads the raw file, so that one reading finds
everything, and yields (place, what is wrong and what would be right).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic_core import ErrorDetails

from runmetrics.collectors.wandb.fields import GROUPS
from runmetrics.collectors.wandb.metrics.definition import contradictions
from runmetrics.collectors.wandb.metrics.language import folded, tag_name
from runmetrics.collectors.wandb.metrics.layout import PACKS, unknown_key
from runmetrics.collectors.wandb.metrics.where import (
    unlikely_states,
    unlikely_texts,
    unlikely_words,
    where_faults,
)
from runmetrics.collectors.wandb.metrics.yaml_lines import Document, Place
from runmetrics.config.rules import not_text
from runmetrics.spelling import choose, shown
from runmetrics.text import one_line

Said = Iterator[tuple[Place, str]]
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


def contradictory(raw: Mapping[str, Any], document: Document) -> Said:
    """Yield what no key is wrong about alone: names, filters, keys that do not fit each other."""
    yield from where_faults(raw.get("where"), ("where",))
    yield from _tags_twice(raw)
    yield from _metrics(raw, document)
    for index, name in enumerate(items(raw, "packs")):
        if isinstance(name, str) and name not in PACKS:
            yield ("packs", index), f"{shown(name)} is not a pack: {choose(name, PACKS)}"


def doubtful(raw: Mapping[str, Any]) -> Said:
    """Yield what is probably a typing error and may yet be right."""
    yield from _projects_twice(raw)
    yield from unlikely_words(raw.get("where"), ("where",))
    for index, entry in _entries(raw, "metrics"):
        yield from unlikely_states(entry.get("state"), ("metrics", index, "state"))
        yield from unlikely_words(entry.get("where"), ("metrics", index, "where"))
        conditions = entry.get("if")
        for name, tests in conditions.items() if isinstance(conditions, dict) else ():
            for op in {"eq", "ne"}.intersection(tests if isinstance(tests, dict) else ()):
                place = ("metrics", index, "if", name, op)
                yield from unlikely_texts(tests[op], place, "use is: nan or infinite")


def _metrics(raw: Mapping[str, Any], document: Document) -> Said:
    first: dict[str, int] = {}
    for index, entry in _entries(raw, "metrics"):
        place = ("metrics", index)
        for inner, what in contradictions(entry):
            yield (*place, *inner), what
        name = entry.get("name")
        if isinstance(name, str):
            line = document.line((*place, "name"))
            if name in first:
                what = f"stands twice, first on line {first[name]}: give one another name"
                yield (*place, "name"), what
            first.setdefault(name, line)


def unpriced(raw: Mapping[str, Any]) -> Said:
    """Yield metrics that need prices where there are none."""
    if raw.get("gpu_prices"):
        return
    fix = "add gpu_prices: {default: 2.0}, in dollars per GPU hour"
    for index, entry in _entries(raw, "metrics"):
        if entry.get("priced") is True:
            yield ("metrics", index, "priced"), f"there are no prices: {fix}"
    for index, name in enumerate(items(raw, "packs")):
        if name == "cost":
            yield ("packs", index), f"there are no prices: {fix}"


def _tags_twice(raw: Mapping[str, Any]) -> Said:
    """Yield tags of a project that `by` gives a metric too: one value would hide the other."""
    by = [each for _, entry in _entries(raw, "metrics") for each in _one_or_more(entry.get("by"))]
    of_config = [each for each in by if isinstance(each, str) and each.startswith("config.")]
    taken = {folded(tag_name(each)): each for each in (*of_config, *GROUPS)}
    for index, entry in _entries(raw, "projects"):
        tags = entry.get("tags")
        for tag in tags if isinstance(tags, dict) else ():
            if group := taken.get(folded(str(tag))):
                what = f"is the tag that `by: {group}` gives: take another name"
                yield ("projects", index, "tags", tag), what


def _projects_twice(raw: Mapping[str, Any]) -> Said:
    """Yield entries that say what an earlier one says; with other tags they are a fault."""
    entries = [{"path": each} if isinstance(each, str) else each for each in items(raw, "projects")]
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and entry in entries[:index]:
            what = f"{shown(entry.get('path'))} stands twice: keep one of the two"
            yield ("projects", index), what


def _one_or_more(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _entries(raw: Mapping[str, Any], key: str) -> list[tuple[int, dict[str, Any]]]:
    """Return the mappings of a list, each with its place in it."""
    return [(at, each) for at, each in enumerate(items(raw, key)) if isinstance(each, dict)]


def items(raw: Mapping[str, Any], key: str) -> list[Any]:
    """Return the list under a key, or an empty one where there is none."""
    value = raw.get(key)
    return value if isinstance(value, list) else []

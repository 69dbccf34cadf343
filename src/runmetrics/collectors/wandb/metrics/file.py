"""The YAML configuration file: which one is used, what it may hold, and everything wrong with it.

A file is checked whole before anything else happens. Each fault names file, line, metric and key,
what is wrong and what would be right; all of them travel in one ConfigurationError.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pydantic
from pydantic_core import ErrorDetails

from runmetrics.collectors.wandb.fields import GROUPS
from runmetrics.collectors.wandb.metrics.definition import (
    Definition,
    contradictions,
    unlikely_columns,
    where_faults,
)
from runmetrics.collectors.wandb.metrics.language import STATES, folded, tag_name
from runmetrics.collectors.wandb.metrics.layout import PACKS, Layout, unknown_key
from runmetrics.collectors.wandb.metrics.monitors import Monitors
from runmetrics.collectors.wandb.metrics.yaml_lines import Document, Place, YamlFault, read_yaml
from runmetrics.config.file_settings import FileSettings
from runmetrics.errors import ConfigurationError
from runmetrics.spelling import choose, near, shown

DEFAULT_FILE: Final = Path("runmetrics.yaml")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file that was found right: its metric definitions, what scopes them, and its settings.

    `settings` holds only what the file sets, under the names of `Settings`. `builtin` False leaves
    out the ten built-in metrics, `packs` adds further ones, `drop` leaves out single ones of all
    these. `where` is and-ed into every metric. `max_series` bounds what `by` splits a metric into,
    `max_series_total` all series of a collection; `custom_metric_price` is in dollars a month.
    `gpu_prices` is what a GPU hour costs by type.
    `notices` are what is doubtful and no fault, each with its line.
    """

    path: Path
    metrics: tuple[Definition, ...]
    builtin: bool
    drop: tuple[str, ...]
    packs: tuple[str, ...]
    max_series: int
    max_series_total: int | None
    custom_metric_price: float | None
    gpu_prices: Mapping[str, float]
    where: Mapping[str, Any]
    settings: Mapping[str, Any]
    monitors: Monitors
    lines: Mapping[Place, int]
    notices: tuple[str, ...] = ()

    def place(self, place: Place) -> str:
        """Return where something stands, for a message: "runmetrics.yaml:12"."""
        return f"{self.path}:{self.lines[place]}"


def find_config(explicit: Path | None, environ: Mapping[str, str]) -> ConfigFile | None:
    """Read the file that is meant: --config, else RUNMETRICS_CONFIG, else ./runmetrics.yaml.

    None where none was named and the last is not there. ConfigurationError where one was named
    and cannot be read, or where anything in it is wrong.
    """
    named = environ.get("RUNMETRICS_CONFIG", "").strip()
    path = explicit or (Path(named) if named else DEFAULT_FILE)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if explicit is None and not named:
            return None
        fix = "fix the path after --config" if explicit else "fix or unset RUNMETRICS_CONFIG"
        raise ConfigurationError(f"{path}: there is no such file", fix) from None
    except UnicodeDecodeError as error:
        cause = f"{path}: byte {error.start} is not UTF-8"
        raise ConfigurationError(cause, "save the file as UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        cause = f"{path}: cannot be read ({reason})"
        raise ConfigurationError(cause, "name a file that this user may read") from None
    return parse_config(text, path)


@cache
def builtin_metrics() -> ConfigFile:
    """The file of the built-in metrics, which is part of the package."""
    return _packaged("builtin.yaml")


@cache
def pack(name: str) -> ConfigFile:
    """The file of a pack, one of PACKS."""
    return _packaged(f"packs/{name}.yaml")


def _packaged(path: str) -> ConfigFile:
    resource = files("runmetrics.collectors.wandb.metrics").joinpath(path)
    return parse_config(resource.read_text(encoding="utf-8"), Path(path), shipped=True)


def parse_config(text: str, path: Path, *, shipped: bool = False) -> ConfigFile:
    """Check a file's text; ConfigurationError holds everything that is wrong with it.

    A file that is `shipped` with this program leaves the prices to the user's.
    """
    try:
        document = read_yaml(text)
    except YamlFault as fault:
        raise _refusal(path, [f"{path}:{fault.line}: not YAML: {fault.text}"]) from None
    faults = {
        place: f"stands twice, first on line {line}: keep one of the two"
        for place, line in document.doubles.items()
    }
    raw = {} if document.value is None else document.value
    stripped = _without_nulls(raw, (), faults)
    if isinstance(raw, dict):
        unpriced = () if shipped else _unpriced(raw)
        for place, what in (*_across(raw, document), *unpriced):
            faults.setdefault(place, what)
    layout = None
    try:
        layout = Layout.model_validate(stripped)
    except pydantic.ValidationError as error:
        for place, what in map(_explained, error.errors()):
            faults.setdefault(place, what)
    doubts = dict([*_unlikely_states(raw), *_unlikely_filters(raw)])

    def lines(said: Mapping[Place, str]) -> list[str]:
        return [
            ": ".join([f"{path}:{document.line(place)}", *_subject(place, raw), what])
            for place, what in sorted(said.items(), key=lambda item: document.line(item[0]))
        ]

    if faults or layout is None:
        raise _refusal(path, lines(doubts | faults))
    return ConfigFile(
        path=path,
        metrics=tuple(layout.metrics),
        builtin=layout.builtin,
        drop=tuple(layout.drop),
        packs=tuple(layout.packs),
        max_series=layout.max_series,
        max_series_total=layout.max_series_total,
        custom_metric_price=layout.custom_metric_price,
        gpu_prices=layout.gpu_prices,
        where=layout.where,
        settings={
            key: getattr(layout, key)
            for key in FileSettings.model_fields
            if key in layout.model_fields_set
        },
        monitors=layout.monitors,
        lines=document.lines,
        notices=tuple(lines(doubts)),
    )


def _refusal(path: Path, faults: Sequence[str]) -> ConfigurationError:
    count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
    return ConfigurationError(f"{path} has {count}", "fix what is listed", faults)


def _without_nulls(value: Any, place: Place, faults: dict[Place, str]) -> Any:
    """The value without the keys that were left empty, each a fault; a filter may hold nulls."""
    if isinstance(value, list):
        return [_without_nulls(item, (*place, i), faults) for i, item in enumerate(value)]
    if not isinstance(value, dict) or place[-1:] == ("where",):
        return value
    for key in (key for key, child in value.items() if child is None):
        faults.setdefault((*place, key), "has no value: write one, or leave the key out")
    return {
        key: _without_nulls(child, (*place, key), faults)
        for key, child in value.items()
        if child is not None
    }


def _across(raw: Mapping[str, Any], document: Document) -> Iterator[tuple[Place, str]]:
    """What no key is wrong about alone: names, filters, and keys of a metric that do not fit."""
    yield from where_faults(raw.get("where"), ("where",))
    yield from _tags_twice(raw)
    first: dict[str, int] = {}
    for index, entry in enumerate(_list(raw, "metrics")):
        if not isinstance(entry, dict):
            continue
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
    packs = [name for name in _list(raw, "packs") if name in PACKS]
    for index, name in enumerate(_list(raw, "drop")):
        shipped = [builtin_metrics(), *map(pack, packs)]
        known = [metric.name for file in shipped for metric in file.metrics]
        if isinstance(name, str) and name not in known:
            yield ("drop", index), f"{shown(name)} is not built in: {choose(name, known)}"
    for index, name in enumerate(_list(raw, "packs")):
        if isinstance(name, str) and name not in PACKS:
            yield ("packs", index), f"{shown(name)} is not a pack: {choose(name, PACKS)}"


def _unpriced(raw: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Metrics that need prices where there are none."""
    if raw.get("gpu_prices"):
        return
    fix = "add gpu_prices: {default: 2.0}, in dollars per GPU hour"
    for index, entry in enumerate(_list(raw, "metrics")):
        if isinstance(entry, dict) and entry.get("priced") is True:
            yield ("metrics", index, "priced"), f"there are no prices: {fix}"
    for index, name in enumerate(_list(raw, "packs")):
        if name == "cost":
            yield ("packs", index), f"there are no prices: {fix}"


def _tags_twice(raw: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Tags of a project that `by` gives a metric too: one value would hide the other."""
    metrics = [entry for entry in _list(raw, "metrics") if isinstance(entry, dict)]
    by = [each for entry in metrics for each in _one_or_more(entry.get("by"))]
    taken = {folded(tag_name(each)): each for each in (*by, *GROUPS) if isinstance(each, str)}
    for index, entry in enumerate(_list(raw, "projects")):
        tags = entry.get("tags") if isinstance(entry, dict) else None
        for tag in tags if isinstance(tags, dict) else ():
            if group := taken.get(folded(str(tag))):
                what = f"is the tag that `by: {group}` gives: take another name"
                yield ("projects", index, "tags", tag), what


def _unlikely_states(raw: object) -> Iterator[tuple[Place, str]]:
    """States that are close to a known one; no fault, since W&B may report others than it names."""
    for index, entry in enumerate(_list(raw, "metrics") if isinstance(raw, dict) else ()):
        state = entry.get("state") if isinstance(entry, dict) else None
        place: Place = ("metrics", index, "state")
        for i, word in enumerate(_one_or_more(state)):
            guess = near(word, STATES) if isinstance(word, str) and word not in STATES else ""
            if guess:
                what = f"{shown(word)} is no state that W&B is known to report"
                where = (*place, i) if isinstance(state, list) else place
                yield where, f'{what}: did you mean "{guess}"?'


def _unlikely_filters(raw: object) -> Iterator[tuple[Place, str]]:
    """Keys of every `where` that are close to a known one."""
    if isinstance(raw, dict):
        yield from unlikely_columns(raw.get("where"), ("where",))
        for index, entry in enumerate(_list(raw, "metrics")):
            if isinstance(entry, dict):
                yield from unlikely_columns(entry.get("where"), ("metrics", index, "where"))


def _one_or_more(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _list(raw: Mapping[str, Any], key: str) -> list[Any]:
    value = raw.get(key)
    return value if isinstance(value, list) else []


_WRONG_TYPE: Final = {
    "string_type": "is not text: write it in quotes",
    "bool_type": "is neither true nor false: write true or false",
    "list_type": "is not a list: write [one, another]",
    "dict_type": "is not a mapping: write key: value",
    "model_type": "is not a mapping: write key: value",
}


_FOR_EXAMPLE: Final = {"name": "wandb.runs.mine", "path": "acme/llm"}


def _explained(error: ErrorDetails) -> tuple[Place, str]:
    """A fault that pydantic found, in our words: (place, what is wrong and what would be right)."""
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
    wrong = _WRONG_TYPE.get(kind, error["msg"])
    return place, f"{shown(value)} {wrong}"


def _subject(place: Place, raw: Any) -> Iterator[str]:
    """The metric and the key that a place lies in, as a message names them."""
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

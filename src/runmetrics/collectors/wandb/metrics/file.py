"""The YAML configuration file: which one is used, what it may hold, and everything wrong with it.

A file is checked whole before anything else happens. Each fault names file, line, metric and key,
what is wrong and what would be right; all of them travel in one ConfigurationError.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pydantic

from runmetrics.collectors.wandb.metrics.faults import (
    contradictory,
    doubtful,
    explained,
    items,
    subject,
    unpriced,
)
from runmetrics.collectors.wandb.metrics.layout import PACKS, Layout
from runmetrics.collectors.wandb.metrics.yaml_lines import Place, YamlFault, read_yaml
from runmetrics.config.file_settings import FileSettings
from runmetrics.errors import ConfigurationError
from runmetrics.small_file import read_text
from runmetrics.spelling import choose, shown

DEFAULT_FILE: Final = Path("runmetrics.yaml")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file that was found right; `lines` are those of every place in it, counted from 1.

    `notices` are what is doubtful and no fault, each with its line.
    """

    path: Path
    layout: Layout
    lines: Mapping[Place, int]
    notices: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """What the file sets, and no more, under the names of `Settings`."""
        given = [key for key in FileSettings.model_fields if key in self.layout.model_fields_set]
        return {key: getattr(self.layout, key) for key in given}

    def place(self, place: Place) -> str:
        """Return where something stands, for a message: "runmetrics.yaml:12"."""
        return f"{self.path}:{self.lines[place]}"


class FileError(ConfigurationError):
    """A file is wrong; `rest` is what it says without that, where the rest can be judged alone."""

    def __init__(self, path: Path, faults: Sequence[str], rest: ConfigFile | None = None) -> None:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"{path} has {count}", "fix what is listed", faults)
        self.rest = rest


def find_config(explicit: Path | None, environ: Mapping[str, str]) -> ConfigFile | None:
    """Read the file that is meant: --config, else RUNMETRICS_CONFIG, else ./runmetrics.yaml.

    Return None where none was named and the last is not there. Raises ConfigurationError as
    `read_config` does.
    """
    named = environ.get("RUNMETRICS_CONFIG", "").strip()
    if explicit is not None:
        return read_config(explicit, "fix the path after --config")
    if named:
        return read_config(Path(named), "fix or unset RUNMETRICS_CONFIG")
    return read_config(DEFAULT_FILE) if DEFAULT_FILE.exists() else None


def read_config(path: Path, if_missing: str = "name a file that is there") -> ConfigFile:
    """Read a file; ConfigurationError where it cannot be read, or anything in it is wrong."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: there is no such file", if_missing) from None
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
    """Return the file of the built-in metrics, which is part of the package."""
    return _packaged("builtin.yaml")


@cache
def pack(name: str) -> ConfigFile:
    """Return the file of a pack, one of PACKS."""
    return _packaged(f"packs/{name}.yaml")


def pack_of(metric: str) -> str:
    """Return the name of the pack that a metric is in; an empty string where it is in none."""
    packs = (name for name in PACKS if metric in _names(pack(name)))
    return next(packs, "")


def _packaged(path: str) -> ConfigFile:
    resource = files("runmetrics.collectors.wandb.metrics").joinpath(path)
    return parse_config(resource.read_text(encoding="utf-8"), Path(path), shipped=True)


def parse_config(text: str, path: Path, *, shipped: bool = False) -> ConfigFile:
    """Check a file's text; FileError holds everything that is wrong with it.

    A file that is `shipped` with this program leaves the prices to the user's.
    """
    try:
        document = read_yaml(text)
    except YamlFault as fault:
        raise FileError(path, [f"{path}:{fault.line}: not YAML: {fault.text}"]) from None
    faults = {
        place: f"stands twice, first on line {line}: keep one of the two"
        for place, line in document.doubles.items()
    }
    raw = {} if document.value is None else document.value
    stripped = _without_nulls(raw, (), faults)
    doubts: dict[Place, str] = {}
    if isinstance(raw, dict):
        priced = () if shipped else unpriced(raw)
        for place, what in (*contradictory(raw, document), *_dropped(raw), *_nothing(raw), *priced):
            faults.setdefault(place, what)
        doubts = dict(doubtful(raw))
    layout = None
    try:
        layout = Layout.model_validate(stripped)
    except pydantic.ValidationError as error:
        for place, what in map(explained, error.errors()):
            faults.setdefault(place, what)

    def lines(said: Mapping[Place, str]) -> list[str]:
        return [
            ": ".join([f"{path}:{document.line(place)}", *subject(place, raw), what])
            for place, what in sorted(said.items(), key=lambda item: document.line(item[0]))
        ]

    if faults or layout is None:
        sound = _without_faults(stripped, faults)
        rest = None if sound is None else ConfigFile(path, sound, document.lines)
        raise FileError(path, lines(doubts | faults), rest)
    return ConfigFile(path, layout, document.lines, tuple(lines(doubts)))


def _without_faults(raw: object, faults: Iterable[Place]) -> Layout | None:
    """Return what a wrong file says without its wrong metrics, monitors and other keys.

    What might be no fault once those are right is left out, too: it has every pack where one is
    wrong, and nobody is told by a tag where projects are. None where its metrics are no list.
    """
    places = [place for place in faults if place]
    tops = {place[0] for place in places}
    entries = items(raw, "metrics") if isinstance(raw, dict) else []
    if not isinstance(raw, dict) or ("metrics",) in places:
        return None
    wrong = {place[1] for place in places if place[0] == "metrics"}
    unsound = [each for at, each in enumerate(entries) if at in wrong]
    lost = {str(each.get("name")) for each in unsound if isinstance(each, dict)}
    rest = {key: value for key, value in raw.items() if key not in tops}
    rest["packs"] = [*PACKS] if "packs" in tops else _packs(raw)
    rest["metrics"] = [each for at, each in enumerate(entries) if at not in wrong]
    if isinstance(raw.get("monitors"), dict):
        lost |= {str(place[1]) for place in places if place[0] == "monitors" and len(place) > 1}
        rest["monitors"] = {key: said for key, said in raw["monitors"].items() if key not in lost}
        if "projects" in tops:
            rest["monitors"] = _without_notify(rest["monitors"])
    try:
        return Layout.model_validate(rest)
    except pydantic.ValidationError:
        return None


def _without_notify(monitors: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_notify(said) if isinstance(said, dict) else said
        for key, said in monitors.items()
        if key != "notify"
    }


def _without_nulls(value: Any, place: Place, faults: dict[Place, str]) -> Any:
    """Return the value without empty keys, each of them a fault; a filter may hold nulls."""
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


def _dropped(raw: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield names under `drop` that nothing built in has."""
    names = [*enumerate(items(raw, "drop"))]
    if names:
        known = [*_names(builtin_metrics()), *_names_of_packs(raw)]
        for index, name in names:
            if isinstance(name, str) and name not in known:
                yield ("drop", index), f"{shown(name)} is not built in: {choose(name, known)}"


def _nothing(raw: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield the key that leaves no metric at all, where one does."""
    without = raw.get("builtin") is False
    if raw.get("metrics") or not (without or items(raw, "drop")):
        return
    names = [] if without else _names(builtin_metrics())
    if not {*names, *_names_of_packs(raw)}.difference(map(str, items(raw, "drop"))):
        key = "builtin" if without else "drop"
        yield (key,), "leaves nothing to collect: add metrics or packs"


def _names_of_packs(raw: Mapping[str, Any]) -> list[str]:
    return [name for each in _packs(raw) for name in _names(pack(each))]


def _packs(raw: Mapping[str, Any]) -> list[str]:
    """Return the packs that a file names: all that there are where it may mean any of them."""
    named = raw.get("packs", [])
    known = isinstance(named, list) and all(name in PACKS for name in named)
    return named if known else [*PACKS]


def _names(file: ConfigFile) -> list[str]:
    return [metric.name for metric in file.layout.metrics]

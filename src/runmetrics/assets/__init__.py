"""Dashboards, monitors and SLOs: files of this project, found wherever it is installed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from runmetrics.errors import DISK_TAKES_NO_MORE, ConfigurationError, TemporaryError
from runmetrics.small_file import read_text


class Kind(StrEnum):
    """What a file holds; the value is the folder that it is in."""

    DASHBOARD = "datadog/dashboards"
    MONITOR = "datadog/monitors"
    SLO = "datadog/slos"
    GRAFANA = "grafana"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: `path` is relative to where it was found, `text` what it holds, word for word."""

    kind: Kind
    path: Path
    text: str
    document: dict[str, Any]

    @property
    def title(self) -> str:
        """The name that people see."""
        return str(self.document.get("title") or self.document.get("name"))


def home() -> Path:
    """Return the folder of shipped files: beside this module once installed, else devops."""
    installed = Path(__file__).with_name("devops")
    return installed if installed.is_dir() else Path(__file__).parents[3] / "devops"


def find(kind: Kind, directory: Path | None = None) -> list[Asset]:
    """Return the files of a kind, by name: the shipped ones, or what was exported to `directory`.

    Raises ConfigurationError for a file that cannot be read, and where there is none.
    """
    root = directory or home()
    paths = sorted((root / kind).glob("*.json"))
    if not paths:
        raise ConfigurationError(
            f"there is no file {root / kind}/*.json", "export the shipped ones to that directory"
        )
    return [_read(kind, path, root) for path in paths]


def export(assets: Sequence[Asset], directory: Path) -> list[Path]:
    """Write them below `directory`, for `find` to read; what is there already is replaced."""
    written = []
    for asset in assets:
        path = directory / asset.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(asset.text, encoding="utf-8")
        except OSError as error:
            cause = f"cannot write {path} ({error.strerror})"
            if error.errno in DISK_TAKES_NO_MORE:
                raise TemporaryError(cause, "make space, or name another directory") from None
            raise ConfigurationError(cause, "name a directory that is writable") from None
        written.append(path)
    return written


def _read(kind: Kind, path: Path, root: Path) -> Asset:
    try:
        text = read_text(path)
        document = json.loads(text)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path} ({error.strerror})") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is not JSON ({error})", "export it again") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} is not a JSON object", "export it again")
    return Asset(kind, path.relative_to(root), text, document)

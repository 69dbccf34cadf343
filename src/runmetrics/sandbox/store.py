"""What the sandbox's W&B server knows: projects and their runs, in memory."""

import copy
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Moment = datetime | str | None
"""A time as stored: aware, or the very text that the server shows, or nothing."""

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class RunLog:
    """What a client streamed: lines of JSON by stream, and the files it uploaded."""

    history: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class StoredRun:
    """One run. Change its fields at will, but for `id` and `created_at`: add it anew for those.

    `summary`, `config` and `system_metrics` are objects, or the raw text that the server answers
    with (any text at all), or None for null. A config {"lr": 0.1} is served in the backend's form
    {"lr": {"value": 0.1}}. `system_metrics` may also be a function that makes the text when it is
    asked for. An empty `display_name` is served as the id. `updated_at` left out is `heartbeat_at`.
    `stopped` asks the run's client to end it.
    """

    id: str
    state: str = "finished"
    created_at: Moment = None
    heartbeat_at: Moment = None
    summary: Mapping[str, Any] | str | None = field(default_factory=dict)
    config: Mapping[str, Any] | str | None = field(default_factory=dict)
    system_metrics: Mapping[str, Any] | str | Callable[[], str] | None = None
    compute_seconds: float | None = None
    gpu_count: int | None = None
    gpu: str | None = None
    display_name: str = ""
    user: str | None = "someone"
    group: str | None = None
    job_type: str | None = None
    sweep: str | None = None
    host: str | None = None
    tags: tuple[str, ...] = ()
    updated_at: Moment = None
    description: str | None = None
    notes: str | None = None
    history_line_count: int | None = None
    log: RunLog | None = None
    stopped: bool = False


@dataclass(slots=True)
class Sweep:
    """What a sweep's agents ask for: `config` in YAML, and `commands`, one for each heartbeat."""

    config: str = "{}"
    commands: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Project:
    """A project's runs, by id and in the order of their creation."""

    entity: str
    name: str
    created_at: Moment = None
    public: bool = False
    runs: dict[str, StoredRun] = field(default_factory=dict)
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    _in_creation_order: list[StoredRun] | None = None

    def add(self, run: StoredRun) -> None:
        """Add or replace a run."""
        self.runs[run.id] = run
        self._in_creation_order = None

    def remove(self, run_id: str) -> None:
        """Forget a run; KeyError when it is not there."""
        del self.runs[run_id]
        self._in_creation_order = None

    def in_creation_order(self) -> list[StoredRun]:
        """Return all runs, oldest first, those of one instant by id."""
        if self._in_creation_order is None:
            self._in_creation_order = sorted(
                self.runs.values(), key=lambda run: (moment(run.created_at) or EARLIEST, run.id)
            )
        return self._in_creation_order


class Store:
    """Every project, by entity and name."""

    def __init__(self) -> None:
        self.projects: dict[tuple[str, str], Project] = {}

    def project(self, entity: str, name: str) -> Project:
        """Return the project, made when it is not there yet."""
        return self.projects.setdefault((entity, name), Project(entity, name))

    def add(self, entity: str, project: str, *runs: StoredRun) -> None:
        """Add or replace runs; the project comes into being with its first."""
        home = self.project(entity, project)
        for run in runs:
            home.add(run)

    def find(self, entity: str, project: str, run_id: str) -> StoredRun | None:
        """Return the live record of a run; None when it is not there."""
        home = self.projects.get((entity, project))
        return home.runs.get(run_id) if home else None

    def run(self, entity: str, project: str, run_id: str) -> StoredRun:
        """Return the live record of a run; KeyError when it is not there."""
        return self.projects[entity, project].runs[run_id]

    def remove(self, entity: str, project: str, run_id: str) -> None:
        """Delete a run; KeyError when it is not there."""
        self.projects[entity, project].remove(run_id)

    def copy(self) -> "Store":
        """Return a snapshot: runs that change afterwards do not change in it."""
        snapshot = Store()
        for (entity, name), project in self.projects.items():
            twin = snapshot.project(entity, name)
            twin.created_at, twin.public = project.created_at, project.public
            twin.runs = {run.id: copy.copy(run) for run in project.runs.values()}
        return snapshot


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def moment(value: Moment) -> datetime | None:
    """Return the instant of a stored time: UTC where it has no zone, None where it is no time."""
    return _parsed(value) if isinstance(value, str) else value


def shown(value: Moment) -> str | None:
    """Return a stored time as the server writes it: 2026-01-02T03:04:05Z."""
    if value is None or isinstance(value, str):
        return value
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


@functools.lru_cache(maxsize=4096)
def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def as_object(value: Mapping[str, Any] | str | None) -> Mapping[str, Any]:
    """Return a summary or config as an object; raw text that holds none is an empty one."""
    if value.__class__ is dict:  # the many, first
        return value
    return _object(value) if isinstance(value, str) else value or {}


def config_values(config: Mapping[str, Any] | str | None) -> Mapping[str, Any]:
    """Return config keys with their plain values, whichever way they are stored."""
    if not isinstance(config, str):
        return config or {}
    return {
        key: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
        for key, entry in _object(config).items()
    }


def project_keys(
    value: Mapping[str, Any] | str | None, keys: Sequence[str] | None, *, wrap: bool = False
) -> str | None:
    """Return the JSON of the top-level `keys` (None is all); raw text without an object goes as is.

    `wrap` gives each value the form that the backend keeps config in.
    """
    if value is None:
        return None
    whole = as_object(value)
    picked = {key: whole[key] for key in whole if keys is None or key in keys}
    if isinstance(value, str):
        return value if len(picked) == len(whole) else json.dumps(picked)
    return json.dumps({k: {"value": v} for k, v in picked.items()} if wrap else picked)

"""One typed, cleaned record per run, made once from the node that W&B sent.

Whatever the server puts in a node (NaN in three spellings, doubly encoded or empty
summaries, null users and times, dotted, nested and slashed keys), a `Run` holds plain values, and
a part that makes no sense is as if the run did not have it, with a line in `faults`.
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Scalar = float | str | bool
"""A cleaned value: floats may be NaN or infinite; only finite floats are numbers."""

_SPELT_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
ABSENT = object()
"""What `look_up` returns where there is no such key."""

_ENCODINGS = 3
"""A summary may be a JSON string of a JSON string; deeper nesting is junk."""

_MOST_DIGITS = 400
"""Longer integers are beyond a float, and from 4,300 digits on Python refuses to read them."""


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) < _MOST_DIGITS else None


_DECODER = json.JSONDecoder(strict=False)
_PATIENT_DECODER = json.JSONDecoder(strict=False, parse_int=_integer)
"""Asking us about each integer takes most of the time of reading a run, so only where needed."""


@dataclass(frozen=True, slots=True)
class Run:
    """A training run as read at one instant. Times are UTC; `id` is unique in its project."""

    id: str
    display_name: str = ""
    state: str = ""
    created_at: datetime | None = None
    heartbeat_at: datetime | None = None
    compute_seconds: float | None = None
    gpu_count: int | None = None
    gpu_type: str = ""
    gpus_seen: int = 0
    gpu_utilization: float | None = None
    values: Mapping[str, Scalar] = field(default_factory=dict)
    user: str = ""
    group: str = ""
    job_type: str = ""
    sweep: str = ""
    host: str = ""
    tags: tuple[str, ...] = ()
    unreadable: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()

    @property
    def last_sign(self) -> datetime | None:
        """Last sign of life: the last heartbeat, else the creation (it may have died before)."""
        return self.heartbeat_at or self.created_at

    @property
    def duration_seconds(self) -> float | None:
        """Time computed, without a resumed run's idle gaps; else first to last sign of life."""
        if self.compute_seconds is not None and self.compute_seconds > 0:
            return self.compute_seconds
        if self.heartbeat_at is None or self.created_at is None:
            return None
        seconds = (self.heartbeat_at - self.created_at).total_seconds()
        return seconds if seconds >= 0 else None

    def number(self, name: str) -> float | None:
        """The finite number under `name` ("summary.loss"), or None."""
        value = self.values.get(name)
        return value if isinstance(value, float) and math.isfinite(value) else None


def number(value: object) -> float | None:
    """A finite JSON number as a float; None for anything else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def scalar(value: object) -> Scalar | None:
    """A cleaned value, or None for null, objects, arrays and integers too large for a float."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _SPELT_FLOATS.get(value, _text(value))
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def mean(values: Collection[float]) -> float:
    """The arithmetic mean of one finite number or more; it lies between least and greatest."""
    try:
        middle = math.fsum(values) / len(values)
    except OverflowError:
        middle = 2 * math.fsum(value / 2 / len(values) for value in values)
    return min(max(middle, min(values)), max(values))


def parse_time(text: object) -> datetime | None:
    """An ISO 8601 time of the server as aware UTC; one without a zone is UTC; None for junk."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter: before the year 1 or after 9999 in UTC
        return None


def decode_object(text: object) -> dict[str, Any] | None:
    """A JSONString scalar as a dict: null, "" and "null" are empty; None when it is junk.

    Bare NaN tokens and control characters inside are accepted; a doubly encoded string is decoded
    again.
    """
    for _ in range(_ENCODINGS):
        if text is None or text == "":
            return {}
        if not isinstance(text, str):
            break
        try:
            text = _decode(text)
        except (ValueError, RecursionError):
            return None
    if text is None:
        return {}
    return text if isinstance(text, dict) else None


def _decode(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except ValueError:  # junk, or an integer that Python refuses
        return _PATIENT_DECODER.decode(text)


def look_up(mapping: Mapping[str, Any], key: str) -> object:
    """The value under `key`, taken literally first, then as a dotted path; ABSENT if there is none.

    A null that is there is None.
    """
    if key in mapping:
        return mapping[key]
    for position, character in enumerate(key):
        if character == ".":
            inner = mapping.get(key[:position])
            if isinstance(inner, dict):
                found = look_up(inner, key[position + 1 :])
                if found is not ABSENT:
                    return found
    return ABSENT


def unwrapped(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's config as its author wrote it: W&B stores {"lr": {"value": 0.1}}."""
    return {
        key: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
        for key, entry in config.items()
    }


def gpu_samples(system: Mapping[str, Any]) -> tuple[int, float | None]:
    """Distinct GPUs in the last sample of system metrics, and their mean utilization in percent.

    Keys are `system.gpu.N.NAME`, with `/l:LABEL` on multi-node runs (wandb-core monitor.go); a GPU
    is an index under a label. `gpu.process.N` repeats GPUs and is passed over.
    """
    gpus: set[tuple[str, str]] = set()
    utilization: dict[tuple[str, str], float] = {}
    for key, value in system.items():
        key = key.removeprefix("system.")
        if not key.startswith("gpu."):
            continue
        index, _, name = key[4:].partition(".")
        name, _, label = name.partition("/l:")
        if not (index.isdecimal() and name):
            continue
        gpus.add((label, index))
        if name == "gpu" and (percent := number(value)) is not None:
            utilization[label, index] = percent
    return len(gpus), mean(utilization.values()) if utilization else None


def recorded_gpus(environments: object) -> tuple[int | None, str]:
    """GPU count and type that the runs' writers recorded in config `_wandb.e` (old servers).

    One entry per writer, several per host when a run was resumed: the latest of each host counts.
    """
    latest: dict[str, Mapping[str, Any]] = {}
    for entry in environments.values() if isinstance(environments, dict) else ():
        if isinstance(entry, dict) and number(entry.get("gpu_count")):
            host = str(entry.get("host", ""))
            if str(entry.get("startedAt", "")) >= str(latest.get(host, {}).get("startedAt", "")):
                latest[host] = entry
    if not latest:
        return None, ""
    total = sum(int(number(entry["gpu_count"]) or 0) for entry in latest.values())
    return total or None, str(next(iter(latest.values())).get("gpu", "") or "")


def _text(value: object) -> str:
    """Text that can be written anywhere: without halves of characters, which JSON can spell."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _values(
    prefix: str, found: Mapping[str, Any], keys: Iterable[str]
) -> Iterable[tuple[str, Scalar]]:
    for key in keys:
        value = scalar(look_up(found, key))
        if value is not None:
            yield f"{prefix}.{key}", value


def make_run(
    node: Mapping[str, Any],
    *,
    summary_keys: Iterable[str] = (),
    config_keys: Iterable[str] = (),
    system_keys: Iterable[str] = (),
    unreadable: frozenset[str] = frozenset(),
) -> Run:
    """A `Run` from a GraphQL node; keeps just the values under the keys asked for."""
    faults: list[str] = []

    def decoded(part: str) -> dict[str, Any]:
        found = decode_object(node.get(part))
        if found is None:
            faults.append(f"{part} is not a JSON object")
        return found or {}

    def time(part: str) -> datetime | None:
        found = parse_time(node.get(part))
        if found is None and node.get(part) is not None:
            faults.append(f"{part} is not a time")
        return found

    values: dict[str, Scalar] = dict(_values("summary", decoded("summaryMetrics"), summary_keys))
    config = unwrapped(decoded("config"))
    values.update(_values("config", config, config_keys))
    system = decoded("systemMetrics")
    if system_keys:
        bare = {key.removeprefix("system."): value for key, value in system.items()}
        values.update(_values("system", bare, system_keys))
    gpus_seen, utilization = gpu_samples(system)
    info = node.get("runInfo")
    info = info if isinstance(info, dict) else {}
    count, gpu_type = number(info.get("gpuCount")), _text(info.get("gpu"))
    if not count and isinstance(config.get("_wandb"), dict):
        count, gpu_type = recorded_gpus(config["_wandb"].get("e"))
    user, tags = node.get("user"), node.get("tags")
    return Run(
        id=_text(node["name"]),
        display_name=_text(node.get("displayName")),
        state=_text(node.get("state")),
        created_at=time("createdAt"),
        heartbeat_at=time("heartbeatAt"),
        compute_seconds=number(node.get("computeSeconds")),
        gpu_count=int(count) if count and count >= 1 else None,
        gpu_type=gpu_type,
        gpus_seen=gpus_seen,
        gpu_utilization=utilization,
        values=values,
        user=_text(user.get("username")) if isinstance(user, dict) else "",
        group=_text(node.get("group")),
        job_type=_text(node.get("jobType")),
        sweep=_text(node.get("sweepName")),
        host=_text(node.get("host")),
        tags=tuple(filter(None, map(_text, tags))) if isinstance(tags, list) else (),
        unreadable=unreadable,
        faults=tuple(faults),
    )

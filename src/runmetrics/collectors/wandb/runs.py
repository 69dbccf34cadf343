"""One typed, cleaned record per run, made once from the node that W&B sent.

Whatever the server puts in a node (NaN in three spellings, doubly encoded or empty summaries, null
users and times, dotted, nested and slashed keys), a `Run` holds plain values. A part that cannot be
is as if the run did not have it, with a line in `faults`.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from runmetrics.collectors.wandb.gpus import (
    EVERY_GPU,
    gpu_count,
    gpu_samples,
    impossible_utilization,
    recorded_gpus,
)
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.values import (
    FIRST_DAY,
    Fault,
    Scalar,
    decode_object,
    instant,
    lengths,
    number,
    parse_time,
    scalars,
    text,
    time_fault,
    unwrapped,
)

_IMPORTED_AFTER = timedelta(hours=24)
_NO_SUMMARY = Fault("W&B cannot serve summaryMetrics", therefore="they count by their heartbeats")
EXITED = ("finished", "failed")
"""States of runs whose client wrote, at the exit, how long they ran."""


@dataclass(frozen=True, slots=True)
class Run:
    """A training run as read at one instant. Times are UTC; `id` is unique in its project.

    `created_at` and `heartbeat_at` are the server's word; of an `imported` run, which W&B received
    later than it happened, `started_at`, `last_sign` and `duration_seconds` are the run's own.
    `logged_at` is its last log, `logged_seconds` how long it ran until then, `exit_seconds` until
    its exit, `log_count` how often it logged. `values` are by the names of their fields
    ("summary.loss"), `lengths` those of lists in the config, `gpu_values` those of every GPU.
    `unreadable` are the parts that the server could not serve, or has and does not show.
    """

    id: str
    display_name: str = ""
    state: str = ""
    created_at: datetime | None = None
    heartbeat_at: datetime | None = None
    imported: bool = False
    compute_seconds: float | None = None
    exit_seconds: float | None = None
    logged_seconds: float | None = None
    logged_at: datetime | None = None
    log_count: float | None = None
    gpu_count: int | None = None
    gpu_type: str = ""
    gpus_seen: int = 0
    gpu_labels: int = 0
    mixed_labels: bool = False
    gpu_utilization: float | None = None
    gpu_values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    values: Mapping[str, Scalar] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    user: str = ""
    group: str = ""
    job_type: str = ""
    sweep: str = ""
    host: str = ""
    tags: tuple[str, ...] = ()
    unreadable: frozenset[str] = frozenset()
    faults: tuple[Fault, ...] = ()

    @property
    def last_sign(self) -> datetime | None:
        """Last sign of life: the last heartbeat, else the creation (it may have died before)."""
        return self.logged_at if self.imported else self.heartbeat_at or self.created_at

    @property
    def last_beat(self) -> datetime | None:
        """The last heartbeat, of an imported run its last log: None for a run without any."""
        return self.logged_at if self.imported else self.heartbeat_at

    @property
    def started_at(self) -> datetime | None:
        """The creation; of an imported run, when it really began."""
        if self.imported and self.logged_at is not None:
            return self.logged_at - timedelta(seconds=self.own_seconds or 0.0)
        return self.created_at

    @property
    def own_seconds(self) -> float | None:
        """How long the run says that it ran: until its exit, else until its last log."""
        return self.exit_seconds or self.logged_seconds

    @property
    def duration_seconds(self) -> float | None:
        """Time computed, without a resumed run's idle gaps; else until its exit or last heartbeat.

        The client writes the time until the exit only there, so it is of finished and failed runs.
        """
        if self.imported:
            return self.own_seconds
        if (self.compute_seconds or 0.0) > 0:
            return self.compute_seconds
        if self.exit_seconds and self.state in EXITED:
            return self.exit_seconds
        if self.heartbeat_at is None or self.created_at is None:
            return None
        seconds = (self.heartbeat_at - self.created_at).total_seconds()
        return seconds if seconds >= 0 else None

    @property
    def known_gpus(self) -> int | None:
        """GPUs that W&B recorded, else those seen in the system metrics; None without either.

        The record is of one node: samples under the labels of several prove it short.
        """
        if self.gpu_labels > 1:
            return max(self.gpu_count or 0, self.gpus_seen)
        return self.gpu_count or self.gpus_seen or None

    def number(self, name: str) -> float | None:
        """Return the finite number under `name` ("summary.loss"), or None."""
        value = self.values.get(name)
        return value if isinstance(value, float) and math.isfinite(value) else None


def make_run(
    node: Mapping[str, Any],
    selection: Selection,
    now: datetime,
    unreadable: frozenset[str] = frozenset(),
) -> Run:
    """Return a `Run` from a GraphQL node, with the values under the keys of the selection.

    `now` is the server's time, which tells what lies too far ahead.
    """
    part = _Parts(node, now)
    summary, config = part.json("summaryMetrics"), unwrapped(part.json("config"))
    if "summaryMetrics" in unreadable:
        part.faults.append(_NO_SUMMARY)
    own = summary.get("_wandb")
    values = scalars("summary", summary, selection.summary_keys)
    values |= scalars("config", config, selection.config_keys)
    system = part.json("systemMetrics")
    of_every_gpu = {key for key in selection.system_keys if key.startswith(EVERY_GPU)}
    if selection.system_keys:
        bare = {key.removeprefix("system."): value for key, value in system.items()}
        values |= scalars("system", bare, selection.system_keys - of_every_gpu)
    gpus = gpu_samples(system, {key.removeprefix(EVERY_GPU) for key in of_every_gpu})
    part.faults += gpus.faults
    recorded, gpu_type = part.recorded(config)
    user, tags = node.get("user"), node.get("tags")
    run = Run(
        id=text(node["name"]),
        display_name=text(node.get("displayName")),
        state=text(node.get("state")),
        created_at=part.time("createdAt"),
        heartbeat_at=part.time("heartbeatAt"),
        compute_seconds=part.seconds("computeSeconds", node.get("computeSeconds")),
        exit_seconds=part.seconds(
            "summary._wandb.runtime", own.get("runtime") if isinstance(own, dict) else None
        ),
        logged_seconds=part.seconds("summary._runtime", summary.get("_runtime")),
        logged_at=part.moment("summary._timestamp", summary.get("_timestamp")),
        log_count=number(node.get("historyLineCount")),
        gpu_count=recorded,
        gpu_type=gpu_type,
        gpus_seen=gpus.count,
        gpu_labels=gpus.labels,
        mixed_labels=gpus.mixed,
        gpu_utilization=gpus.utilization,
        gpu_values={key: gpus.values[key.removeprefix(EVERY_GPU)] for key in sorted(of_every_gpu)},
        values=dict(part.possible(values)),  # below the parts that it leaves out
        lengths=lengths("config", config, selection.config_keys),
        user=text(user.get("username")) if isinstance(user, dict) else "",
        group=text(node.get("group")),
        job_type=text(node.get("jobType")),
        sweep=text(node.get("sweepName")),
        host=text(node.get("host")),
        tags=tuple(filter(None, map(text, tags))) if isinstance(tags, list) else (),
        unreadable=unreadable,
        faults=tuple(part.faults),
    )
    return dataclasses.replace(run, imported=True) if _is_imported(run) else run


def without(run: Run, parts: frozenset[str]) -> Run:
    """Return a run of which these parts came blank, as one whose parts the server cannot serve."""
    faults = [fault for fault in run.faults if fault.what not in map(_no_object, parts)]
    if "summaryMetrics" in parts:
        faults.append(_NO_SUMMARY)
    return dataclasses.replace(run, unreadable=run.unreadable | parts, faults=tuple(faults))


class _Parts:
    """The parts of a node, read one by one; notes in `faults` what cannot be.

    `impossible` are the names of those parts that a file can name, too: "summary._runtime".
    """

    def __init__(self, node: Mapping[str, Any], now: datetime) -> None:
        self.node, self.now = node, now
        self.faults: list[Fault] = []
        self.impossible: set[str] = set()

    def json(self, name: str) -> dict[str, Any]:
        """Return a part that is a JSON object; empty for junk."""
        found = decode_object(self.node.get(name))
        if found is None:
            self.faults.append(Fault(_no_object(name)))
        return found or {}

    def time(self, name: str) -> datetime | None:
        """Return a part that is a time, and not one far ahead of the server."""
        found = parse_time(self.node.get(name))
        if found is None and self.node.get(name) is not None:
            self._fault(name, "is not a time")
        return self._believed(name, found)

    def moment(self, what: str, value: object) -> datetime | None:
        """Return seconds since 1970 as a time, and not one far ahead of the server."""
        seconds = number(value)
        if seconds is None:
            return None
        if (time := instant(seconds)) is None:
            self._fault(what, "is not a time", f"{seconds:g}", abs(seconds))
        return self._believed(what, time)

    def seconds(self, what: str, value: object) -> float | None:
        """Return a length of time above zero, and not longer than W&B exists."""
        seconds = number(value)
        if not seconds:
            return None
        if 0 < seconds <= (self.now - FIRST_DAY).total_seconds():
            return seconds
        self._fault(what, "is no length of a run", f"{seconds:g} s", abs(seconds))
        return None

    def recorded(self, config: Mapping[str, Any]) -> tuple[int | None, str]:
        """Return the GPU count and type that W&B recorded, of old servers from the config."""
        info = found if isinstance(found := self.node.get("runInfo"), dict) else {}
        gpu_type = text(info.get("gpu"))
        count, *faults = gpu_count(info.get("gpuCount"))
        if count is None and isinstance(config.get("_wandb"), dict):
            count, gpu_type, more = recorded_gpus(config["_wandb"].get("e"), self.now)
            faults += more
        self.faults += filter(None, faults)
        return count, gpu_type

    def possible(self, values: Mapping[str, Scalar]) -> Iterable[tuple[str, Scalar]]:
        """Yield the values without those that cannot be: our own parts, and GPU utilizations."""
        for name, value in values.items():
            source, _, key = name.partition(".")
            found = number(value) if source == "system" else None
            if found is not None and (fault := impossible_utilization(key, found)):
                self.faults.append(fault)
            elif name not in self.impossible:
                yield name, value

    def _believed(self, what: str, time: datetime | None) -> datetime | None:
        """Return a time at which a run can be."""
        if time is None or (fault := time_fault(what, time, self.now)) is None:
            return time
        self.impossible.add(what)
        self.faults.append(fault)
        return None

    def _fault(self, what: str, how: str, shown: str = "", badness: float = 0.0) -> None:
        self.impossible.add(what)
        self.faults.append(Fault(f"{what} {how}", shown, badness))


def _no_object(part: str) -> str:
    return f"{part} is not a JSON object"


def _is_imported(run: Run) -> bool:
    """Return whether W&B received the run later than it happened: synced offline, or imported.

    A host whose clock is a day late logs before the creation too, but for as long as it beats.
    """
    created, beat, logged = run.created_at, run.heartbeat_at, run.logged_at
    if run.state == "running" or created is None or beat is None or logged is None:
        return False
    beaten = max(0.0, (beat - created).total_seconds())
    return created - logged > _IMPORTED_AFTER and (run.own_seconds or 0.0) > 2 * beaten

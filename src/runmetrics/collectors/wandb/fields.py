"""What is worked out of a run, and what runs can be grouped by: one row for each.

RUN_FIELDS holds the numbers that a file calls `run.NAME`, GROUPS the words of `by`. A row says what
has to be read of a run, how the value is found, and what the documentation says of it; the checks
of a file, the reads and the documentation follow from the tables.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runmetrics.collectors.wandb.runs import Run, number
from runmetrics.collectors.wandb.selection import EVERY_RUN, Selection

DEFAULT_MAX_SERIES: Final = 200
"""How many series `by` may split one metric of one project into, unless the file says more."""

_SECONDS_PER_HOUR = 3600.0
_SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What runs alone do not say: W&B's time of the collection, the GPUs per run, and the cap.

    `gpus_per_run` is "auto" (what W&B recorded), a fixed number, or "config.KEY". `max_series` is
    how many series `by` may split a metric into.
    """

    now: datetime
    gpus_per_run: str | float = "auto"
    max_series: int = DEFAULT_MAX_SERIES


@dataclass(frozen=True, slots=True)
class RunField:
    """A number that is worked out of a run; a file calls it `run.NAME`.

    `measure` gets the run, the rules and the beginning of the metric's window (None without one),
    and returns None where the run has no such number; a run without it is said to have no `noun`.
    `needs` is what has to be read of a run; `counts_gpus` adds what its GPUs are counted from.
    `sums_to_zero`: the sum over runs none of which has a number is 0, not unknown.
    """

    name: str
    words: str
    noun: str
    measure: Callable[[Run, Rules, datetime | None], float | None]
    needs: Selection = EVERY_RUN
    counts_gpus: bool = False
    sums_to_zero: bool = False

    def selection(self, gpus_per_run: str | float) -> Selection:
        """Return all that has to be read of a run."""
        return self.needs | gpu_selection(gpus_per_run) if self.counts_gpus else self.needs


@dataclass(frozen=True, slots=True)
class Group:
    """Something that runs are grouped by: `values` are the groups of a run, none or several.

    `part` is the field of a run where they are found; empty for one that is read of every run.
    """

    name: str
    words: str
    values: Callable[[Run], Sequence[str]]
    part: str = ""

    @property
    def selection(self) -> Selection:
        """Return all that has to be read of a run."""
        return Selection(frozenset({self.part} - {""}))


def gpu_selection(gpus_per_run: str | float) -> Selection:
    """Return what has to be read of a run to count its GPUs by the rule of the settings."""
    if isinstance(gpus_per_run, float | int):
        return Selection()
    selection = Selection(frozenset({"runInfo", "systemMetrics"}))
    if gpus_per_run != "auto":
        selection |= Selection(config_keys=frozenset({gpus_per_run.removeprefix("config.")}))
    return selection


def gpus(run: Run, rules: Rules) -> float:
    """GPUs of a run: by the rule of the settings, else as recorded, else as seen, else one."""
    if isinstance(rules.gpus_per_run, float | int):
        return float(rules.gpus_per_run)
    if rules.gpus_per_run != "auto":
        configured = run.number(rules.gpus_per_run)
        if configured is not None and configured > 0:
            return configured
    return float(run.gpu_count or run.gpus_seen or 1)


def _duration_hours(run: Run, _rules: Rules, _since: datetime | None) -> float | None:
    seconds = run.duration_seconds
    return None if seconds is None else seconds / _SECONDS_PER_HOUR


def _gpu_hours(run: Run, rules: Rules, since: datetime | None) -> float | None:
    seconds = run.duration_seconds
    if seconds is None or run.last_sign is None:
        return None
    if since is not None:
        seconds = min(seconds, max(0.0, (run.last_sign - since).total_seconds()))
    return number(gpus(run, rules) * seconds / _SECONDS_PER_HOUR)


def _elapsed(since: datetime | None, now: datetime, unit_seconds: float) -> float | None:
    return None if since is None else max(0.0, (now - since).total_seconds()) / unit_seconds


_COMPUTED = Selection(frozenset({"computeSeconds"}))

RUN_FIELDS: Final = {
    row.name: row
    for row in (
        RunField(
            "duration_hours",
            "hours computed, without the idle gaps of a resumed run; else from creation to last "
            "heartbeat",
            "known duration",
            _duration_hours,
            _COMPUTED,
            sums_to_zero=True,
        ),
        RunField(
            "gpu_hours",
            "GPUs times the duration; with a `window`, only the part of the run that lies in it",
            "known duration",
            _gpu_hours,
            _COMPUTED,
            counts_gpus=True,
            sums_to_zero=True,
        ),
        RunField(
            "gpus",
            "GPUs that W&B recorded, else those seen in the system metrics, else 1 "
            "(`gpus_per_run` changes it)",
            "GPU count",
            lambda run, rules, _: gpus(run, rules),
            counts_gpus=True,
            sums_to_zero=True,
        ),
        RunField(
            "gpu_utilization",
            "mean of the last sample over the run's GPUs, percent",
            "GPU utilization",
            lambda run, *_: run.gpu_utilization,
            Selection(frozenset({"systemMetrics"})),
        ),
        RunField(
            "age_hours",
            "hours since the run was created",
            "time of creation",
            lambda run, rules, _: _elapsed(run.created_at, rules.now, _SECONDS_PER_HOUR),
        ),
        RunField(
            "idle_minutes",
            "minutes since the run's last sign of life",
            "sign of life",
            lambda run, rules, _: _elapsed(run.last_sign, rules.now, _SECONDS_PER_MINUTE),
        ),
    )
}

GROUPS: Final = {
    row.name: row
    for row in (
        Group("user", "who started the run", lambda run: [run.user], "user"),
        Group("group", "the run's group", lambda run: [run.group], "group"),
        Group("job_type", "the run's job type", lambda run: [run.job_type], "jobType"),
        Group("sweep", "the sweep that the run belongs to", lambda run: [run.sweep], "sweepName"),
        Group("state", "the run's state", lambda run: [run.state]),
        Group("host", "the machine that the run logs from", lambda run: [run.host], "host"),
        Group("gpu_type", "the name of the run's GPUs", lambda run: [run.gpu_type], "runInfo"),
        Group(
            "tag", "the run's tags: it counts under each", lambda run: sorted({*run.tags}), "tags"
        ),
        Group("run", "the run's id", lambda run: [run.id]),
    )
}

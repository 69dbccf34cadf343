"""What is worked out of a run, and what runs can be grouped by: one row for each.

RUN_FIELDS holds the numbers that a file calls `run.NAME`, GROUPS the words of `by`. A row says what
has to be read of a run, how the value is found, and what the documentation says of it; the checks
of a file, the reads and the documentation follow from the tables.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runmetrics.collectors.wandb import measures
from runmetrics.collectors.wandb.measures import Rules
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.selection import EVERY_RUN, Selection

Measure = Callable[[Run, Rules, datetime | None], float | None]


def _no_detail(_run: Run, _rules: Rules) -> str:
    return ""


LIFE: Final = Selection(summary_keys=frozenset({"_timestamp", "_runtime", "_wandb"}))
"""What a run's own times are read from, which tell when an imported run happened."""


@dataclass(frozen=True, slots=True)
class RunField:
    """A number that is worked out of a run; a file calls it `run.NAME`.

    `measure` gets the run, the rules and the beginning of the metric's window (None without one),
    and returns None where the run has no such number; a run without it is said to have no `noun`.
    `needs` is what has to be read of a run and has no substitute; `counts_gpus` adds what its GPUs
    are counted from, `timed` what its times are told from. `sums_to_zero`: the sum over runs none
    of which has a number is 0, not unknown. `priceable`: these are GPU hours, which cost money.
    `unit` is that of the number; any is taken where it is empty. `detail` is what `explain` says
    of a run beside its number.
    """

    name: str
    words: str
    noun: str
    measure: Measure
    needs: Selection = EVERY_RUN
    counts_gpus: bool = False
    timed: bool = False
    sums_to_zero: bool = False
    priceable: bool = False
    unit: str = ""
    detail: Callable[[Run, Rules], str] = _no_detail

    def selection(self, gpus_per_run: str | float) -> Selection:
        """Return all that has to be read of a run."""
        gpus = gpu_selection(gpus_per_run) if self.counts_gpus else EVERY_RUN
        return self.needs | gpus | (LIFE if self.timed else EVERY_RUN)


@dataclass(frozen=True, slots=True)
class Group:
    """Something that runs are grouped by: `values` are the groups of a run, none or several.

    `part` is the field of a run where they are found; empty for one that is read of every run.
    Where a run's state alone decides its group, `of_state` returns that of a state.
    """

    name: str
    words: str
    values: Callable[[Run], Sequence[str]]
    part: str = ""
    of_state: Callable[[str], str] | None = None

    @property
    def selection(self) -> Selection:
        """Return all that has to be read of a run."""
        return Selection(frozenset({self.part} - {""}))


def gpu_selection(gpus_per_run: str | float) -> Selection:
    """Return what has to be read of a run to count its GPUs by the rule of the settings."""
    if isinstance(gpus_per_run, float | int):
        return EVERY_RUN
    selection = Selection(frozenset({"runInfo", "systemMetrics"}))
    if gpus_per_run != "auto":
        selection |= Selection(config_keys=frozenset({gpus_per_run.removeprefix("config.")}))
    return selection


_COMPUTED = Selection(frozenset({"computeSeconds"}))
_LAST_LOG = Selection(summary_keys=frozenset({"_timestamp"}))
_LOGS = _LAST_LOG | Selection(frozenset({"historyLineCount"}))


_gpu_hours = functools.partial(
    RunField,
    noun="known duration",
    counts_gpus=True,
    timed=True,
    sums_to_zero=True,
    priceable=True,
    unit="hour",
)

RUN_FIELDS: Final = {
    row.name: row
    for row in (
        RunField(
            "duration_hours",
            "hours computed, without the idle gaps of a resumed run; else until its exit; else "
            "from creation to last heartbeat",
            "known duration",
            measures.duration_hours,
            _COMPUTED,
            timed=True,
            sums_to_zero=True,
            unit="hour",
        ),
        _gpu_hours(
            "gpu_hours",
            "GPUs times the duration; with a `window`, only the part of the run that lies in it",
            measure=measures.gpu_hours,
            needs=_COMPUTED,
        ),
        _gpu_hours(
            "active_gpu_hours",
            "GPU hours that were neither stalled nor of a run that never logged",
            measure=measures.active_gpu_hours,
            needs=_COMPUTED | _LOGS,
        ),
        _gpu_hours(
            "stalled_gpu_hours",
            "GPU hours from the last log to the last sign of life, where that is longer than "
            "`stall_after` and than five times the run's own mean time between logs",
            measure=measures.stalled_gpu_hours,
            needs=_COMPUTED | _LOGS,
            detail=measures.silence_in_words,
        ),
        _gpu_hours(
            "unlogged_gpu_hours",
            "GPU hours of a run that never logged",
            measure=measures.unlogged_gpu_hours,
            needs=_COMPUTED | _LAST_LOG,
        ),
        _gpu_hours(
            "assumed_gpu_hours",
            "GPU hours of a run without a recorded or seen GPU, which is taken for one",
            measure=measures.assumed_gpu_hours,
            needs=_COMPUTED,
        ),
        RunField(
            "gpus",
            "GPUs that W&B recorded, else those seen in the system metrics, else 1 "
            "(`gpus_per_run` changes it)",
            "GPU count",
            lambda run, rules, _: measures.gpus(run, rules),
            counts_gpus=True,
            sums_to_zero=True,
            unit="device",
        ),
        RunField(
            "gpu_utilization",
            "mean of the last sample over the run's GPUs, percent",
            "GPU utilization",
            lambda run, *_: run.gpu_utilization,
            Selection(frozenset({"systemMetrics"})),
            unit="percent",
        ),
        RunField(
            "age_hours",
            "hours since the run was created",
            "time of creation",
            measures.age_hours,
            timed=True,
            unit="hour",
        ),
        RunField(
            "silent_minutes",
            "minutes since the run's last sign of life",
            "sign of life",
            measures.silent_minutes,
            timed=True,
            unit="minute",
        ),
        RunField(
            "silent",
            "1 for a running run that gave no sign of life for `silent_after`, else 0",
            "sign of life",
            measures.silent,
            timed=True,
            unit="fraction",
        ),
        RunField(
            "minutes_since_log",
            "minutes from the run's last log (from its creation if it never logged) to its last "
            "sign of life; of a running run to now",
            "known time of a log",
            measures.minutes_since_log,
            _LAST_LOG,
            timed=True,
            unit="minute",
            detail=measures.silence_in_words,
        ),
        RunField(
            "stalled",
            "1 for a running run that shows life and has logged nothing for `stall_after` and for "
            "five times its own mean time between logs, else 0",
            "known time of a log",
            measures.stalled,
            _LOGS,
            timed=True,
            unit="fraction",
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
        Group("state", "the run's state", lambda run: [run.state], of_state=str),
        Group(
            "outcome",
            "how the run stands now: running, finished, failed (failed, crashed), stopped "
            "(killed, preempted, preempting) or other",
            lambda run: [measures.outcome(run.state)],
            of_state=measures.outcome,
        ),
        Group("host", "the machine that the run logs from", lambda run: [run.host], "host"),
        Group("gpu_type", "the name of the run's GPUs", lambda run: [run.gpu_type], "runInfo"),
        Group(
            "tag", "the run's tags: it counts under each", lambda run: sorted({*run.tags}), "tags"
        ),
        Group("run", "the run's id", lambda run: [run.id]),
    )
}

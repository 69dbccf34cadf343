"""What is worked out of a run: its GPUs, its GPU hours, their parts and price, its silence.

Every measure of a field takes the run, the rules and the beginning of the metric's window (None
without one), and returns None where the run does not say. docs/GPU_HOURS.md has the definitions of
the parts in words, with an example.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.values import number
from runmetrics.config.rules import MOST_GPUS
from runmetrics.text import rough_length

DEFAULT_MAX_SERIES: Final = 200
"""How many series `by` may split one metric of one project into, unless the file says more."""

DEFAULT_PRICE = "default"
"""The entry of the price table for types that no other entry names."""

Prices = Mapping[str, float]
"""Dollars per GPU hour, by a part of the type's name."""

_SECONDS_PER_HOUR = 3600.0
_SECONDS_PER_MINUTE = 60.0
_STALL_INTERVALS = 5
"""A run that logs rarely is stalled after so many of its own mean times between logs."""

_SPELT_NUMBER = re.compile(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*")
_OUTCOMES = {
    "running": "running",
    "finished": "finished",
    **dict.fromkeys(("failed", "crashed"), "failed"),
    **dict.fromkeys(("killed", "preempted", "preempting"), "stopped"),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What runs alone do not say: W&B's time of the collection, and what the settings say.

    `gpus_per_run` is "auto" (what W&B recorded), a fixed number, or "config.KEY". `silent_after`
    and `stall_after` are how long a running run may go without a heartbeat, and without a log.
    `max_series` is how many series `by` may split a metric into, `prices` what a GPU hour costs.
    """

    now: datetime
    gpus_per_run: str | float = "auto"
    max_series: int = DEFAULT_MAX_SERIES
    silent_after: timedelta = timedelta(minutes=10)
    stall_after: timedelta = timedelta(minutes=30)
    prices: Prices = field(default_factory=dict)


def gpus(run: Run, rules: Rules) -> float:
    """Return the GPUs of a run: by the rule of the settings, else as W&B knows them, else one."""
    configured = configured_gpus(run, rules)
    return float(run.known_gpus or 1) if configured is None else configured


def configured_gpus(run: Run, rules: Rules) -> float | None:
    """Return what the settings' rule says of a run: None for "auto" and without a usable value.

    Under a config key a number counts (0.5 is half a GPU), text that spells one, and the length of
    a list; 0 is a run without GPUs.
    """
    rule = rules.gpus_per_run
    if isinstance(rule, float | int):
        return float(rule)
    value = run.lengths.get(rule, run.values.get(rule))
    if isinstance(value, str) and _SPELT_NUMBER.fullmatch(value):
        value = float(value)
    count = number(value)
    return count if count is not None and 0 <= count <= MOST_GPUS else None


def assumes_gpus(run: Run, rules: Rules) -> bool:
    """Return whether nothing says how many GPUs the run has, so that it is taken for one."""
    return run.known_gpus is None and configured_gpus(run, rules) is None


def duration_hours(run: Run, _rules: Rules, _since: datetime | None) -> float | None:
    """Return how long the run lasted, the whole of it."""
    seconds = run.duration_seconds
    return None if seconds is None else seconds / _SECONDS_PER_HOUR


def gpu_hours(run: Run, rules: Rules, since: datetime | None) -> float | None:
    """Return GPUs times the part of the run that lies in the window."""
    return _hours(run, rules, _seconds_in_window(run, since))


def stalled_gpu_hours(run: Run, rules: Rules, since: datetime | None) -> float | None:
    """Return the hours between the last log and the last sign of life, where that is too long."""
    seconds = _seconds_in_window(run, since)
    return _hours(run, rules, seconds and min(seconds, _final_silence(run, rules)))


def unlogged_gpu_hours(run: Run, rules: Rules, since: datetime | None) -> float | None:
    """Return all hours of a run that never logged."""
    hours = gpu_hours(run, rules, since)
    return hours if hours is None or run.logged_at is None else 0.0


def active_gpu_hours(run: Run, rules: Rules, since: datetime | None) -> float | None:
    """Return the hours that were neither stalled nor of a run that never logged."""
    hours = gpu_hours(run, rules, since)
    if hours is None or run.logged_at is None:
        return None if hours is None else 0.0
    return hours - (stalled_gpu_hours(run, rules, since) or 0.0)


def assumed_gpu_hours(run: Run, rules: Rules, since: datetime | None) -> float | None:
    """Return the hours of a run that is taken for one GPU because nothing says how many it has."""
    hours = gpu_hours(run, rules, since)
    return hours if hours is None or assumes_gpus(run, rules) else 0.0


def price(run: Run, rules: Rules) -> float | None:
    """Return the dollars of a GPU hour of the run; None without a GPU, or without a price for it.

    The one GPU that a run is taken for where nothing is known costs nothing that is known.
    """
    return None if assumes_gpus(run, rules) else price_of(run.gpu_type, rules.prices)


def price_of(gpu_type: str, prices: Prices) -> float | None:
    """Return the price of a type: of the longest name that is part of it, case aside.

    None where no name is, and there is no default.
    """
    others = (name for name in prices if name != DEFAULT_PRICE)
    named = [name for name in others if name.casefold() in gpu_type.casefold()]
    longest = max(named, key=lambda name: (len(name), name), default=DEFAULT_PRICE)
    return prices.get(longest)


def age_hours(run: Run, rules: Rules, _since: datetime | None) -> float | None:
    """Return the time since the run began."""
    return _elapsed(run.started_at, rules.now, _SECONDS_PER_HOUR)


def silent_minutes(run: Run, rules: Rules, _since: datetime | None) -> float | None:
    """Return the time since the last sign of life."""
    return _elapsed(run.last_sign, rules.now, _SECONDS_PER_MINUTE)


def minutes_since_log(run: Run, rules: Rules, _since: datetime | None) -> float | None:
    """Return the time from the last log to the last sign of life, of a running run to now.

    A run that never logged is silent from its beginning on. A log before the beginning shows a
    clock that is late, and tells nothing.
    """
    if run.logged_at and run.started_at and run.logged_at < run.started_at:
        return None
    until = rules.now if run.state == "running" else run.last_sign
    since = run.logged_at or run.started_at
    return None if until is None else _elapsed(since, until, _SECONDS_PER_MINUTE)


def silent(run: Run, rules: Rules, _since: datetime | None) -> float | None:
    """Return 1 for a running run that gave no sign of life for `silent_after`, else 0."""
    if run.state != "running":
        return 0.0
    return None if run.last_sign is None else float(rules.now - run.last_sign > rules.silent_after)


def stalled(run: Run, rules: Rules, since: datetime | None) -> float | None:
    """Return 1 for a running run that lives and logged nothing for too long, else 0."""
    if run.state != "running" or silent(run, rules, since) == 1:
        return 0.0
    minutes = minutes_since_log(run, rules, since)
    return None if minutes is None else float(minutes * _SECONDS_PER_MINUTE > _patience(run, rules))


def silence_in_words(run: Run, rules: Rules) -> str:
    """Return how long a run had logged nothing, and since which log."""
    minutes = minutes_since_log(run, rules, None)
    if minutes is None:
        return ""
    since = f"{run.logged_at:%Y-%m-%d %H:%M} UTC" if run.logged_at else "it began"
    length = rough_length(minutes * _SECONDS_PER_MINUTE)
    return f"no log for {length} since {since}"


def outcome(state: str) -> str:
    """Return how a run in this state stands: running, finished, failed, stopped or other."""
    return _OUTCOMES.get(state, "other")


def _seconds_in_window(run: Run, since: datetime | None) -> float | None:
    """Return how much of the run lies in the window, reckoned back from its last sign of life."""
    seconds = run.duration_seconds
    if seconds is None or run.last_sign is None or since is None:
        return None if run.last_sign is None else seconds
    return min(seconds, max(0.0, (run.last_sign - since).total_seconds()))


def _hours(run: Run, rules: Rules, seconds: float | None) -> float | None:
    return None if seconds is None else gpus(run, rules) * seconds / _SECONDS_PER_HOUR


def _final_silence(run: Run, rules: Rules) -> float:
    """Return the seconds from the last log to the last sign of life, 0 where they are few enough.

    The time that a resumed run lay idle is no part of its duration, so it is none of its silence.
    """
    logged, started, last = run.logged_at, run.started_at, run.last_sign
    if logged is None or last is None or (started and logged < started):
        return 0.0
    idle = (last - started).total_seconds() - (run.duration_seconds or 0.0) if started else 0.0
    seconds = (last - logged).total_seconds() - max(0.0, idle)
    return seconds if seconds > _patience(run, rules) else 0.0


def _patience(run: Run, rules: Rules) -> float:
    """Return the seconds without a log after which a run is stalled."""
    interval = (run.logged_seconds or 0.0) / run.log_count if run.log_count else 0.0
    return max(rules.stall_after.total_seconds(), _STALL_INTERVALS * interval)


def _elapsed(since: datetime | None, now: datetime, unit_seconds: float) -> float | None:
    return None if since is None else max(0.0, (now - since).total_seconds()) / unit_seconds

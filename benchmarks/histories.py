"""Histories as projects have them, each hard for a reader in its own way.

A history is a year of runs (runmetrics.sandbox.history), with other summaries, and a server that
ranks what is no number above all numbers, as an untyped index does.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from runmetrics.sandbox.history import fill
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import Store

ENTITY, PROJECT = "pufferai", "metta"

Summary = dict[str, Any]


@dataclass(frozen=True, slots=True)
class History:
    """What becomes of each run's summary, and how the collector is told to read it."""

    title: str
    change: Callable[[Random, Summary], Summary] = lambda _random, summary: summary
    projects: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    quirks: Quirks = field(default_factory=lambda: Quirks(strings_above_numbers=True))


def _diverged(random: Random, summary: Summary) -> Summary:
    if random.random() < 0.02:
        return {**summary, "accuracy": random.choice((math.nan, "NaN")), "loss": math.nan}
    return summary


def _saturated(random: Random, summary: Summary) -> Summary:
    return {**summary, "accuracy": 1.0} if random.random() < 0.6 else summary


def _text(random: Random, summary: Summary) -> Summary:
    if random.random() < 0.9:
        return {**summary, "accuracy": str(summary["accuracy"]), "loss": str(summary["loss"])}
    return summary


def _slashes(_random: Random, summary: Summary) -> Summary:
    return {f"val/{key}" if key in ("accuracy", "loss") else key: summary[key] for key in summary}


HISTORIES = {
    "clean": History("clean", quirks=Quirks()),
    "diverged": History("2 % of the runs diverged: accuracy and loss are NaN", _diverged),
    "saturated": History("60 % of the runs have the accuracy 1.0", _saturated),
    "text": History("90 % of the runs log accuracy and loss as text", _text),
    "slashes": History(
        "the keys are val/accuracy and val/loss",
        _slashes,
        environment={
            "RUNMETRICS_ACCURACY_KEY": "val/accuracy",
            "RUNMETRICS_LOSS_KEY": "val/loss",
        },
    ),
    "projects": History(
        "50 projects, read as entity/*",
        projects=50,
        environment={"RUNMETRICS_PROJECTS": f"{ENTITY}/*"},
        quirks=Quirks(),
    ),
}


def make(name: str, *, runs: int, in_window: int, now: datetime) -> Store:
    """Return a store with `runs` in each project of a history, `in_window` of them this week."""
    history = HISTORIES[name]
    store = Store()
    for number in range(history.projects):
        project = PROJECT if history.projects == 1 else f"{PROJECT}-{number:02}"
        fill(store, ENTITY, project, runs=runs, in_window=in_window, now=now, seed=number)
        random = Random(number)
        for run in store.project(ENTITY, project).runs.values():
            assert isinstance(run.summary, dict)
            run.summary = history.change(random, run.summary)
    return store

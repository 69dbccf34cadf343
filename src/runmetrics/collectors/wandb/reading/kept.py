"""What is kept of the runs of a scan while they are read: all of them, or the best alone.

A run may be read twice, and moves while others are read: the newest of it counts.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Protocol, TypeVar

from runmetrics.collectors.wandb.metrics.language import LIVE_STATES
from runmetrics.collectors.wandb.reading.blank import PartsOfRuns
from runmetrics.collectors.wandb.reading.plan import RankedRead
from runmetrics.collectors.wandb.reading.ranking import Winner, best, is_odd
from runmetrics.collectors.wandb.runs import Run, without
from runmetrics.collectors.wandb.unknown import Unknown, hidden_runs, not_served, unreadable

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Scanned:
    """Every run of a scan that is shown, as all were at one instant; `hidden` more are counted."""

    runs: tuple[Run, ...]
    hidden: int = 0


Winners = dict[RankedRead, Winner | Unknown]


@dataclass(frozen=True, slots=True)
class FullRead:
    """What all runs make of ranked values. `odd` are those of which something is to be said."""

    winners: Winners
    odd: tuple[Run, ...]


class Kept(Protocol[T_co]):
    """Takes the runs of a scan as they arrive."""

    def add(self, run: Run, blank: frozenset[str] = frozenset()) -> None:
        """Take a run of a page; its parts in `blank` show nothing."""

    def close(self, began: datetime) -> None:
        """Be told that what is added from now on is read beside the closing count.

        `began` is when the reading did, by W&B's clock.
        """

    @property
    def count(self) -> int:
        """How many distinct runs there are."""

    @property
    def entered(self) -> int:
        """How many of them the count before the reading cannot have held."""

    @property
    def blank(self) -> PartsOfRuns:
        """The parts that show nothing."""

    def result(self, hidden: int, lost: PartsOfRuns) -> T_co | None:
        """Return what was learned; None where a run that moved took the answer with it.

        `lost` are those of the `blank` parts that W&B has and does not show.
        """


class AllRuns:
    """Keeps every run: about a KB each."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._known: set[str] = set()
        self.blank: dict[str, frozenset[str]] = {}

    def add(self, run: Run, blank: frozenset[str] = frozenset()) -> None:
        known = self._runs.get(run.id)
        if known is None or _beat(run) >= _beat(known):
            self._runs[run.id] = run
            _note_blank(self.blank, run, blank)

    def close(self, began: datetime) -> None:
        self._known = {run.id for run in self._runs.values() if not _is_new(run, began)}

    @property
    def count(self) -> int:
        return len(self._runs)

    @property
    def entered(self) -> int:
        return len(self._runs.keys() - self._known)

    def result(self, hidden: int, lost: PartsOfRuns) -> Scanned:
        for name, parts in lost.items():
            self._runs[name] = without(self._runs[name], parts)
        return Scanned(tuple(self._runs.values()), hidden)


class BestRuns:
    """Keeps the best run of each ranked value, and eight bytes of every other.

    Runs that may well move are held back until the closing: those that live, and those that beat
    at `since` or later.
    """

    def __init__(self, reads: Sequence[RankedRead], since: datetime) -> None:
        self._since = since.timestamp()
        self._began: datetime | None = None
        self._best: dict[RankedRead, Run | None] = dict.fromkeys(reads)
        self._settled = array("q")
        self._held: dict[str, Run] = {}
        self._moved: dict[str, Run] = {}
        self._unreadable: dict[str, Unknown] = {}
        self.blank: dict[str, frozenset[str]] = {}
        self._odd: dict[str, Run] = {}

    def add(self, run: Run, blank: frozenset[str] = frozenset()) -> None:
        _note_blank(self.blank, run, blank)
        if is_odd(run):
            self._odd[run.id] = run
        for part in run.unreadable:
            if why := unreadable([run], part):
                self._unreadable.setdefault(part, why)
        if self._began is not None:
            self._moved[run.id] = run
        elif run.state in LIVE_STATES or _beat(run) >= self._since:
            self._held[run.id] = run
        else:
            self._settled.append(hash(run.id))
            self._compare([run])

    def close(self, began: datetime) -> None:
        self._began = began

    @property
    def count(self) -> int:
        return sum(1 for _ in groupby(sorted(self._settled))) + len(self._unsettled())

    @property
    def entered(self) -> int:
        new = {run.id for run in self._held.values() if _is_new(run, self._began)}
        return len(new | (self._unsettled().keys() - self._held.keys()))

    def result(self, hidden: int, lost: PartsOfRuns) -> FullRead | None:
        if any(run is not None and run.id in self._moved for run in self._best.values()):
            return None
        self._compare([*(self._held | self._moved).values()])
        for name, parts in lost.items():
            for part in parts:
                self._unreadable.setdefault(part, not_served(part, name))
        winners: Winners = {
            read: hidden_runs(hidden)
            if hidden
            else self._unreadable.get(read.part) or Winner(winner)
            for read, winner in self._best.items()
        }
        return FullRead(winners, tuple(self._odd.values()))

    def _compare(self, runs: list[Run]) -> None:
        for read, known in self._best.items():
            self._best[read] = best(read, runs if known is None else [*runs, known])

    def _unsettled(self) -> dict[str, Run]:
        """Return the runs that are held, and those that moved and had not been settled before."""
        found = self._held | self._moved
        names = {hash(name): name for name in found}
        settled = {names[each] for each in self._settled if each in names}
        return {name: run for name, run in found.items() if name not in settled}


def _note_blank(known: dict[str, frozenset[str]], run: Run, blank: frozenset[str]) -> None:
    if blank := blank - run.unreadable:
        known[run.id] = blank
    else:
        known.pop(run.id, None)


def _is_new(run: Run, began: datetime | None) -> bool:
    return began is not None and run.created_at is not None and run.created_at >= began


def _beat(run: Run) -> float:
    sign = run.heartbeat_at or run.created_at
    return sign.timestamp() if sign else -math.inf

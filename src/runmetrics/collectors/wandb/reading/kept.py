"""What is kept of the runs of a scan while they are read: all of them, or what they add up to.

A run may be read twice, and moves while others are read: the newest of it counts.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from runmetrics.collectors.wandb.ids import Ids
from runmetrics.collectors.wandb.metrics.catalog import Metric
from runmetrics.collectors.wandb.metrics.language import LIVE_STATES
from runmetrics.collectors.wandb.reading.blank import PartsOfRuns
from runmetrics.collectors.wandb.reading.newer import NO_CLOCK
from runmetrics.collectors.wandb.reading.plan import RankedRead
from runmetrics.collectors.wandb.reading.ranking import Winner, best
from runmetrics.collectors.wandb.reduce import Reduction
from runmetrics.collectors.wandb.runs import Run, without
from runmetrics.collectors.wandb.tallies import OddRuns
from runmetrics.collectors.wandb.unknown import Unknown, hidden_runs, not_served, unreadable

_HELD_BACK = 2 * NO_CLOCK
"""Runs that beat so lately may show among those that moved; clocks may differ by a minute."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reduced:
    """What the runs of a scan were made of metrics while they passed; `odd` are to be spoken of."""

    count: int
    odd: OddRuns
    reductions: Mapping[Metric, Reduction]


@dataclass(frozen=True, slots=True)
class Scanned:
    """Every run of a scan that is shown, as all were at one instant; `hidden` more are counted.

    Of runs that were `reduced` while they passed, `runs` are those alone that live or that beat
    last: the others are gone.
    """

    runs: tuple[Run, ...]
    hidden: int = 0
    reduced: Reduced | None = None

    @property
    def count(self) -> int:
        """How many runs were read."""
        return self.reduced.count if self.reduced else len(self.runs)

    @property
    def odd(self) -> OddRuns:
        """Those of which something is to be said."""
        return self.reduced.odd if self.reduced else OddRuns(self.runs)


Winners = dict[RankedRead, Winner | Unknown]


@dataclass(frozen=True, slots=True)
class FullRead:
    """What all runs make of ranked values. `odd` are those of which something is to be said."""

    winners: Winners
    odd: OddRuns


class Kept(ABC, Generic[T]):
    """Takes the runs of a scan as they arrive; `blank` are the parts that show nothing."""

    def __init__(self) -> None:
        self.blank: dict[str, frozenset[str]] = {}
        self._closing = False

    @abstractmethod
    def add(self, run: Run, blank: frozenset[str] = frozenset()) -> None:
        """Take a run of a page; its parts in `blank` show nothing."""

    def close(self) -> None:
        """Be told that what is added from now on is read beside the closing count."""
        self._closing = True

    @property
    @abstractmethod
    def count(self) -> int:
        """How many distinct runs there are."""

    @abstractmethod
    def result(self, hidden: int, lost: PartsOfRuns) -> T | None:
        """Return what was learned; None where a run that moved took the answer with it.

        `lost` are those of the `blank` parts that W&B has and does not show.
        """

    def _note_blank(self, run: Run, blank: frozenset[str]) -> None:
        if blank := blank - run.unreadable:
            self.blank[run.id] = blank
        else:
            self.blank.pop(run.id, None)


class AllRuns(Kept[Scanned]):
    """Keeps every run: about a KB each."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: dict[str, Run] = {}

    def add(self, run: Run, blank: frozenset[str] = frozenset()) -> None:
        known = self._runs.get(run.id)
        if known is None or _beat(run) >= _beat(known):
            self._runs[run.id] = run
            self._note_blank(run, blank)

    @property
    def count(self) -> int:
        return len(self._runs)

    def result(self, hidden: int, lost: PartsOfRuns) -> Scanned:
        for name, parts in lost.items():
            self._runs[name] = without(self._runs[name], parts)
        return Scanned(tuple(self._runs.values()), hidden)


class _PassingRuns(Kept[T]):
    """Takes in each run once, and keeps a few bytes of it.

    Runs that may well move are held back until the closing: those that live, and those that beat
    lately. `now` is W&B's time.
    """

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._since = (now - _HELD_BACK).timestamp()
        self._taken = Ids()
        self._held: dict[str, Run] = {}
        self._moved: dict[str, Run] = {}
        """Runs that had been taken as what they no longer are."""

        self._odd = OddRuns()

    def add(self, run: Run, blank: frozenset[str] = frozenset()) -> None:
        self._note_blank(run, blank)
        moves = run.state in LIVE_STATES or _beat(run) >= self._since
        if run.id in self._taken:
            if moves or self._closing:
                self._moved[run.id] = run
        elif run.id in self._held or moves or self._closing:
            self._hold(run)
        else:
            self._taken.add(run.id)
            self._pass([run])

    @property
    def count(self) -> int:
        return len(self._taken) + len(self._held)

    @abstractmethod
    def take(self, run: Run) -> None:
        """Make use of a run."""

    def _hold(self, run: Run) -> None:
        known = self._held.get(run.id)
        if known is None or _beat(run) >= _beat(known):
            self._held[run.id] = run

    def _pass(self, runs: Iterable[Run]) -> None:
        for run in runs:
            self._odd.add(run)
            self.take(run)


class BestRuns(_PassingRuns[FullRead]):
    """Keeps the best run of each ranked value."""

    def __init__(self, reads: Sequence[RankedRead], now: datetime) -> None:
        super().__init__(now)
        self._best: dict[RankedRead, Run | None] = dict.fromkeys(reads)
        self._unreadable: dict[str, Unknown] = {}

    def take(self, run: Run) -> None:
        for part in run.unreadable:
            if why := unreadable([run], part):
                self._unreadable.setdefault(part, why)
        for read, known in self._best.items():
            self._best[read] = best(read, [run] if known is None else [run, known])

    def result(self, hidden: int, lost: PartsOfRuns) -> FullRead | None:
        if any(run is not None and run.id in self._moved for run in self._best.values()):
            return None
        self._pass([*self._held.values(), *self._moved.values()])
        for name, parts in lost.items():
            for part in parts:
                self._unreadable.setdefault(part, not_served(part, name))
        winners: Winners = {
            read: hidden_runs(hidden)
            if hidden
            else self._unreadable.get(read.part) or Winner(winner)
            for read, winner in self._best.items()
        }
        return FullRead(winners, self._odd)


class ReducedRuns(_PassingRuns[Scanned]):
    """Makes metrics of the runs of a whole history while they pass."""

    def __init__(self, reductions: Mapping[Metric, Reduction], now: datetime) -> None:
        super().__init__(now)
        self._reductions = reductions
        self._latest: Run | None = None

    def take(self, run: Run) -> None:
        if self._latest is None or _beat(run) > _beat(self._latest):
            self._latest = run
        for reduction in self._reductions.values():
            reduction.add(run, self.blank.get(run.id, frozenset()))

    def result(self, hidden: int, lost: PartsOfRuns) -> Scanned | None:
        if self._moved:
            return None
        self._pass(self._held.values())
        for name, parts in lost.items():
            self._odd.add(without(Run(name), parts))
            for reduction in self._reductions.values():
                reduction.lose(name, parts)
        last = [self._latest] if self._latest and self._latest.id not in self._held else []
        reduced = Reduced(self.count, self._odd, self._reductions)
        return Scanned((*last, *self._held.values()), hidden, reduced)


def _beat(run: Run) -> float:
    sign = run.heartbeat_at or run.created_at
    return sign.timestamp() if sign else -math.inf

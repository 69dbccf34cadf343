"""Finds the greatest, least or latest run of a whole history, and proves it from both sides.

The backend ignores orders that it does not know, may rank strings above numbers, may not filter
keys with slashes or dots and may match keys without regard to case (facts 11 to 14). So a winner
counts only when the filter `>= value` finds it (the path works) and everything that the server
says lies above is fetched and shown not to be a number under the exact key. What cannot be proven
so is read in full: every run, that key alone.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from runmetrics.collectors.wandb.metrics.catalog import Aggregate
from runmetrics.collectors.wandb.reading.document import Answers, CountAsk, Page, PageAsk
from runmetrics.collectors.wandb.reading.filters import Filter, timestamp
from runmetrics.collectors.wandb.reading.plan import PAGE_SIZE, RankedRead
from runmetrics.collectors.wandb.reading.rounds import Asks, Reader
from runmetrics.collectors.wandb.runs import Run, make_run
from runmetrics.collectors.wandb.unknown import Unknown, unreadable
from runmetrics.collectors.wandb.values import ABSENT, decode_object, look_up, unwrapped

HEAD_SIZE = 50
"""Runs on the first ordered page: more than one, since strings and NaN may come first."""

_ROUNDS = 4
PLAIN_KEY = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Rank = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Winner:
    """The proven holder of a ranked value; no run where nobody has a number under the key."""

    run: Run | None


class NotProven:
    """What the server ranks and filters does not prove a winner: every run has to be read."""


Proof = Winner | Unknown | NotProven


def best(read: RankedRead, runs: Iterable[Run]) -> Run | None:
    """Return the winner among these runs: unlike the server, by numbers and the exact key alone."""
    able = [
        run
        for run in runs
        if rank(read, run) is not None and (not read.states or run.state in read.states)
    ]
    return max(able, key=lambda run: (rank(read, run) or (), run.id), default=None)


def rank(read: RankedRead, run: Run) -> Rank | None:
    """Return what runs are compared by; None for a run that cannot win.

    latest: the later heartbeat, then the later creation (then the greater id). max and min: the
    value, then the earlier creation.
    """
    value = run.number(str(read.field))
    if value is None:
        return None
    created = run.started_at.timestamp() if run.started_at else 0.0
    if read.aggregate is Aggregate.LATEST:
        return (run.last_beat.timestamp(), created) if run.last_beat else None
    return (value if read.aggregate is Aggregate.MAX else -value, -created)


class Extreme:
    """One ranked value: ask `opening`, then `prove` what it brought."""

    def __init__(self, read: RankedRead, now: datetime) -> None:
        self.read = read
        self.now = now
        self._head = PageAsk(read.filter, read.order, HEAD_SIZE, read.selection)
        self._trusted = True

    @property
    def opening(self) -> Asks:
        """The first page in the order that puts the winner on top."""
        return [self._head]

    def prove(self, opened: Answers, also: Iterable[Run] = ()) -> Reader[Proof]:
        """Return the winner among all runs. `also`: runs read elsewhere, which must not beat it."""
        head = opened[self._head]
        if isinstance(head, Unknown):
            return head
        head_runs = self._runs(head)
        if hidden := unreadable(head_runs, self.read.part):
            return hidden
        winner = best(self.read, [*head_runs, *also])
        if winner is None and not head.has_next and self._trusted and self._is_plain():
            return Winner(None)
        for _ in range(_ROUNDS):
            if winner is None or not self._trusted:
                break
            path, above = self._asks(winner)
            answers = yield [path, above]
            found, page = answers[path], answers[above]
            if isinstance(found, Unknown):
                return found
            if isinstance(page, Unknown):
                return page
            above_runs = self._runs(page)
            if hidden := unreadable(above_runs, self.read.part):
                return hidden
            better = best(self.read, [winner, *above_runs])
            if found != 1 or not self._trusted:
                break
            if not page.has_next:
                return Winner(better)
            if better is winner:
                break
            winner = better
        return NotProven()

    def _asks(self, winner: Run) -> tuple[CountAsk, PageAsk]:
        """Does the filter find the winner, and who does the server say lies above?"""
        at_least, above = self._bounds(winner)
        base, selection = self.read.base, self.read.selection
        path = base & Filter.of({"name": winner.id}) & at_least
        return CountAsk(path), PageAsk(base & above, "+created_at", PAGE_SIZE, selection)

    def _bounds(self, winner: Run) -> tuple[Filter, Filter]:
        path, value = self.read.path, winner.number(str(self.read.field))
        match self.read.aggregate:
            case Aggregate.MAX:
                return Filter.of({path: {"$gte": value}}), Filter.of({path: {"$gt": value}})
            case Aggregate.MIN:
                return Filter.of({path: {"$lte": value}}), Filter.of({path: {"$lt": value}})
        since = timestamp((winner.last_beat or _EPOCH) - timedelta(seconds=1))
        exists = Filter.of({path: {"$exists": True}})
        return exists, exists & Filter.of({"heartbeatAt": {"$gt": since}})

    def _runs(self, page: Page) -> list[Run]:
        """Runs of a page; a page with a run that lacks the exact key ends trust in the filter."""
        selection = self.read.selection
        if any(not self._has_key(node) for node in page.nodes):
            self._trusted = False
        return [
            make_run(node, selection, self.now, page.unreadable.get(node["name"], frozenset()))
            for node in page.nodes
        ]

    def _has_key(self, node: Mapping[str, Any]) -> bool:
        found = decode_object(node.get(self.read.part))
        if found is None or self.read.part not in node:
            return True  # junk in that run's summary says nothing about the filter
        found = found if self.read.part == "summaryMetrics" else unwrapped(found)
        return look_up(found, self.read.field.key) is not ABSENT

    def _is_plain(self) -> bool:
        """A key that the server can surely filter: no slash, dot or other sign (fact 13)."""
        return PLAIN_KEY.fullmatch(self.read.field.key) is not None

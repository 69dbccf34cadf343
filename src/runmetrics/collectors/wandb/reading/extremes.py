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
from runmetrics.collectors.wandb.reading.document import (
    Ask,
    CountAsk,
    Filters,
    Page,
    PageAsk,
    both,
    timestamp,
)
from runmetrics.collectors.wandb.reading.plan import PAGE_SIZE, RankedRead, ScanRead
from runmetrics.collectors.wandb.reading.project_client import Asker, Result
from runmetrics.collectors.wandb.reading.scan import Walk
from runmetrics.collectors.wandb.runs import (
    ABSENT,
    Run,
    decode_object,
    look_up,
    make_run,
    unwrapped,
)
from runmetrics.collectors.wandb.unknown import Unknown, unreadable
from runmetrics.errors import RunmetricsError

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
    runs_seen: int = 0


Proof = Winner | Unknown


def best(read: RankedRead, runs: Iterable[Run]) -> Run | None:
    """The winner among these runs: unlike the server, by numbers and the exact key alone."""
    able = [
        run
        for run in runs
        if rank(read, run) is not None and (not read.states or run.state in read.states)
    ]
    return max(able, key=lambda run: (rank(read, run) or (), run.id), default=None)


def rank(read: RankedRead, run: Run) -> Rank | None:
    """What runs are compared by; None for a run that cannot win.

    latest: the later heartbeat, then the later creation (then the greater id). max and min: the
    value, then the earlier creation.
    """
    value = run.number(str(read.field))
    if value is None:
        return None
    created = run.created_at.timestamp() if run.created_at else 0.0
    if read.aggregate is Aggregate.LATEST:
        return (run.heartbeat_at.timestamp(), created) if run.heartbeat_at else None
    return (value if read.aggregate is Aggregate.MAX else -value, -created)


class Prover:
    """One proof: `opening` is asked with other things; `prove` asks more, in full if it must."""

    def __init__(self, asker: Asker, read: RankedRead, now: datetime) -> None:
        self.asker = asker
        self.read = read
        self.now = now
        self._trusted = True

    def opening(self) -> dict[str, Ask]:
        """The first page in the order that puts the winner on top."""
        read = self.read
        return {"head": PageAsk(read.filters, read.order, HEAD_SIZE, read.selection)}

    async def prove(self, opening: Mapping[str, Result], also: Iterable[Run] = ()) -> Proof:
        """The winner among all runs. `also`: runs read elsewhere, which must not beat it."""
        try:
            return await self._prove(opening["head"], also)
        except RunmetricsError as error:
            return Unknown.because(error)

    async def _prove(self, head: Result, also: Iterable[Run]) -> Proof:
        if not isinstance(head, Page):
            return head if isinstance(head, Unknown) else Unknown("W&B answered something else")
        head_runs = self._runs(head)
        if hidden := unreadable(head_runs, self.part):
            return hidden
        winner = best(self.read, [*head_runs, *also])
        if winner is None and not head.has_next and self._trusted and self._is_plain():
            return Winner(None)
        for _ in range(_ROUNDS):
            if winner is None or not self._trusted:
                break
            results = await self.asker.ask(self._asks(winner))
            found, above = results["path"], results["above"]
            if isinstance(found, Unknown) or isinstance(above, Unknown):
                return found if isinstance(found, Unknown) else above  # type: ignore[return-value]
            assert isinstance(above, Page)  # noqa: S101 - a page was asked for
            above_runs = self._runs(above)
            if hidden := unreadable(above_runs, self.part):
                return hidden
            better = best(self.read, [winner, *above_runs])
            if found != 1 or not self._trusted:
                break
            if not above.has_next:
                return Winner(better)
            if better is winner:
                break
            winner = better
        return await self._read_in_full()

    def _asks(self, winner: Run) -> dict[str, Ask]:
        """Does the filter find the winner, and who does the server say lies above?"""
        at_least, above = self._bounds(winner)
        path = both(self.read.base, {"name": winner.id}, at_least)
        page = PageAsk(both(self.read.base, above), "+created_at", PAGE_SIZE, self.read.selection)
        return {"path": CountAsk(path), "above": page}

    def _bounds(self, winner: Run) -> tuple[Filters, Filters]:
        exists = {self.read.path: {"$exists": True}}
        value = winner.number(str(self.read.field))
        match self.read.aggregate:
            case Aggregate.MAX:
                return {self.read.path: {"$gte": value}}, {self.read.path: {"$gt": value}}
            case Aggregate.MIN:
                return {self.read.path: {"$lte": value}}, {self.read.path: {"$lt": value}}
        since = timestamp((winner.heartbeat_at or _EPOCH) - timedelta(seconds=1))
        return exists, both(exists, {"heartbeatAt": {"$gt": since}})

    def _runs(self, page: Page) -> list[Run]:
        """Runs of a page; a page with a run that lacks the exact key ends trust in the filter."""
        selection = self.read.selection
        if any(not self._has_key(node) for node in page.nodes):
            self._trusted = False
        return [
            make_run(
                node,
                summary_keys=selection.summary_keys,
                config_keys=selection.config_keys,
                unreadable=page.unreadable.get(node["name"], frozenset()),
            )
            for node in page.nodes
        ]

    def _has_key(self, node: Mapping[str, Any]) -> bool:
        found = decode_object(node.get(self.part))
        if found is None or self.part not in node:
            return True  # junk in that run's summary says nothing about the filter
        found = found if self.part == "summaryMetrics" else unwrapped(found)
        return look_up(found, self.read.field.key) is not ABSENT

    @property
    def part(self) -> str:
        """The field of a run that holds the ranked values."""
        return "summaryMetrics" if self.read.field.source == "summary" else "config"

    def _is_plain(self) -> bool:
        """A key that the server can surely filter: no slash, dot or other sign (fact 13)."""
        return PLAIN_KEY.fullmatch(self.read.field.key) is not None

    async def _read_in_full(self) -> Proof:
        """Every run of the history, this key alone: dear, and right whatever the index does."""
        scan = ScanRead(self.read.base, None, self.read.selection)
        first = Walk(self.asker, scan, self.now)
        await first.finish(await self.asker.ask(first.opening()))
        walk = await first.settled()
        if isinstance(walk, Unknown):
            return walk
        if hidden := unreadable(walk.runs.values(), self.part):
            return hidden
        return Winner(best(self.read, walk.runs.values()), len(walk.runs))

"""Finds the greatest, least or latest run of a whole history, and proves it from both sides.

The backend ignores orders that it does not know, may rank strings above numbers, may not filter
keys with slashes or dots and may match keys without regard to case (facts 11 to 14). So a first
candidate comes from a page of numbers only. It counts when the filter `>= value` finds it (the
path works) and everything that the server says lies above is counted, fetched and shown not to be
a number under the exact key. A server that cannot compare so is asked by an ordered page instead.
What cannot be proven either way is read in full: every run, that key alone.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from runmetrics.collectors.wandb.metrics.catalog import Aggregate
from runmetrics.collectors.wandb.reading.absence import nobody_has_a_number
from runmetrics.collectors.wandb.reading.document import (
    Answers,
    Asks,
    CountAsk,
    Page,
    PageAsk,
    Reader,
)
from runmetrics.collectors.wandb.reading.filters import Filter, timestamp
from runmetrics.collectors.wandb.reading.plan import GREATEST, PAGE_SIZE, RankedRead
from runmetrics.collectors.wandb.reading.ranking import NotProven, Proof, Winner, best, rows_of
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.tallies import OddRuns
from runmetrics.collectors.wandb.unknown import Unknown, hidden_runs
from runmetrics.errors import ExitCode

HEAD_SIZE = 50
"""Runs on the first page: more than one, since the order may be ignored."""

_ROUNDS = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Extreme:
    """One ranked value: ask `opening`, then `prove` what it brought."""

    def __init__(self, read: RankedRead, now: datetime) -> None:
        self.read = read
        self.now = now
        self._numbers = self._page_of(read.filter)
        self._having = CountAsk(read.base & read.having)
        self.odd = OddRuns()
        """Runs on the pages that were looked at of which something is to be said."""

    @property
    def opening(self) -> Asks:
        """The first page of numbers, in the order that puts the winner on top, and how many
        runs have the key at all.
        """
        return [] if self.read.dotted else [self._numbers, self._having]

    def prove(self, opened: Answers, also: Iterable[Run] = ()) -> Reader[Proof]:
        """Return the winner among all runs. `also`: runs read elsewhere, which must not beat it."""
        if self.read.dotted:
            return NotProven()
        head = opened[self._numbers]
        if not isinstance(head, Unknown):
            empty = not (head.nodes or head.hidden or head.has_next or also)
            if empty and opened[self._having] == 0 and self.read.plain:
                return Winner(None)
            proof = yield from self._climb(self._numbers, head, also, bounded=True)
            if not isinstance(proof, NotProven) or proof.for_good:
                return proof
        elif head.code is not ExitCode.CONFIGURATION:  # the server does not refuse the bounds
            return head
        anything = self._page_of(self.read.base & self.read.having)
        head = (yield [anything]).known(anything)
        return (yield from self._climb(anything, head, also, bounded=False))

    def seen(self, opened: Answers) -> list[Run]:
        """Return the runs that the opening showed."""
        if self.read.dotted or isinstance(page := opened[self._numbers], Unknown):
            return []
        return list(page.runs(self.read.selection, self.now))

    def _page_of(self, runs: Filter) -> PageAsk:
        return PageAsk(runs, self.read.order, HEAD_SIZE, self.read.selection)

    def _climb(
        self, listing: PageAsk, head: Page, also: Iterable[Run], *, bounded: bool
    ) -> Reader[Proof]:
        """Go from the best of a page to the best of what lies above it, until nothing does.

        `head` came for `listing`.
        """
        rows = rows_of(self.read, head, self.now)
        self.odd.update(OddRuns(rows.runs))
        winner = best(self.read, [*rows.runs, *also])
        if winner is None:
            found = yield from nobody_has_a_number(
                *(self.read, listing, head, self.now), bounded=bounded
            )
            if isinstance(found, Page):
                return (yield from self._climb(listing, found, also, bounded=bounded))
            return found
        if rows.foreign:
            return NotProven(for_good=True)
        missed = False
        for _ in range(_ROUNDS):
            path, above, listing = self._asks(winner, bounded=bounded)
            answers = yield [path, above, listing]
            counted, page = answers.known(above), answers.known(listing)
            rows = rows_of(self.read, page, self.now)
            self.odd.update(OddRuns(rows.runs))
            if rows.foreign or answers.known(path) != 1:
                return NotProven(for_good=rows.foreign)
            if rows.blank:
                return rows.blank
            better = best(self.read, [winner, *rows.runs]) or winner
            if page.has_next and better is winner:
                return NotProven()
            hidden = max(counted - len(rows.runs), page.hidden)
            if not page.has_next and hidden <= 0:
                return Winner(better)
            if not page.has_next and missed:
                return hidden_runs(hidden)
            winner, missed = better, not page.has_next
        return NotProven()

    def _asks(self, winner: Run, *, bounded: bool) -> tuple[CountAsk, CountAsk, PageAsk]:
        """Return what asks whether the filter finds the winner, and how many and who lie above."""
        at_least, above = self._bounds(winner, bounded=bounded)
        path = self.read.base & Filter.of({"name": winner.id}) & at_least
        above = self.read.base & above
        listing = PageAsk(above, "+created_at", PAGE_SIZE, self.read.selection)
        return CountAsk(path), CountAsk(above), listing

    def _bounds(self, winner: Run, *, bounded: bool) -> tuple[Filter, Filter]:
        path, value = self.read.path, winner.number(str(self.read.field))
        match self.read.aggregate:
            case Aggregate.MAX:
                end = {"$lte": GREATEST} if bounded else {}
                return Filter.of({path: {"$gte": value, **end}}), Filter.of(
                    {path: {"$gt": value, **end}}
                )
            case Aggregate.MIN:
                end = {"$gte": -GREATEST} if bounded else {}
                return Filter.of({path: {"$lte": value, **end}}), Filter.of(
                    {path: {"$lt": value, **end}}
                )
        able = self.read.numbers if bounded else self.read.having
        since = timestamp((winner.last_beat or _EPOCH) - timedelta(seconds=1))
        return able, able & Filter.of({"heartbeatAt": {"$gt": since}})

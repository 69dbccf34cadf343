"""Reads every run of a scan exactly once from a project that moves, and knows whether it did.

Runs are read in order of creation, which does not move, and from time to time rather than from
offset to offset, which would skip a run for each one that is deleted. The first document counts
the runs and brings the first page; what is left is cut into slices of creation time that are read
side by side. Runs are told apart by id. What moved while several pages were read is read again at
the end, in one document with the count, so that all runs are as they were at one instant, and as
many as the server counted then. Those created before the reading are held to counts of their own:
were some missed and as many deleted, the sums would agree all the same.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from runmetrics.collectors.wandb.reading.blank import blank_parts, not_shown
from runmetrics.collectors.wandb.reading.document import (
    Answers,
    Asks,
    CountAsk,
    Page,
    PageAsk,
    Reader,
)
from runmetrics.collectors.wandb.reading.filters import created_between, created_since
from runmetrics.collectors.wandb.reading.kept import Kept
from runmetrics.collectors.wandb.reading.newer import NO_CLOCK, Newer
from runmetrics.collectors.wandb.reading.plan import PAGE_SIZE, ScanRead
from runmetrics.collectors.wandb.reading.slices import cut
from runmetrics.collectors.wandb.reading.unproven import (
    EMPTY_PAGE,
    ENDLESS,
    RESUMED,
    disagreement,
    rows_without_run,
)
from runmetrics.collectors.wandb.unknown import Disagreement, Unknown
from runmetrics.collectors.wandb.values import parse_time
from runmetrics.errors import RunmetricsError
from runmetrics.plugins import Progress, no_progress

_ORDER = "+created_at"
_DATE_RESOLUTION = timedelta(seconds=2)
"""How far back from our start to look for runs that moved, where W&B's clock is known."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Read:
    """What is kept of a page: `last` is the creation time it ends at, None if it is not in order.

    `last` is in whole seconds, as filters are; an empty page has none either.
    """

    rows: int
    last: datetime | None
    end_cursor: str | None
    has_next: bool


class Scan(Generic[T]):
    """One reading of a scan: ask `opening`, then read the `slices`, then `close` it.

    `keep` makes what takes the runs as they arrive, and says at the end what was learned.
    """

    def __init__(
        self,
        read: ScanRead,
        now: datetime,
        keep: Callable[[], Kept[T]],
        progress: Progress = no_progress,
        *,
        by_cursor: bool = False,
    ) -> None:
        self.read = read
        self.now = now
        self.filter = read.filter(now)
        self._count = CountAsk(self.filter)
        self._first = PageAsk(self.filter, _ORDER, PAGE_SIZE, read.selection)
        self._newer = Newer(self.filter, now)
        self._later = [
            (time, CountAsk(self.filter & created_since(time))) for time in read.boundaries(now)
        ]
        self._keep = keep
        self._kept = keep()
        self._progress = progress
        self._by_cursor = by_cursor
        self._began = datetime.now(UTC)
        self._rest: list[PageAsk] = []
        self._pages = 0
        self._rows = 0
        self._rows_without_run = 0
        self._before = 0
        self._newer_before: int | Unknown = 0
        self._end_unseen = False
        self._broken: Unknown | None = None

    @property
    def opening(self) -> Asks:
        """The first document: the counts, the first page, and counts to cut slices by."""
        return [self._count, self._newer.count, self._first, *(count for _, count in self._later)]

    @property
    def slices_with_closing(self) -> int:
        """How many slices are left to be read with the closing."""
        return len(self._rest)

    def slices(self, opened: Answers, with_closing: int = 0) -> Sequence[Reader[None]]:
        """Take the first page; return the readers of what is left.

        Where that is `with_closing` slices at most, they are left to the closing.
        """
        count, page = opened[self._count], opened[self._first]
        if isinstance(count, Unknown):
            self._break(count)
            return []
        if isinstance(page, Unknown):
            self._break(page)
            return []
        self._before, self._newer_before = count, opened[self._newer.count]
        if not page.nodes and page.has_next:
            return [self._follow(self._first)]
        rows = len(page.nodes)
        read = self._absorb(page)
        left = count - rows
        if left <= 0 or read.last is None or not read.has_next or self._by_cursor:
            return [self._follow(self._first, read)] if read.has_next or self._by_cursor else []
        boundaries = [
            (time, later)
            for time, ask in self._later
            if not isinstance(later := opened[ask], Unknown)
        ]
        asks = [
            dataclasses.replace(self._first, filter=self.filter & created)
            for created in cut(read.last, self.now, left, rows, boundaries)
        ]
        if len(asks) > with_closing:
            return [self._follow(ask) for ask in asks]
        self._rest = asks
        return []

    def close(self, clock_offset_seconds: float | None) -> Reader[T | Unknown]:
        """Return what was learned if it is proven; else what one more reading learned, if that is.

        The second one goes by cursors, in case the server does not keep to the order of creation.
        `clock_offset_seconds` is W&B's clock less ours, None where it is not known.
        """
        found = yield from self._closed(clock_offset_seconds)
        if isinstance(found, Disagreement):
            again = Scan(self.read, self.now, self._keep, self._progress, by_cursor=True)
            opened = yield again.opening
            for pages in again.slices(opened):
                yield from pages
            found = yield from again._closed(clock_offset_seconds)
        return found

    def _closed(self, clock_offset_seconds: float | None) -> Reader[T | Unknown]:
        """Bring all runs to one instant, and count them at that instant.

        One page and its count came in one document. After several pages, the runs that showed
        life meanwhile are read again beside the count, so that all are as they are then. No clock
        is asked which runs were created meanwhile: that page holds all since a boundary, and of
        those before it as many must be lacking at the end as the first counts lacked.
        """
        if self._broken:
            return self._broken
        all_shown = self._kept.count == self._before and not self._rows_without_run
        if self._pages == 1 and not self._rest and all_shown:
            return (yield from self._learned(self._before))
        if isinstance(self._newer_before, Unknown):
            return self._newer_before
        blind = clock_offset_seconds is None
        began = self._began + timedelta(seconds=clock_offset_seconds or 0.0)
        moved = self._newer.and_beating_since(began - (NO_CLOCK if blind else _DATE_RESOLUTION))
        closing = dataclasses.replace(self._first, filter=moved)
        asks: Asks = [self._count, self._newer.count, closing]
        answers = yield [*self._rest, *asks]
        if (yield from self._took_rest(answers)):
            answers = yield asks
        after, newer = answers.known(self._count), answers.known(self._newer.count)
        page = answers.known(closing)
        lacked = self._before - self._newer_before - self._older
        self._kept.close()
        yield from self._follow(closing, self._absorb(page))
        if self._broken:
            return self._broken
        shown = self._kept.count
        lacks = after - newer - self._older
        steady = lacks == lacked and self._newer.read <= newer
        # Twice not shown where all is counted, and no page can have ended too early.
        hidden = self._by_cursor and not self._end_unseen and 0 < shown < after
        if steady and shown == after and self._rows_without_run:
            return rows_without_run(after)
        if steady and (shown == after or hidden):
            return (yield from self._learned(after))
        return disagreement(self._before, after, shown, steady=steady)

    @property
    def _older(self) -> int:
        """How many of the runs that were read were created before the boundary."""
        return self._kept.count - self._newer.read

    def _learned(self, counted: int) -> Reader[T | Unknown]:
        lost = yield from not_shown(self.read.selection, self._kept.blank)
        found = self._kept.result(counted - self._kept.count, lost)
        return found if found is not None else RESUMED

    def _took_rest(self, answers: Answers) -> Reader[bool]:
        """Take the slices that came with the closing; return whether they were longer than that."""
        longer = False
        for ask in self._rest:
            page = answers[ask]
            if isinstance(page, Unknown):
                self._break(page)
            elif page.has_next:
                longer = True
                empty = not page.nodes  # worth a second look
                yield from self._follow(ask, None if empty else self._absorb(page))
            else:
                self._absorb(page)
        return longer

    def _follow(self, ask: PageAsk, read: _Read | None = None) -> Reader[None]:
        """Read a slice to its end, from `read` where its first page is known already.

        The next page begins at the creation time where the last one ended: a cursor is an offset,
        and would skip a run for each one that was deleted meanwhile. Only within one second, and
        where the server does not keep the order, there is nothing but the cursor. A second reading
        goes by cursors; where it ends too early, it looks for what was created later.
        """
        whole, begin, seen = ask, None, {ask.after}
        try:
            while not self._broken:
                read = read or (yield from self._page(ask))
                if read is None or not (read.has_next or self._lacks_runs()):
                    return
                last = None if self._by_cursor and read.has_next else read.last
                if last is not None and (begin is None or last > begin):
                    begin, seen = last, {None}
                    later = whole.filter & created_between(begin, None)
                    ask = dataclasses.replace(whole, filter=later)
                elif not read.has_next:
                    self._end_unseen = self._end_unseen or (bool(read.rows) and last is None)
                    return
                elif read.end_cursor is None or read.end_cursor in seen:
                    self._break(ENDLESS)
                else:
                    seen.add(read.end_cursor)
                    ask = dataclasses.replace(ask, after=read.end_cursor)
                read = None
        except RunmetricsError as error:
            self._break(Unknown.because(error))

    def _lacks_runs(self) -> bool:
        """Return whether a second reading does not have all runs that were counted."""
        return self._by_cursor and self._kept.count < self._before

    def _page(self, ask: PageAsk) -> Reader[_Read | None]:
        for _ in range(2):
            page = (yield [ask])[ask]
            if isinstance(page, Unknown):
                self._break(page)
                return None
            if page.nodes or not page.has_next:
                return self._absorb(page)
        self._break(EMPTY_PAGE)
        return None

    def _absorb(self, page: Page) -> _Read:
        runs = page.runs(self.read.selection, self.now)
        for node, run in zip(page.nodes, runs, strict=True):
            self._newer.add(node)
            self._kept.add(run, blank_parts(node))
        self._rows += len(page.nodes)
        self._rows_without_run += page.hidden
        read = _Read(len(page.nodes), _last_in_order(page), page.end_cursor, page.has_next)
        page.nodes.clear()  # raw rows are many times the size of the runs made of them
        self._pages += 1
        self._progress(min(self._rows, self._before), self._before)
        return read

    def _break(self, why: Unknown) -> None:
        self._broken = self._broken or why


def _last_in_order(page: Page) -> datetime | None:
    """Return the creation time of a page's last run; None where the page is not in that order."""
    times = [parse_time(node.get("createdAt")) for node in page.nodes]
    known = [time for time in times if time is not None]
    if len(known) != len(times) or known != sorted(known):
        return None
    return known[-1].replace(microsecond=0) if known else None

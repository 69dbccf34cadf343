"""Reads every run of a scan exactly once from a project that moves, and knows whether it did.

Runs are walked in order of creation, which does not move, and from time to time rather than from
offset to offset, which would skip a run for each one that is deleted. The first document counts
the runs and brings the first page; what is left is cut into slices of creation time that are read
side by side. Runs are told apart by id. What moved while several pages were read is read again at
the end, in one document with the count, so that all runs are as they were at one instant, and as
many as the server counted then.
"""

import asyncio
import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runmetrics.collectors.wandb.reading.document import (
    Ask,
    CountAsk,
    Page,
    PageAsk,
    both,
    timestamp,
)
from runmetrics.collectors.wandb.reading.plan import PAGE_SIZE, ScanRead
from runmetrics.collectors.wandb.reading.project_client import Asker, Result
from runmetrics.collectors.wandb.reading.slices import between, cut
from runmetrics.collectors.wandb.runs import Run, make_run, parse_time
from runmetrics.collectors.wandb.unknown import Disagreement, Unknown
from runmetrics.errors import RunmetricsError

Progress = Callable[[int, int], None]
"""Told how many runs were read, and how many there will be."""

_ORDER = "+created_at"
_SLICES_WITH_CLOSING = 2
"""So few go into one document with what is asked last."""

_DATE_RESOLUTION = timedelta(seconds=2)
_NO_CLOCK = timedelta(seconds=61)
"""How far back from our start to look for runs that moved: where W&B's clock is known, or not."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What is kept of a page: `last` is the creation time it ends at, None if it is not in order.

    `last` is in whole seconds, as filters are.
    """

    rows: int
    last: datetime | None
    end_cursor: str | None
    has_next: bool


class Walk:
    """One reading of a scan: `opening` is asked with other things, `finish` reads the rest.

    `runs` holds what was read, by id. `broken` says why the reading could not be finished.
    """

    def __init__(
        self,
        asker: Asker,
        scan: ScanRead,
        now: datetime,
        progress: Progress = lambda _done, _total: None,
        *,
        by_cursor: bool = False,
    ) -> None:
        self.asker = asker
        self.scan = scan
        self.filters = scan.filters(now)
        self.boundaries = scan.boundaries(now)
        self.now = now
        self.runs: dict[str, Run] = {}
        self.broken: Unknown | None = None
        self.before = 0
        self._began = datetime.now(UTC)
        self._pages = 0
        self._entered = 0
        self._after: int | None = None
        self._progress = progress
        self._by_cursor = by_cursor

    def opening(self) -> dict[str, Ask]:
        """The first document: the count, the first page, and counts to cut slices by."""
        later = {
            f"b{index}": CountAsk(both(self.filters, {"createdAt": {"$gte": timestamp(time)}}))
            for index, time in enumerate(self.boundaries)
        }
        return {"n": CountAsk(self.filters), "p": self._page(), **later}

    async def finish(self, opening: Mapping[str, Result]) -> None:
        """Read what the first page left."""
        count, page = opening["n"], opening["p"]
        if not isinstance(count, int) or not isinstance(page, Page):
            self._break(page if isinstance(count, int) else count)
            return
        self.before = count
        if not page.nodes and page.has_next:
            await self._follow(self._page())
            return
        read = self._absorb(page)
        left = self.before - read.rows
        if left <= 0 or read.last is None or not read.has_next or self._by_cursor:
            await self._follow(self._page(), read)
            return
        counts = [opening[f"b{index}"] for index in range(len(self.boundaries))]
        counted = [
            (time, count)
            for time, count in zip(self.boundaries, counts, strict=True)
            if isinstance(count, int)
        ]
        slices = [
            dataclasses.replace(self._page(), filters=both(self.filters, created))
            for created in cut(read.last, self.now, left, read.rows, counted)
        ]
        if len(slices) <= _SLICES_WITH_CLOSING:
            await self._finish_at_once(slices)
            return
        gate = asyncio.Semaphore(self.asker.client.slots)

        async def read_slice(ask: PageAsk) -> None:
            async with gate:
                await self._follow(ask)

        await asyncio.gather(*(read_slice(ask) for ask in slices))

    async def _finish_at_once(self, slices: list[PageAsk]) -> None:
        """What little is left in one document with the closing: one round trip less."""
        asks = {f"s{index}": ask for index, ask in enumerate(slices)}
        try:
            results = await self.asker.ask({**asks, **self._closing()})
        except RunmetricsError as error:
            self._break(Unknown.because(error))
            return
        whole = True
        for alias, ask in asks.items():
            page = results[alias]
            if not isinstance(page, Page):
                self._break(page)
                return
            whole = whole and not page.has_next
            empty = page.has_next and not page.nodes  # worth a second look
            await self._follow(ask, None if empty else self._absorb(page))
        if whole:
            await self._take_closing(results)

    async def settled(self) -> "Walk | Unknown":
        """This walk if it is proven; else one more, if that is; else what speaks against it.

        The second one goes by cursors, in case the server does not keep to the order of creation.
        """
        walk = self
        for attempt in range(2):
            if attempt:
                walk = Walk(self.asker, self.scan, self.now, self._progress, by_cursor=True)
                await walk.finish(await self.asker.ask(walk.opening()))
            after = await walk._close()
            if walk.broken:
                return walk.broken
            if len(walk.runs) == after == walk.before + walk._entered:
                return walk
        return Disagreement(
            f"W&B counts {walk.before} runs before and {after} after, but {len(walk.runs)} could "
            "be read, twice",
            "its index may lag behind its runs for some minutes; the next collection tries again",
        )

    async def _close(self) -> int:
        """Bring all runs to one instant, and count them at that instant.

        One page and its count came in one document. After several pages, the runs that showed
        life meanwhile are read again beside the count, so that all are as they are then. Those
        that entered meanwhile are told apart: were some missed and as many deleted, the sums
        would agree all the same.
        """
        if self._pages == 1 and len(self.runs) == self.before:
            return self.before
        if not self.broken and self._after is None:
            await self._take_closing(await self.asker.ask(self._closing()))
        return self.before if self._after is None else self._after

    def _server_began(self) -> datetime:
        """When this walk began, by W&B's clock as far as we know it."""
        return self._began + timedelta(seconds=self.asker.client.clock_offset_seconds or 0.0)

    def _closing(self) -> dict[str, Ask]:
        blind = self.asker.client.clock_offset_seconds is None
        since = self._server_began() - (_NO_CLOCK if blind else _DATE_RESOLUTION)
        after = {"$gt": timestamp(since)}
        moved = both(self.filters, {"$or": [{"heartbeatAt": after}, {"createdAt": after}]})
        page = dataclasses.replace(self._page(), filters=moved)
        return {"n": CountAsk(self.filters), "p": page}

    async def _take_closing(self, results: Mapping[str, Result]) -> None:
        count, page = results["n"], results["p"]
        if not isinstance(count, int) or not isinstance(page, Page):
            self._break(page if isinstance(count, int) else count)
            return
        began = self._server_began()
        known = {
            run.id for run in self.runs.values() if not run.created_at or run.created_at < began
        }
        ask = self._closing()["p"]
        assert isinstance(ask, PageAsk)  # noqa: S101 - as it was made
        await self._follow(ask, self._absorb(page))
        self._entered = len(self.runs.keys() - known)
        self._after = count

    def _page(self) -> PageAsk:
        return PageAsk(self.filters, _ORDER, PAGE_SIZE, self.scan.selection)

    async def _follow(self, ask: PageAsk, read: _Read | None = None) -> None:
        """Read a slice to its end, from `read` where its first page is known already.

        The next page begins at the creation time where the last one ended: a cursor is an offset,
        and would skip a run for each one that was deleted meanwhile. Only within one second, and
        where the server does not keep the order, there is nothing but the cursor.
        """
        whole, begin, seen = ask, None, {ask.after}
        try:
            while not self.broken:
                read = read or await self._read(ask)
                if read is None or not read.has_next:
                    return
                last = None if self._by_cursor else read.last
                if last is not None and (begin is None or last > begin):
                    begin, seen = last, {None}
                    later = both(whole.filters, between(begin, None))
                    ask = dataclasses.replace(whole, filters=later)
                elif read.end_cursor is None or read.end_cursor in seen:
                    self._break(Unknown("W&B sends the same page of runs again and again"))
                    return
                else:
                    seen.add(read.end_cursor)
                    ask = dataclasses.replace(ask, after=read.end_cursor)
                read = None
        except RunmetricsError as error:
            self._break(Unknown.because(error))

    async def _read(self, ask: PageAsk) -> _Read | None:
        for _ in range(2):
            page = await self.asker.page(ask)
            if isinstance(page, Unknown):
                self._break(page)
                return None
            if page.nodes or not page.has_next:
                return self._absorb(page)
        self._break(Unknown("W&B sends an empty page of runs and says that more follow"))
        return None

    def _absorb(self, page: Page) -> _Read:
        selection = self.scan.selection
        for node in page.nodes:
            run = make_run(
                node,
                summary_keys=selection.summary_keys,
                config_keys=selection.config_keys,
                system_keys=selection.system_keys,
                unreadable=page.unreadable.get(node["name"], frozenset()),
            )
            known = self.runs.get(run.id)
            if known is None or _beat(run) >= _beat(known):
                self.runs[run.id] = run
        read = _Read(len(page.nodes), _last_in_order(page), page.end_cursor, page.has_next)
        page.nodes.clear()  # raw rows are many times the size of the runs made of them
        self._pages += 1
        self._progress(len(self.runs), self.before)
        return read

    def _break(self, why: object) -> None:
        unknown = why if isinstance(why, Unknown) else Unknown("W&B left out a part of its answer")
        self.broken = self.broken or unknown


def _beat(run: Run) -> float:
    return run.last_sign.timestamp() if run.last_sign else -math.inf


def _last_in_order(page: Page) -> datetime | None:
    """Creation time of a page's last run; None when the page is not in order of creation."""
    times = [parse_time(node.get("createdAt")) for node in page.nodes]
    known = [time for time in times if time is not None]
    if len(known) != len(times) or known != sorted(known):
        return None
    return known[-1].replace(microsecond=0) if known else None

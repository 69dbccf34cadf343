"""Reads every run of a scan exactly once from a project that moves, and knows whether it did.

Runs are walked in order of creation, which does not move, and from time to time rather than from
offset to offset, which would skip a run for each one that is deleted. The first document counts
the runs and brings the first page; what is left is cut into slices of creation time that are read
side by side. Runs are told apart by id. What moved while several pages were read is read again at
the end, in one document with the count, so that all runs are as they were at one instant, and as
many as the server counted then (DESIGN, "Proof before trust").
"""

import asyncio
import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runmetrics.collectors.wandb.asker import Asker, Result
from runmetrics.collectors.wandb.document import Ask, CountAsk, Page, PageAsk, both, timestamp
from runmetrics.collectors.wandb.plan import PAGE_SIZE, ScanRead
from runmetrics.collectors.wandb.runs import Run, make_run, parse_time
from runmetrics.collectors.wandb.unknown import Disagreement, Unknown
from runmetrics.errors import RunmetricsError

Progress = Callable[[int, int], None]
"""Told how many runs were read, and how many there will be."""

_ORDER = "+created_at"
_SLICE_FILL = 0.9
"""Slices are planned by counts taken at a few times, so room is left for what they hide."""

_SECOND = timedelta(seconds=1)
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
        self._progress = progress

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
        if left <= read.rows or read.last is None or not read.has_next:
            await self._follow(self._page(), read)
            return
        pieces = math.ceil(left / (read.rows * _SLICE_FILL))
        slices = self._slices(read.last, left, pieces, opening)
        gate = asyncio.Semaphore(self.asker.client.slots)

        async def read_slice(ask: PageAsk) -> None:
            async with gate:
                await self._follow(ask)

        await asyncio.gather(*(read_slice(ask) for ask in slices))

    async def settled(self) -> "Walk | Unknown":
        """This walk if it is proven; else one more, if that is; else what speaks against it."""
        walk = self
        for attempt in range(2):
            if attempt:
                walk = Walk(self.asker, self.scan, self.now, self._progress)
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
        if self.broken or (self._pages == 1 and len(self.runs) == self.before):
            return self.before
        offset = self.asker.client.clock_offset_seconds
        began = self._began + timedelta(seconds=offset or 0.0)
        after = {"$gt": timestamp(began - (_NO_CLOCK if offset is None else _DATE_RESOLUTION))}
        moved = both(self.filters, {"$or": [{"heartbeatAt": after}, {"createdAt": after}]})
        ask = dataclasses.replace(self._page(), filters=moved)
        results = await self.asker.ask({"n": CountAsk(self.filters), "p": ask})
        count, page = results["n"], results["p"]
        if not isinstance(count, int) or not isinstance(page, Page):
            self._break(page if isinstance(count, int) else count)
            return self.before
        known = {
            run.id for run in self.runs.values() if not run.created_at or run.created_at < began
        }
        await self._follow(ask, self._absorb(page))
        self._entered = len(self.runs.keys() - known)
        return count

    def _page(self) -> PageAsk:
        return PageAsk(self.filters, _ORDER, PAGE_SIZE, self.scan.selection)

    def _slices(
        self, start: datetime, left: int, pieces: int, opening: Mapping[str, Result]
    ) -> list[PageAsk]:
        points = [(start, left)]
        for index, time in enumerate(self.boundaries):
            count = opening[f"b{index}"]
            if time > start and isinstance(count, int) and count < points[-1][1]:
                points.append((time, count))
        points.append((max(self.now, points[-1][0]), 0))
        targets = [left * (pieces - piece) / pieces for piece in range(1, pieces)]
        cuts = [start, *(_when(points, target) for target in targets)]
        ends: list[datetime | None] = [*cuts[1:], None]
        return [
            dataclasses.replace(
                self._page(), filters=both(self.filters, {"createdAt": _between(begin, end)})
            )
            for begin, end in zip(cuts, ends, strict=True)
        ]

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
                if read.last is not None and (begin is None or read.last > begin):
                    begin, seen = read.last, {None}
                    later = {"createdAt": _between(begin, None)}
                    ask = dataclasses.replace(whole, filters=both(whole.filters, later))
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


def _between(begin: datetime, end: datetime | None) -> dict[str, str]:
    bounds = {"$gt": timestamp(begin - _SECOND)}
    return bounds if end is None else {**bounds, "$lt": timestamp(end + _SECOND)}


def _when(points: list[tuple[datetime, int]], target: float) -> datetime:
    """The creation time after which about `target` runs come: linear between counted times."""
    for (begin, more), (end, fewer) in itertools.pairwise(points):
        if fewer <= target <= more:
            share = (more - target) / (more - fewer) if more > fewer else 0.0
            return begin + (end - begin) * share
    return points[-1][0]

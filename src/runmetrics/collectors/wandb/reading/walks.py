"""Reads several scans side by side, and closes them in one document.

So are read the scans of a plan, once more the windows that lack a run, and every run for the ranked
values that filters and orders could not prove.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial, reduce
from operator import or_
from typing import TypeVar

from runmetrics.collectors.wandb.reading.document import Answers, CountAsk, Reader
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter
from runmetrics.collectors.wandb.reading.kept import AllRuns, BestRuns, FullRead, Scanned, Winners
from runmetrics.collectors.wandb.reading.plan import RankedRead, ScanRead
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reading.ranking import NotProven, Proof
from runmetrics.collectors.wandb.reading.rounds import apart, note, together
from runmetrics.collectors.wandb.reading.scan import Scan
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.tallies import OddRuns
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.errors import RunmetricsError
from runmetrics.text import exact_length

_SLICES_WITH_CLOSING = 2
"""So few pages of runs go into one document with what is asked last."""

T = TypeVar("T")
Scans = dict[ScanRead, Scanned | Unknown]
Known = Sequence[tuple[Filter, Run]]
"""Runs that were seen, each with a filter that matches it."""


async def finish(
    client: ProjectClient,
    scans: Sequence[Scan[T]],
    opened: Answers,
    found: dict[ScanRead, T | Unknown],
    also: Sequence[Reader[None]] = (),
) -> None:
    """Read what the first pages of scans left, and close them; `also` asks beside the closing."""
    parts: list[Reader[None]] = []
    with_closing = _SLICES_WITH_CLOSING
    for scan in scans:
        parts += scan.slices(opened, with_closing)
        with_closing -= scan.slices_with_closing
    await apart(client, parts)
    offset = client.server.clock_offset_seconds
    closings = [note(found, scan.read, scan.close(offset)) for scan in scans]
    await together(client, [*closings, *also])


async def read_scans(client: ProjectClient, reads: Iterable[ScanRead], now: datetime) -> Scans:
    """Read some scans alone; raises as `read_project` does."""
    return await _alone(client, [Scan(read, now, AllRuns) for read in reads])


async def _alone(client: ProjectClient, scans: Sequence[Scan[T]]) -> dict[ScanRead, T | Unknown]:
    found: dict[ScanRead, T | Unknown] = {}
    opened = await client.ask([ask for scan in scans for ask in scan.opening])
    await finish(client, scans, opened, found)
    return found


async def hold_windows(client: ProjectClient, scans: Scans, known: Known, now: datetime) -> None:
    """Read once more the windows that lack a run; those that lack it still become Unknown.

    A filter of times that matches nothing looks like a week without runs. What pages in other
    orders showed of the same instant is its control: a run that they show alive in the window has
    to be there.
    """
    read_whole = ((read, each) for read, each in scans.items() if isinstance(each, Scanned))
    known = [*known, *((read.where, run) for read, each in read_whole for run in each.runs)]
    lacking = [read for read, found in scans.items() if _lacking(read, found, known, now)]
    if not lacking:
        return
    try:
        scans |= await read_scans(client, lacking, now)
        still = {read: run for read in lacking if (run := _lacking(read, scans[read], known, now))}
        asks = {read: CountAsk(Filter.of({"name": run.id})) for read, run in still.items()}
        there = await client.ask(asks.values())
    except RunmetricsError as error:
        scans |= dict.fromkeys(lacking, Unknown.because(error))
        return
    for read, run in still.items():
        if read.window and there[asks[read]] != 0:  # not deleted meanwhile
            scans[read] = Unknown(
                f"W&B shows run {run.id} ({run.display_name}) alive in the last "
                f"{exact_length(read.window)}, and its filter of times does not find it, twice",
                "its index may lag for some minutes; the next collection tries again",
            )


def _lacking(read: ScanRead, found: Scanned | Unknown, known: Known, now: datetime) -> Run | None:
    """Return a known run that was alive in a scan's window and that it does not hold."""
    if read.window is None or isinstance(found, Unknown):
        return None
    held = {run.id for run in found.runs}
    since = now - read.window
    for where, run in known:
        alive = any(time and time >= since for time in (run.heartbeat_at, run.created_at))
        if alive and run.id not in held and read.where in (where, EVERYTHING):
            return run
    return None


async def read_in_full(
    client: ProjectClient, proofs: Mapping[RankedRead, Proof], now: datetime
) -> tuple[Winners, OddRuns]:
    """Return what is proven, and what every run's own values make of the rest.

    With it come the runs read for it of which something is to be said.
    """
    ranked: Winners = {}
    left: dict[Filter, list[RankedRead]] = {}
    for read, proof in proofs.items():
        if isinstance(proof, NotProven):
            left.setdefault(read.base, []).append(read)
        else:
            ranked[read] = proof
    scans: list[Scan[FullRead]] = []
    for base, reads in left.items():
        selection = reduce(or_, (read.selection for read in reads), Selection())
        scans.append(Scan(ScanRead(base, None, selection), now, partial(BestRuns, reads, now)))
    found: dict[ScanRead, FullRead | Unknown]
    try:
        found = await _alone(client, scans)
    except RunmetricsError as error:
        found = {scan.read: Unknown.because(error) for scan in scans}
    odd = OddRuns()
    for scan, reads in zip(scans, left.values(), strict=True):
        full = found[scan.read]
        if isinstance(full, Unknown):
            ranked |= dict.fromkeys(reads, full)
        else:
            ranked |= full.winners
            odd.update(full.odd)
    return ranked, odd

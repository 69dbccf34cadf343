"""Holds the runs of a window against runs that are known from the same collection.

A filter of times that matches nothing looks like a week without runs. What pages in other orders
showed of the same instant is its control: a run that they show alive in the window has to be there.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from runmetrics.collectors.wandb.reading.document import CountAsk
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter
from runmetrics.collectors.wandb.reading.kept import Scanned
from runmetrics.collectors.wandb.reading.plan import ScanRead
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reading.walks import Scans, read_scans
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.errors import RunmetricsError
from runmetrics.text import exact_length

Known = Iterable[tuple[Filter, Run]]
"""Runs that were seen, each with a filter that matches it."""


async def hold_windows(client: ProjectClient, scans: Scans, known: Known, now: datetime) -> None:
    """Read once more the windows that lack a run; those that lack it still become Unknown."""
    known = [*known, *_seen(scans)]
    lacking = [read for read, found in scans.items() if _lacks(read, found, known, now)]
    if not lacking:
        return
    try:
        scans |= await read_scans(client, lacking, now)
        still = {read: _lacks(read, scans[read], known, now) for read in lacking}
        asks = {run.id: CountAsk(Filter.of({"name": run.id})) for run in _any(still)}
        there = await client.ask(asks.values())
    except RunmetricsError as error:
        scans |= dict.fromkeys(lacking, Unknown.because(error))
        return
    for read, runs in still.items():
        left = [run for run in runs[:1] if there[asks[run.id]] != 0]  # not deleted meanwhile
        if left and read.window:
            scans[read] = Unknown(
                f"W&B shows run {left[0].id} ({left[0].display_name}) alive in the last "
                f"{exact_length(read.window)}, and its filter of times does not find it, twice",
                "its index may lag for some minutes; the next collection tries again",
            )


def _seen(scans: Scans) -> Known:
    for read, found in scans.items():
        if isinstance(found, Scanned):
            yield from ((read.where, run) for run in found.runs)


def _any(lacking: Mapping[ScanRead, list[Run]]) -> Iterable[Run]:
    return (run for runs in lacking.values() for run in runs[:1])


def _lacks(read: ScanRead, found: Scanned | Unknown, known: Known, now: datetime) -> list[Run]:
    """Return the known runs that were alive in a scan's window and that it does not hold."""
    if read.window is None or isinstance(found, Unknown):
        return []
    held = {run.id for run in found.runs}
    since = now - read.window
    return [
        run
        for where, run in known
        if run.id not in held
        and read.where in (where, EVERYTHING)
        and any(time is not None and time >= since for time in (run.heartbeat_at, run.created_at))
    ]

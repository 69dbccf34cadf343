"""Reads a project from a server that cannot filter its runs: all of them on one page.

Servers that resemble W&B take filters and ignore them, or refuse them for a count (openwandb does
both). A filter that nothing can match shows it. Every run is read then, and counted, ranked and
cut to windows here; what a metric's own `where` matches, only a server that filters can say.
"""

from datetime import datetime
from functools import reduce
from operator import or_
from typing import Final

from runmetrics.collectors.wandb.reading.document import CountAsk, PageAsk, TotalAsk
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter
from runmetrics.collectors.wandb.reading.kept import Scanned, Winners
from runmetrics.collectors.wandb.reading.plan import CountRead, Plan, RankedRead, ScanRead
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reading.ranking import Winner, best
from runmetrics.collectors.wandb.reading.refusals import CannotFilter
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.unknown import Disagreement, Unknown, unreadable
from runmetrics.errors import ExitCode
from runmetrics.text import counted

CONTROL: Final = CountAsk(Filter.of({"name": "one"}) & Filter.of({"name": "another"}))
"""Runs that go by two names: none, on a server that filters."""

MOST_RUNS = 10_000
_LATECOMERS = 50
_NO_FILTERS = "this W&B server cannot filter runs"
_WHERE_IS_UNKNOWN = Unknown(
    f"{_NO_FILTERS}, so what `where` matches is not known",
    "take `where` out of the metric, or use a server that filters",
    ExitCode.CONFIGURATION,
)

Runs = tuple[Run, ...]


async def every_run(client: ProjectClient, plan: Plan, now: datetime) -> Runs | Unknown:
    """Return all runs of a project, with what the plan needs of them, or why they are unknown.

    `now` is the server's time. Raises what makes going on pointless, as `ProjectClient.ask`.
    """
    total = await client.ask_one(TotalAsk())
    if isinstance(total, Unknown):
        return total
    if total > MOST_RUNS:
        return Unknown(
            f"{_NO_FILTERS}, and {total:,} are too many to read at once",
            f"use a server that filters, or projects of at most {MOST_RUNS:,} runs",
            ExitCode.CONFIGURATION,
        )
    reads: tuple[RankedRead | ScanRead, ...] = (*plan.ranked, *plan.scans)
    selection = reduce(or_, (read.selection for read in reads), Selection())
    ask = PageAsk(EVERYTHING, "+created_at", total + _LATECOMERS, selection)
    try:
        answers = await client.ask([TotalAsk(), ask])
    except CannotFilter:  # of runs neither: the client asks without from now on
        answers = await client.ask([TotalAsk(), ask])
    total, page = answers[TotalAsk()], answers[ask]
    if isinstance(total, Unknown):
        return total
    if isinstance(page, Unknown):
        return page
    runs = {run.id: run for run in page.runs(selection, now)}
    if len(runs) != total or page.hidden:
        without = f", and {counted(page.hidden, 'row')} had none" if page.hidden else ""
        return Disagreement(
            f"W&B counts {counted(total, 'run')}, but {len(runs):,} could be read{without}",
            "see which runs this key may not read; the next collection tries again",
        )
    client.notices.append(f"{_NO_FILTERS}: all {total:,} of the project were read")
    return tuple(runs.values())


def answers_from(
    runs: Runs | Unknown, plan: Plan
) -> tuple[dict[CountRead, int | Unknown], Winners, dict[ScanRead, Scanned | Unknown]]:
    """Return what all runs answer to the counts, the ranked values and the scans of a plan.

    A scan gets all of them: the reduction cuts them to window and state.
    """
    seen: Runs = () if isinstance(runs, Unknown) else runs

    def why_not(where: Filter) -> Unknown | None:
        if isinstance(runs, Unknown):
            return runs
        return None if where == EVERYTHING else _WHERE_IS_UNKNOWN

    counts = {
        read: why_not(read.where)
        or sum(not read.states or run.state in read.states for run in seen)
        for read in plan.counts
    }
    ranked = {
        read: why_not(read.where) or unreadable(seen, read.part) or Winner(best(read, seen))
        for read in plan.ranked
    }
    scans = {read: why_not(read.where) or Scanned(seen) for read in plan.scans}
    return counts, ranked, scans

"""Carries out a plan on one project: one document, what its pages left, and the proofs.

Everything that a plan holds travels in the first document. What scans of several pages left is
read side by side. The next document closes the scans and proves the ranked values. Then what was
learned is held against each other: counts against the runs that were read, ranked values against
the runs of the last days. What is not proven by then is read in full.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from runmetrics.collectors.wandb.metrics.catalog import Aggregate
from runmetrics.collectors.wandb.reading.clocks import clock_notice, no_clock
from runmetrics.collectors.wandb.reading.counts import Count
from runmetrics.collectors.wandb.reading.document import Answers, Asks, Reader
from runmetrics.collectors.wandb.reading.extremes import Extreme
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter
from runmetrics.collectors.wandb.reading.kept import AllRuns, Kept, Scanned, Winners
from runmetrics.collectors.wandb.reading.plan import CountRead, Plan, RankedRead, ScanRead
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reading.ranking import Proof, Winner, best, rank
from runmetrics.collectors.wandb.reading.refusals import CannotFilter
from runmetrics.collectors.wandb.reading.rounds import note, together
from runmetrics.collectors.wandb.reading.scan import Scan
from runmetrics.collectors.wandb.reading.unfiltered import CONTROL, answers_from, every_run
from runmetrics.collectors.wandb.reading.walks import Scans, finish, hold_windows, read_in_full
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.tallies import OddRuns
from runmetrics.collectors.wandb.unknown import Disagreement, Unknown, unreadable
from runmetrics.plugins import Progress, no_progress

_NEVER = datetime.min.replace(tzinfo=UTC)

Counts = dict[CountRead, int | Unknown]
Keep = Callable[[ScanRead, datetime], Kept[Scanned]]
"""Makes what takes in the runs of a scan, by W&B's time when the reading began."""


@dataclass(slots=True)
class Reading:
    """What was learned of one project. `now` is W&B's time when the reading began.

    `clock` says why it is not known what the time is, and so nothing that depends on it.
    """

    now: datetime
    clock: Unknown | None = None
    counts: Counts = field(default_factory=dict)
    ranked: Winners = field(default_factory=dict)
    scans: Scans = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    odd: OddRuns = field(default_factory=OddRuns)
    """Runs that no scan brought, of which something is to be said."""

    @property
    def scanned(self) -> list[Scanned]:
        """What scans brought; a run that two of them brought is there twice."""
        return [each for each in self.scans.values() if isinstance(each, Scanned)]


class FirstDocument:
    """Everything that a plan asks at first; `keep` makes what takes in the runs of a scan."""

    def __init__(
        self,
        plan: Plan,
        now: datetime,
        keep: Keep = lambda _read, _now: AllRuns(),
        progress: Progress = no_progress,
    ) -> None:
        self.scans = [Scan(read, now, partial(keep, read, now), progress) for read in plan.scans]
        self.extremes = [Extreme(read, now) for read in plan.ranked]

        def lately(where: Filter) -> Filter | None:
            return scan.filter(now) if (scan := plan.scan_of(where)) else None

        self.counts = [
            Count(read, lately(read.where), now, lately(EVERYTHING), _wholes(plan, read))
            for read in plan.counts
        ]

    def leave_out_what_is_timed(self) -> None:
        """Go on without the windows and the latest values."""
        self.scans = [scan for scan in self.scans if scan.read.window is None]
        self.extremes = [
            each for each in self.extremes if each.read.aggregate is not Aggregate.LATEST
        ]

    @property
    def asks(self) -> Asks:
        """Whether the server filters at all, and the questions in the order of the plan."""
        parts: Sequence[Count | Extreme | Scan[Scanned]]
        parts = (*self.counts, *self.extremes, *self.scans)
        return [CONTROL, *(ask for part in parts for ask in part.opening)]


async def read_project(
    client: ProjectClient, plan: Plan, now: datetime, keep: Keep, progress: Progress
) -> Reading:
    """Learn everything that the plan asks, or why it cannot be known.

    Raises RunmetricsError when nothing can be learned at all: no key, no project, no server.
    """
    reading = Reading(now)
    try:
        first, opened = await _open(client, plan, reading, keep, progress)
    except CannotFilter:
        runs = await every_run(client, plan, reading.now)
        _moved_to_its_clock(client, reading)
        reading.counts, reading.ranked, reading.scans = answers_from(runs, plan)
        reading.notices += client.notices
        return reading
    proofs: dict[RankedRead, Proof] = {}
    proving = [
        note(proofs, each.read, each.prove(opened))
        for each in first.extremes
        if not plan.knows_from_scan(each.read)
    ]
    await finish(client, first.scans, opened, reading.scans, proving)
    seen = [
        *((each.read.where, run) for each in first.extremes for run in each.seen(opened)),
        *(
            (read.where, proof.run)
            for read, proof in proofs.items()
            if isinstance(proof, Winner) and proof.run
        ),
    ]
    await hold_windows(client, reading.scans, seen, reading.now)
    counted = [
        note(reading.counts, each.read, each.settle(opened, _witness(plan, each.read, reading)))
        for each in first.counts
    ]
    ranked = [
        note(proofs, each.read, _held_against(plan, reading, each, proofs, opened))
        for each in first.extremes
    ]
    await together(client, [*counted, *ranked])
    reading.counts = _held_to_wholes(plan, reading.counts)
    reading.ranked, reading.odd = await read_in_full(client, proofs, reading.now)
    for each in first.extremes:
        reading.odd.update(each.odd)
    reading.notices += client.notices
    return reading


async def _open(
    client: ProjectClient, plan: Plan, reading: Reading, keep: Keep, progress: Progress
) -> tuple[FirstDocument, Answers]:
    """Ask the first document, again by W&B's clock where ours is off; raises CannotFilter."""
    first = FirstDocument(plan, reading.now, keep, progress)
    opened = await client.ask(first.asks)
    if _moved_to_its_clock(client, reading):
        first = FirstDocument(plan, reading.now, keep, progress)
        opened = await client.ask(first.asks)
    nothing = opened[CONTROL]
    if not isinstance(nothing, Unknown) and nothing > 0:
        raise CannotFilter
    if reading.clock:
        first.leave_out_what_is_timed()
    return first, opened


def _moved_to_its_clock(client: ProjectClient, reading: Reading) -> bool:
    """Set the reading to W&B's clock, once; return whether ours was off by what can be believed."""
    offset = client.server.clock_offset_seconds or 0.0
    reading.clock = no_clock(offset)
    notice = clock_notice(offset)
    if reading.clock or not notice or reading.notices:
        return False
    reading.notices.append(notice)
    reading.now += timedelta(seconds=offset)
    return True


def _wholes(plan: Plan, part: CountRead) -> list[CountRead]:
    """Return the counts of a plan that include another: they have fewer conditions."""
    conditions = {*part.filter.conditions}
    return [read for read in plan.counts if {*read.filter.conditions} < conditions]


def _held_to_wholes(plan: Plan, counts: Counts) -> Counts:
    """Return the counts; one of which the whole contradicts the runs is no better known."""
    contradicted = {read for read, found in counts.items() if isinstance(found, Disagreement)}
    return {
        read: next((counts[each] for each in _wholes(plan, read) if each in contradicted), found)
        for read, found in counts.items()
    }


def _witness(plan: Plan, read: CountRead, reading: Reading) -> Scanned | Unknown | None:
    """Return what the scan of the same filter brought, else that of all runs.

    There is none where it is not known what the time is.
    """
    scan = plan.scan_of(read.where) or plan.scan_of(EVERYTHING)
    return reading.scans.get(scan) if scan else None


def _held_against(
    plan: Plan,
    reading: Reading,
    extreme: Extreme,
    proofs: Mapping[RankedRead, Proof],
    opened: Answers,
) -> Reader[Proof]:
    """Return a ranked value that was held against the runs which the scan of its filter brought.

    The latest heartbeat of a scan that read every run of the last days is the latest of all. A
    scan's run that beats a proven extreme shows an index that lags: the proof is made anew.
    """
    read, proof = extreme.read, proofs.get(extreme.read)
    scan = plan.scan_of(read.where)
    found = reading.scans.get(scan) if scan else None
    scanned = found if isinstance(found, Scanned) else Scanned(())
    local = best(read, scanned.runs)
    if proof is None:
        if hidden := unreadable(_rivals(read, local, scanned.runs), read.part):
            return hidden
        if _in_window(local, scan, reading.now) and not scanned.hidden:
            return Winner(local)
        return (yield from extreme.prove(opened, scanned.runs if local else ()))
    if not isinstance(proof, Winner) or local is None:
        return proof
    if proof.run is None or (rank(read, local) or ()) > (rank(read, proof.run) or ()):
        return (yield from extreme.prove(opened, scanned.runs))
    return proof


def _in_window(run: Run | None, scan: ScanRead | None, now: datetime) -> bool:
    """Return whether a run beat in the window of its scan; an imported one may have long before."""
    if run is None or scan is None or scan.window is None or run.last_beat is None:
        return False
    return run.last_beat >= now - scan.window


def _rivals(read: RankedRead, latest: Run | None, runs: Iterable[Run]) -> Iterable[Run]:
    """Yield runs that beat as late as the latest, whatever could be read of their values."""
    for run in runs:
        late = latest is None or (run.last_beat or _NEVER) >= (latest.last_beat or _NEVER)
        if late and (not read.states or run.state in read.states):
            yield run

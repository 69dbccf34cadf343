"""Carries out a plan on one project: one document, what its pages left, and the proofs.

Everything that a plan holds travels in the first document. What follows is asked side by side: the
slices of scans that are longer than a page, and the proofs of ranked values. Last come counts
again, where the first ones and the runs that were read do not agree yet.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from runmetrics.collectors.wandb.metrics.catalog import Aggregate
from runmetrics.collectors.wandb.reading.counts import Counter
from runmetrics.collectors.wandb.reading.document import Ask
from runmetrics.collectors.wandb.reading.extremes import Proof, Prover, Winner, best, rank
from runmetrics.collectors.wandb.reading.plan import CountRead, Plan, RankedRead, Read
from runmetrics.collectors.wandb.reading.project_client import Asker, Result
from runmetrics.collectors.wandb.reading.scan import Progress, Walk
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.unknown import Unknown, unreadable
from runmetrics.errors import RunmetricsError

CLOCK_TOLERANCE_SECONDS = 60.0
"""Clocks that differ by less are taken as one (the Date header is in whole seconds)."""

_NEVER = datetime.min.replace(tzinfo=UTC)

Learned = int | Winner | Walk | Unknown


@dataclass(slots=True)
class Reading:
    """What was learned of one project. `now` is W&B's time when the reading began."""

    now: datetime
    answers: list[tuple[Read, Learned]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def of(self, read: Read) -> Learned:
        """What a read brought."""
        return next(learned for asked, learned in self.answers if asked == read)

    @property
    def runs_read(self) -> int:
        """Distinct runs that scans brought."""
        walks = [learned for _, learned in self.answers if isinstance(learned, Walk)]
        return sum(len(walk.runs) for walk in walks)


async def read_project(
    asker: Asker, plan: Plan, now: datetime, progress: Progress = lambda _done, _total: None
) -> Reading:
    """Learn everything that the plan asks, or why it cannot be known.

    Raises RunmetricsError when nothing can be learned at all: no key, no project, no server.
    """
    first = FirstDocument(asker, plan, now, progress)
    opened = await first.ask()
    offset = asker.client.clock_offset_seconds or 0.0
    notices = []
    if notice := clock_notice(offset):
        notices.append(notice)
        now += timedelta(seconds=offset)
        first = FirstDocument(asker, plan, now, progress)
        opened = await first.ask()
    reading = Reading(now, notices=notices)
    proofs = await _finish(first, opened)
    walks = [await _settled(walk) for walk in first.walks]
    for prover, proof in zip(first.provers, proofs, strict=True):
        scan = _scan_for(prover.read, plan, walks)
        reading.answers.append((prover.read, await _ranked(prover, proof, opened, scan)))
    for counter in first.counters:
        witness = _scan_for(counter.read, plan, walks)
        count = await counter.settled(opened[id(counter)], witness)
        reading.answers.append((counter.read, count))
    reading.answers += zip(plan.scans, walks, strict=True)
    reading.notices += asker.notices
    return reading


def clock_notice(offset_seconds: float) -> str:
    """What is to be said of W&B's clock less ours; nothing where they count as one."""
    if abs(offset_seconds) < CLOCK_TOLERANCE_SECONDS:
        return ""
    return (
        f"the clocks of this machine and of W&B differ by {abs(offset_seconds):.0f} s, so windows "
        "follow W&B's: fix the time synchronisation of this machine"
    )


Opened = Mapping[int, Mapping[str, Result]]


class FirstDocument:
    """All reads of a plan, asked in one document; answers are kept by the reader they are for."""

    def __init__(self, asker: Asker, plan: Plan, now: datetime, progress: Progress) -> None:
        self.asker = asker
        self.plan = plan
        self.walks = [Walk(asker, scan, now, progress) for scan in plan.scans]
        self.provers = [Prover(asker, read, now) for read in plan.ranked]
        self.counters = [Counter(asker, read, self._lately(read)) for read in plan.counts]

    @property
    def parties(self) -> "Sequence[Counter | Walk | Prover]":
        """Who asks in the document."""
        return (*self.counters, *self.provers, *self.walks)

    def asks(self) -> dict[str, Ask]:
        """All that the document asks, by alias."""
        asks: dict[str, Ask] = {}
        for index, party in enumerate(self.parties):
            asks |= {f"a{index}_{alias}": ask for alias, ask in party.opening().items()}
        return asks

    async def ask(self) -> Opened:
        """Ask it, and hand each party its answers."""
        results = await self.asker.ask(self.asks())
        return {
            id(party): {alias: results[f"a{index}_{alias}"] for alias in party.opening()}
            for index, party in enumerate(self.parties)
        }

    def _lately(self, read: CountRead) -> Mapping[str, object] | None:
        scan = self.plan.scan_of(read.where)
        return self.walks[self.plan.scans.index(scan)].filters if scan else None


async def _finish(first: FirstDocument, opened: Opened) -> list[Proof | None]:
    """Read the rest of the scans, and prove meanwhile what no scan will answer."""

    async def prove(prover: Prover) -> Proof | None:
        if prover.read.aggregate is Aggregate.LATEST and first.plan.scan_of(prover.read.where):
            return None
        return await prover.prove(opened[id(prover)])

    proofs = asyncio.gather(*(prove(prover) for prover in first.provers))
    await asyncio.gather(proofs, *(walk.finish(opened[id(walk)]) for walk in first.walks))
    return proofs.result()


async def _settled(walk: Walk) -> Walk | Unknown:
    try:
        return await walk.settled()
    except RunmetricsError as error:
        return Unknown.because(error)


def _scan_for(
    read: CountRead | RankedRead, plan: Plan, walks: Sequence[Walk | Unknown]
) -> Walk | Unknown | None:
    """What the scan of the same filter brought, else that of all runs: both saw what moved."""
    scan = plan.scan_of(read.where)
    if scan is None and isinstance(read, CountRead):
        scan = plan.scan_of({})
    return walks[plan.scans.index(scan)] if scan else None


async def _ranked(
    prover: Prover, proof: Proof | None, opened: Opened, scan: Walk | Unknown | None
) -> Proof:
    """A ranked value, held against the runs that the scan of the same filter brought.

    The latest heartbeat of a scan that read every run of the last days is the latest of all. A
    scan's run that beats a proven extreme shows an index that lags: the proof is made anew.
    """
    runs = scan.runs.values() if isinstance(scan, Walk) else ()
    local = best(prover.read, runs)
    if proof is None:
        if hidden := unreadable(_rivals(prover.read, local, runs), prover.part):
            return hidden
        return Winner(local) if local else await prover.prove(opened[id(prover)])
    if isinstance(proof, Unknown) or local is None:
        return proof
    if proof.run is None or (rank(prover.read, local) or ()) > (rank(prover.read, proof.run) or ()):
        return await prover.prove(opened[id(prover)], runs)
    return proof


def _rivals(read: RankedRead, latest: Run | None, runs: Iterable[Run]) -> Iterable[Run]:
    """Runs with a heartbeat as late as the latest's, whatever could be read of their values."""
    for run in runs:
        late = latest is None or (run.heartbeat_at or _NEVER) >= (latest.heartbeat_at or _NEVER)
        if late and (not read.states or run.state in read.states):
            yield run

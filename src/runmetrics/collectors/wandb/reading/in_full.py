"""Reads every run for the ranked values that filters and orders could not prove."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import or_

from runmetrics.collectors.wandb.reading.filters import Filter
from runmetrics.collectors.wandb.reading.kept import BestRuns, FullRead, Winners
from runmetrics.collectors.wandb.reading.plan import RankedRead, ScanRead
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reading.ranking import NotProven, Proof
from runmetrics.collectors.wandb.reading.scan import HELD_BACK, Scan
from runmetrics.collectors.wandb.reading.walks import finish
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.tallies import OddRuns
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.errors import RunmetricsError


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
    scans = [_full_scan(base, reads, now) for base, reads in left.items()]
    found: dict[ScanRead, FullRead | Unknown] = {}
    odd = OddRuns()
    try:
        opened = await client.ask([ask for scan in scans for ask in scan.opening])
        await finish(client, scans, opened, found)
        for full in found.values():
            if isinstance(full, FullRead):
                odd.update(full.odd)
    except RunmetricsError as error:
        found = {scan.read: Unknown.because(error) for scan in scans}
    for scan, reads in zip(scans, left.values(), strict=True):
        full = found[scan.read]
        for read in reads:
            ranked[read] = full if isinstance(full, Unknown) else full.winners[read]
    return ranked, odd


def _full_scan(base: Filter, reads: Sequence[RankedRead], now: datetime) -> Scan[FullRead]:
    selection = reduce(or_, (read.selection for read in reads), Selection())
    return Scan(ScanRead(base, None, selection), now, lambda: BestRuns(reads, now - HELD_BACK))

"""Reads several scans side by side, and closes them in one document."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from runmetrics.collectors.wandb.reading.document import Answers
from runmetrics.collectors.wandb.reading.kept import AllRuns, Scanned
from runmetrics.collectors.wandb.reading.plan import ScanRead
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reading.rounds import Reader, apart, note, together
from runmetrics.collectors.wandb.reading.scan import Scan
from runmetrics.collectors.wandb.unknown import Unknown

_SLICES_WITH_CLOSING = 2
"""So few pages of runs go into one document with what is asked last."""

T = TypeVar("T")
Scans = dict[ScanRead, Scanned | Unknown]


async def read_scans(client: ProjectClient, reads: Iterable[ScanRead], now: datetime) -> Scans:
    """Read some scans alone; raises as `read_project` does."""
    found: Scans = {}
    scans = [Scan(read, now, AllRuns) for read in reads]
    opened = await client.ask([ask for scan in scans for ask in scan.opening])
    await finish(client, scans, opened, found)
    return found


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

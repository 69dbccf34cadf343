"""Which of some runs holds a greatest, least or latest value: by numbers and exact keys alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runmetrics.collectors.wandb.contributions import rank_of
from runmetrics.collectors.wandb.reading.blank import blank_parts
from runmetrics.collectors.wandb.reading.document import Page, Unanswered
from runmetrics.collectors.wandb.reading.plan import RankedRead
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.unknown import Unknown, unreadable
from runmetrics.collectors.wandb.values import ABSENT, decode_object, look_up, unwrapped


@dataclass(frozen=True, slots=True)
class Winner:
    """The proven holder of a ranked value; no run where nobody has a number under the key."""

    run: Run | None


@dataclass(frozen=True, slots=True)
class NotProven:
    """What the server ranks and filters proves no winner; `for_good`: however it is asked."""

    for_good: bool = False


Proof = Winner | Unknown | NotProven


@dataclass(frozen=True, slots=True)
class Rows:
    """The distinct runs of a page that a filter by a key brought.

    `foreign`: one does not have that very key, so the filter means another. `blank` says that one
    has nothing readable where the key should be.
    """

    runs: list[Run]
    foreign: bool
    blank: Unknown | None


def rows_of(read: RankedRead, page: Page, now: datetime) -> Rows:
    """Return the runs of a page; raises Unanswered for one whose part cannot be served."""
    runs: dict[str, Run] = {}
    foreign, blank = False, None
    for node, run in zip(page.nodes, page.runs(read.selection, now), strict=True):
        runs[run.id] = run
        if read.part in blank_parts(node) or read.part not in node:
            blank = blank or Unknown(
                f"W&B says that run {run.id} ({run.display_name}) has a {read.field}, and shows no "
                f"readable {read.part}",
                "look at the run in W&B; deleting it, or asking support@wandb.com, fixes it",
            )
        elif look_up(values_of(node, read.part), read.field.key) is ABSENT:
            foreign = True
    if why := unreadable(runs.values(), read.part):
        raise Unanswered(why)
    return Rows(list(runs.values()), foreign, blank)


def values_of(node: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Return the summary or the config of a run as its author wrote it; nothing for junk."""
    found = decode_object(node.get(part)) or {}
    return found if part == "summaryMetrics" else unwrapped(found)


def best(read: RankedRead, runs: Iterable[Run]) -> Run | None:
    """Return the winner among these runs; None where none of them can win."""
    able = [
        run
        for run in runs
        if rank(read, run) is not None and (not read.states or run.state in read.states)
    ]
    return max(able, key=lambda run: (rank(read, run) or (), run.id), default=None)


def rank(read: RankedRead, run: Run) -> tuple[float, float] | None:
    """Return what runs are compared by; None for a run that cannot win."""
    value = run.number(str(read.field))
    return None if value is None else rank_of(read.aggregate, run, value)

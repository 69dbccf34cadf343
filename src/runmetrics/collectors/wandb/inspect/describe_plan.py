"""Describe what a plan will ask of W&B, in words and in GraphQL, without asking anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Metric
from runmetrics.collectors.wandb.metrics.where import dotted_names
from runmetrics.collectors.wandb.reading.document import render
from runmetrics.collectors.wandb.reading.execute import FirstDocument
from runmetrics.collectors.wandb.reading.filters import Filter
from runmetrics.collectors.wandb.reading.plan import (
    PAGE_SIZE,
    CountRead,
    Plan,
    RankedRead,
    Read,
    ScanRead,
)
from runmetrics.collectors.wandb.selection import BASE_PARTS, Selection
from runmetrics.text import exact_length

_ORDERED = {
    Aggregate.MAX: "the greatest",
    Aggregate.MIN: "the least",
    Aggregate.LATEST: "the latest",
}


@dataclass(frozen=True, slots=True)
class ReadInWords:
    """One read: what is asked, the server's filter as JSON, and the metrics that it answers."""

    what: str
    filters: str
    metrics: tuple[str, ...]


def reads_in_words(plan: Plan, now: datetime) -> list[ReadInWords]:
    """Return every read of a plan, in the order that they stand in the first document."""
    reads: list[Read] = [*plan.counts, *plan.ranked, *plan.scans]
    return [
        ReadInWords(
            _words(read, plan),
            str(_filter(read, now)),
            tuple(name for name, answer in plan.answers.items() if answer == read),
        )
        for read in reads
    ]


def _filter(read: Read, now: datetime) -> Filter:
    match read:
        case ScanRead():
            return read.filter(now)
        case RankedRead():  # that it asks for numbers alone is said in words
            return read.base
    return read.filter


def requests_for_a_page(plan: Plan) -> int:
    """Return the requests for one project, at most, while no scan brings more than a page of runs.

    One document asks for everything at once; another proves the greatest and least values that it
    brings; one more reads every run for the keys by which W&B cannot rank. A latest value is known
    from the scan of the last days where there is one.
    """
    asked = [read for read in plan.ranked if not plan.knows_from_scan(read)]
    return 1 + any(not read.dotted for read in asked) + any(read.dotted for read in asked)


def growth_in_words(plan: Plan) -> list[str]:
    """Say what makes a plan cost more than `requests_for_a_page`."""
    lines = []
    whole = [scan for scan in plan.scans if scan.window is None and not scan.states]
    if len(whole) < len(plan.scans):
        lines.append(
            f"a list of more than {PAGE_SIZE:,} runs: one more for every 900 or so further ones, "
            "and one to check that none was missed"
        )
    parts = {part for scan in plan.scans for part in scan.selection.fields()}
    if parts & {"summaryMetrics", "config"}:
        listed = "runs" if requests_for_a_page(plan) == 1 else f"more than {PAGE_SIZE:,} runs"
        lines.append(f"a list of {listed} of which some never logged: one more")
    if whole:
        lines.append(f"the whole history is read: one more for every {PAGE_SIZE:,} runs or so")
    each = f"one more for every {PAGE_SIZE:,} runs of the project"
    if said := dotted_keys(plan):
        lines.append(said)
    slashed = {str(read.field) for read in plan.ranked if not read.plain and not read.dotted}
    if slashed:
        lines.append(
            f"where nothing shows that W&B filters by {', '.join(sorted(slashed))}: {each}"
        )
    if any(not read.dotted and plan.knows_from_scan(read) for read in plan.ranked):
        lines.append("a latest value that no run of the last days has: one more")
    return lines


def dotted_keys(plan: Plan) -> str:
    """Say which keys W&B cannot rank by, and what that costs; nothing where there are none."""
    names = sorted({str(read.field) for read in plan.ranked if read.dotted})
    if not names:
        return ""
    return (
        f"W&B cannot rank by keys with dots ({', '.join(names)}): one more request for every "
        f"{PAGE_SIZE:,} runs of the project"
    )


def dotted_filters(metrics: Iterable[Metric]) -> str:
    """Say what W&B takes keys with dots for in a `where`; nothing where there are none."""
    names = sorted({name for metric in metrics for name in dotted_names(metric.where)})
    if not names:
        return ""
    return (
        f"where: W&B takes keys with dots for paths ({', '.join(names)}): they find "
        '{"a": {"b": 1}}, never {"a.b": 1}'
    )


def first_document(plan: Plan, now: datetime) -> tuple[str, Mapping[str, str]]:
    """Return the GraphQL document that asks a project for everything, and its variables."""
    return render(FirstDocument(plan, now).asks)


def _words(read: Read, plan: Plan) -> str:
    match read:
        case CountRead():
            return f"how many there are of {_runs(read.states)}, counted by W&B"
        case RankedRead():
            which = f"{_ORDERED[read.aggregate]} {read.field} of {_runs(read.states)}"
            which += "" if read.dotted else " with a number there"
            order = "" if read.dotted else f", by W&B's order {read.order}"
            if plan.knows_from_scan(read):
                return f"{which}{order}; known from the scan where a run in it has one"
            return f"{which}, every run read" if read.dotted else f"{which}{order}, proven"
        case ScanRead():
            which = _runs(read.states) if read.states else "every run of the project"
            if read.window is not None:
                which = f"the runs of the last {exact_length(read.window)}"
            return f"{which}: {_fields(read.selection)}"


def _runs(states: tuple[str, ...]) -> str:
    return f"the {' or '.join(states)} runs" if states else "all runs"


def _fields(selection: Selection) -> str:
    names = [*BASE_PARTS, *sorted(selection.parts)]
    for prefix, keys in (
        ("summary", selection.summary_keys),
        ("config", selection.config_keys),
        ("system", selection.system_keys),
    ):
        names += [f"{prefix}.{key}" for key in sorted(keys)]
    return ", ".join(names)

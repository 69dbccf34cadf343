"""What is said of the runs behind the numbers: how many are odd, of which kind, and an example."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.groups import Series
from runmetrics.collectors.wandb.measures import (
    Rules,
    assumes_gpus,
    configured_gpus,
    price,
)
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Metric
from runmetrics.collectors.wandb.reading.kept import Scanned
from runmetrics.collectors.wandb.reading.plan import ScanRead
from runmetrics.collectors.wandb.reduce import value_of
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.collectors.wandb.values import Fault
from runmetrics.text import counted, exact_length, show_value, some


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that is said of `count` runs; a number beside the values counts it by `kind`.

    `lines` say it in words; there are none where the values' own notes do.
    """

    kind: str
    count: int
    lines: tuple[str, ...] = ()


def remarks_of(
    runs: Iterable[Run], known: Sequence[tuple[Metric, Series]], rules: Rules
) -> list[Remark]:
    """Return what is to be said of the runs that were read, and of those behind the values."""
    distinct = _distinct(runs)
    counted_by = _distinct(
        run for metric, series in known if _counts_gpus(metric) for run in series.selected
    )
    unpriced = _distinct(
        run
        for metric, series in known
        for run in series.selected
        if _lacks_price(metric, run, rules)
    )
    impossible = [run for run in distinct if run.faults]
    found = [
        Remark("impossible", len(impossible), faults(impossible)),
        _odd(
            *("imported", [run for run in distinct if run.imported]),
            "synced offline or imported: dated by the client's own times",
        ),
        _odd(
            *("mixed_labels", [run for run in distinct if run.mixed_labels]),
            "with GPU samples both under node labels and without: the labelled alone count",
        ),
        _odd(
            *("gpus_per_run", [run for run in counted_by if configured_gpus(run, rules) is None]),
            f"without a usable number under {rules.gpus_per_run}: GPUs counted as W&B knows them",
        ),
        _odd("unpriced", unpriced, _without_a_price(unpriced, rules)),
        Remark("gpus_assumed", sum(assumes_gpus(run, rules) for run in counted_by)),
    ]
    auto = rules.gpus_per_run == "auto"
    return [each for each in found if each.count and not (auto and each.kind == "gpus_per_run")]


def hidden(scans: Mapping[ScanRead, Scanned | Unknown]) -> Remark:
    """Return how many runs are counted and not shown, at most of any scan."""
    found = {
        read: scanned.hidden
        for read, scanned in scans.items()
        if isinstance(scanned, Scanned) and scanned.hidden
    }
    lines = (
        f"W&B counts {_counted(count, read)} that it does not show: sums, means and counts are of "
        "those that it shows"
        for read, count in found.items()
    )
    return Remark("hidden", max(found.values(), default=0), tuple(lines))


def _counted(count: int, read: ScanRead) -> str:
    """Return how many runs of which kind: those of a window, or those in some states."""
    states = f"{' or '.join(read.states)} " if read.states else ""
    lately = f" of the last {exact_length(read.window)}" if read.window else ""
    return f"{counted(count, f'{states}run')}{lately}"


def faults(runs: Iterable[Run]) -> tuple[str, ...]:
    """Return what cannot be of the runs, counted, with the worst of each or an example."""
    found: dict[str, list[tuple[Fault, Run]]] = {}
    for run in runs:
        worst = {fault.what: fault for fault in sorted(run.faults, key=lambda each: each.badness)}
        for what, fault in worst.items():
            found.setdefault(what, []).append((fault, run))
    lines = []
    for what, cases in sorted(found.items()):
        fault, run = max(cases, key=lambda case: case[0].badness)
        example = f"worst: {fault.shown} in {run.id}" if fault.shown else f"such as {run.id}"
        which = counted(len(cases), "run")
        lines.append(f"{what} in {which} ({example}): {fault.therefore}")
    return tuple(lines)


def assumed(metric: Metric, series: Series, rules: Rules) -> str:
    """Return how much of a number of GPUs or GPU hours rests on runs that are taken for one GPU."""
    if series.value is None or metric.priced or not _counts_gpus(metric):
        return ""
    runs = [run for run in series.selected if assumes_gpus(run, rules)]
    share = math.fsum(value_of(metric, run, rules) or 0.0 for run in runs)
    if not share:
        return ""
    which = f"{counted(len(runs), 'run')} without a recorded or seen GPU, taken for one"
    if metric.aggregate is not Aggregate.SUM:
        return f"rests on {which}"
    of = show_value(series.value, metric.unit)
    return f"{show_value(share, '')} of {of} are of {which}"


def _odd(kind: str, runs: Sequence[Run], how: str) -> Remark:
    example = f" (such as {runs[0].id})" if runs else ""
    return Remark(kind, len(runs), (f"{counted(len(runs), 'run')}{example} {how}",))


def _without_a_price(runs: Iterable[Run], rules: Rules) -> str:
    """Return why there is no price for the runs, and where prices are given."""
    types = {"" if assumes_gpus(run, rules) else run.gpu_type for run in runs}
    named = sorted(types - {""})
    why = ["without a known GPU"] if "" in types else []
    why += [f"of a type without a price ({some(named)})"] if named else []
    fix = "; add the type, or a default, to gpu_prices" if named else ""
    return f"{', or '.join(why)}: their cost is left out{fix}"


def _lacks_price(metric: Metric, run: Run, rules: Rules) -> bool:
    """Return whether the run has GPU hours of a priced metric, and no price for them."""
    if not metric.priced or price(run, rules) is not None:
        return False
    return bool(value_of(dataclasses.replace(metric, priced=False), run, rules))


def _counts_gpus(metric: Metric) -> bool:
    field = metric.field
    return field is not None and field.source == "run" and RUN_FIELDS[field.key].counts_gpus


def _distinct(runs: Iterable[Run]) -> list[Run]:
    """Return each run once; one that several scans brought is as odd as all its records."""
    found: dict[str, Run] = {}
    for run in runs:
        known = found.get(run.id)
        found[run.id] = run if known is None else _as_odd_as(run, known)
    return list(found.values())


def _as_odd_as(run: Run, other: Run) -> Run:
    """Return the run with what is odd about another record of it, of which more may be read."""
    if not (other.faults or other.imported or other.mixed_labels):
        return run
    return dataclasses.replace(
        run,
        faults=tuple(dict.fromkeys((*other.faults, *run.faults))),
        imported=run.imported or other.imported,
        mixed_labels=run.mixed_labels or other.mixed_labels,
    )

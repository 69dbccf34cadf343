"""What is said of the runs behind the numbers: how many are odd, of which kind, and an example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runmetrics.collectors.wandb.groups import Series
from runmetrics.collectors.wandb.measures import Rules
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Metric
from runmetrics.collectors.wandb.reading.kept import Scanned
from runmetrics.collectors.wandb.reading.plan import ScanRead
from runmetrics.collectors.wandb.tallies import OddRuns, Tally
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.text import counted, exact_length, show_value, some


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that is said of `count` runs; a number beside the values counts it by `kind`.

    `lines` say it in words; there are none where the values' own notes do.
    """

    kind: str
    count: int
    lines: tuple[str, ...] = ()


def remarks_of(odd: OddRuns, known: Sequence[tuple[Metric, Series]], rules: Rules) -> list[Remark]:
    """Return what is to be said of the runs that were read, and of those behind the values."""
    unconfigured, assumed_, unpriced, types = Tally(), Tally(), Tally(), set[str]()
    for doubts in (series.behind.gpus for _, series in known):
        if doubts:
            unconfigured.update(doubts.unconfigured)
            assumed_.update(doubts.assumed)
            unpriced.update(doubts.unpriced)
            types |= doubts.types
    found = [
        Remark("impossible", len(odd.impossible), faults(odd)),
        _odd(
            *("imported", odd.imported),
            "synced offline or imported: dated by the client's own times",
        ),
        _odd(
            *("mixed_labels", odd.mixed_labels),
            "with GPU samples both under node labels and without: the labelled alone count",
        ),
        _odd(
            *("gpus_per_run", unconfigured),
            f"without a usable number under {rules.gpus_per_run}: GPUs counted as W&B knows them",
        ),
        _odd("unpriced", unpriced, _without_a_price(types)),
        Remark("gpus_assumed", len(assumed_)),
    ]
    return [each for each in found if each.count]


def hidden(scans: Mapping[ScanRead, Scanned | Unknown]) -> Remark:
    """Return how many runs are counted and not shown, at most of any scan."""
    found = {
        read: scanned.hidden
        for read, scanned in scans.items()
        if isinstance(scanned, Scanned) and scanned.hidden
    }
    lines = (
        f"W&B counts {_counted(count, read)} that it does not show: sums, means and counts are of "
        "those that it shows; counts without a window may include older runs that it hides"
        for read, count in found.items()
    )
    return Remark("hidden", max(found.values(), default=0), tuple(lines))


def _counted(count: int, read: ScanRead) -> str:
    """Return how many runs of which kind: those of a window, or those in some states."""
    states = f"{' or '.join(read.states)} " if read.states else ""
    lately = f" of the last {exact_length(read.window)}" if read.window else ""
    return f"{counted(count, f'{states}run')}{lately}"


def faults(odd: OddRuns) -> tuple[str, ...]:
    """Return what cannot be of the runs, counted, with the worst of each or an example."""
    lines = []
    for what, faulty in sorted(odd.faults.items()):
        fault = faulty.fault
        example = f"worst: {fault.shown} in" if fault.shown else "such as"
        which = f"{counted(len(faulty), 'run')} ({example} {faulty.worst})"
        lines.append(f"{what} in {which}: {fault.therefore}")
    return tuple(lines)


def assumed(metric: Metric, series: Series) -> str:
    """Return how much of a number of GPUs or GPU hours rests on runs that are taken for one GPU."""
    doubts = series.behind.gpus
    if series.value is None or metric.priced or doubts is None or not doubts.assumed_share:
        return ""
    which = f"{counted(len(doubts.assumed), 'run')} without a recorded or seen GPU, taken for one"
    if metric.aggregate is not Aggregate.SUM:
        return f"rests on {which}"
    of = show_value(series.value, metric.unit)
    return f"{show_value(doubts.assumed_share, '')} of {of} are of {which}"


def _odd(kind: str, runs: Tally, how: str) -> Remark:
    example = f" (such as {runs.first})" if runs.first else ""
    return Remark(kind, len(runs), (f"{counted(len(runs), 'run')}{example} {how}",))


def _without_a_price(types: set[str]) -> str:
    """Return why there is no price for the runs, and where prices are given."""
    named = sorted(types - {""})
    why = ["without a known GPU"] if "" in types else []
    why += [f"of a type without a price ({some(named)})"] if named else []
    fix = "; add the type, or a default, to gpu_prices" if named else ""
    return f"{', or '.join(why)}: their cost is left out{fix}"

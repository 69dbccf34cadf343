"""What is said beside the values: why one is missing, what the cap did, which runs are odd."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.groups import OTHER, Series
from runmetrics.collectors.wandb.measures import Rules
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Field, Metric
from runmetrics.collectors.wandb.reading.document import SummaryAsk
from runmetrics.collectors.wandb.reading.filters import Filter
from runmetrics.collectors.wandb.reading.kept import Scanned
from runmetrics.collectors.wandb.reading.plan import ScanRead
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.tallies import GpuDoubts, OddRuns, Tally
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.collectors.wandb.values import decode_object, leaves, number
from runmetrics.errors import RunmetricsError
from runmetrics.spelling import shown
from runmetrics.text import counted, exact_length, show_value, some

_MOST_RUNS = 3
"""Whole summaries are read of no more runs: one may be hundreds of KB (fact 27)."""

_MOST_KEYS = 3


def note(metric: Metric, series: Series, logged: set[str]) -> str:
    """Say how many of the runs lack the value, and which similar keys are logged instead."""
    if series.over_cap:
        return f"{series.over_cap:,} series {'summed' if series.tags else 'left out'} by max_series"
    field = metric.field
    if series.value is not None and (field is None or series.known == series.selected):
        return ""
    which = f"{' or '.join(metric.states)} runs" if metric.states else "runs"
    latest = metric.aggregate is Aggregate.LATEST
    if series.selected and field is not None:
        lacking = series.selected - series.known
        noun = "known price or duration" if metric.priced else _noun(field)
        text = f"{lacking:,} of {series.selected:,} {which} have no {noun}"
        if latest and series.known and series.value is None:
            able = f"{series.known:,} of {series.selected:,} {which}"
            text = f"{able} have a {noun}, and none of them a heartbeat"
        behind = series.behind
        text += no_numbers(behind.texts, behind.text, behind.not_finite)
    elif metric.window:
        text = f"no {which} in the window"
    elif field is None or metric.by or metric.live:
        text = f"no {which}{' that meet its conditions' * bool(metric.conditions)}"
    else:
        text = f"no run {'with a heartbeat ' * latest}has a {_noun(field)}"
    similar = most_alike(field.key, logged) if field and field.source == "summary" else []
    if similar:
        text += "; similar keys in use: " + ", ".join(f"'{key}'" for key in similar)
    return text


def no_numbers(texts: int, text: str, not_finite: int) -> str:
    """Say how many runs have what is no number under a key: texts, of which `text` is one, NaN."""
    said = [f"NaN or an infinity in {not_finite:,}"] if not_finite else []
    said += [f"text in {texts:,}, such as {shown(text)}"] if texts else []
    return f" ({', '.join(said)})" if said else ""


def over_cap(metric: Metric, series: Iterable[Series], max_series: int) -> list[str]:
    """Say what became of the series of a metric that are over the cap."""
    return [
        f"{metric.name} by {' and '.join(metric.by)} has more than {max_series:,} series: "
        + (
            f"the least {each.over_cap:,} are summed as '{OTHER}'"
            if each.tags
            else f"the {each.over_cap:,} of the fewest runs are left out"
        )
        + "; narrow it, or raise max_series"
        for each in series
        if each.over_cap
    ]


def vain_filter(where: Filter, metrics: Sequence[Metric]) -> str:
    """Say that a filter matches no run of the whole project: it is often misspelt."""
    names = [metric.name for metric in metrics if Filter.of(metric.where) == where]
    shown = json.dumps(where.as_mapping(), ensure_ascii=False)
    return (
        f"no run of the whole project matches where {shown} of "
        f"{some(names)}: check its keys and values"
    )


async def logged_keys(client: ProjectClient, run_ids: Iterable[str]) -> set[str]:
    """Return summary keys under which a few of these runs have numbers, as far as can be read."""
    asks = list(dict.fromkeys(map(SummaryAsk, run_ids)))[:_MOST_RUNS]
    try:
        answers = await client.ask(asks)
    except RunmetricsError:
        return set()
    found: set[str] = set()
    for ask in asks:
        summary = answers[ask]
        if not isinstance(summary, Unknown):
            values = leaves(decode_object(summary) or {}, deepest=2)
            found |= {key for key, value in values if number(value) is not None}
    return found


def most_alike(key: str, others: Iterable[str]) -> list[str]:
    """Return those of `others` that share a word with `key` or are spelt nearly like it."""
    words = _words(key)
    scored = []
    for other in others:
        if other == key:
            continue
        shared = bool(words & _words(other)) or key.lower() in other.lower()
        likeness = difflib.SequenceMatcher(None, key.lower(), other.lower()).ratio()
        if shared or likeness > 0.7:
            scored.append((-likeness, other))
    return [other for _, other in sorted(scored)][:_MOST_KEYS]


def _words(key: str) -> set[str]:
    return {word for word in re.split(r"[^a-z0-9]+", key.lower()) if len(word) > 2}


def _noun(field: Field) -> str:
    return RUN_FIELDS[field.key].noun if field.source == "run" else f"number under '{field.key}'"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that is said of `count` runs; a number beside the values counts it by `kind`.

    `lines` say it in words; there are none where the values' own notes do.
    """

    kind: str
    count: int
    lines: tuple[str, ...] = ()


def of_runs(
    odd: OddRuns,
    known: Sequence[tuple[Metric, Series]],
    scans: Mapping[ScanRead, Scanned | Unknown],
    rules: Rules,
) -> list[Remark]:
    """Return what is to be said of the runs that were read, and of those behind the values."""
    doubts = GpuDoubts()
    for _, series in known:
        if series.behind.gpus:
            doubts.update(series.behind.gpus)
    found = [
        Remark("impossible", len(odd.impossible), _faults(odd)),
        _odd(
            *("imported", odd.imported),
            "synced offline or imported: dated by the client's own times",
        ),
        _odd(
            *("mixed_labels", odd.mixed_labels),
            "with GPU samples both under node labels and without: the labelled alone count",
        ),
        _odd(
            *("gpus_per_run", doubts.unconfigured),
            f"without a usable number under {rules.gpus_per_run}: GPUs counted as W&B knows them",
        ),
        _odd("unpriced", doubts.unpriced, _without_a_price(doubts.types)),
        Remark("gpus_assumed", len(doubts.assumed)),
        _hidden(scans),
    ]
    return [each for each in found if each.count]


def _hidden(scans: Mapping[ScanRead, Scanned | Unknown]) -> Remark:
    """Return how many runs are counted and not shown, at most of any scan."""
    most, lines = 0, []
    for read, scanned in scans.items():
        if isinstance(scanned, Unknown) or not scanned.hidden:
            continue
        states = f"{' or '.join(read.states)} " if read.states else ""
        lately = f" of the last {exact_length(read.window)}" if read.window else ""
        most = max(most, scanned.hidden)
        lines.append(
            f"W&B counts {counted(scanned.hidden, f'{states}run')}{lately} that it does not show: "
            "sums, means and counts are of those that it shows; counts without a window may "
            "include older runs that it hides"
        )
    return Remark("hidden", most, tuple(lines))


def _faults(odd: OddRuns) -> tuple[str, ...]:
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

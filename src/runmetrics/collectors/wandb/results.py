"""Turns what was read of projects into values, what has none, and problems.

Over the bound on all series of a collection no metric is split by `by`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runmetrics.collectors.wandb import remarks
from runmetrics.collectors.wandb.groups import Series
from runmetrics.collectors.wandb.measures import Rules
from runmetrics.collectors.wandb.metrics.catalog import Catalog, Metric
from runmetrics.collectors.wandb.reading.execute import Reading
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter
from runmetrics.collectors.wandb.reading.kept import Scanned
from runmetrics.collectors.wandb.reading.plan import (
    CountRead,
    Plan,
    RankedRead,
    ScanRead,
    bare_counts,
    metric_selection,
)
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reduce import reduce
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.server.pages import run_page
from runmetrics.collectors.wandb.tallies import OddRuns
from runmetrics.collectors.wandb.unknown import Unknown, hidden_runs
from runmetrics.custom_metrics import count_series
from runmetrics.errors import ExitCode
from runmetrics.model import Collection, Cost, Missing, Problem, RunRef, Sample
from runmetrics.spelling import shown
from runmetrics.text import counted

_FREE_REQUESTS: Final = 3
"""Similar keys are looked for while a project with a page of runs costs no more than this."""


def _with_filter(why: Unknown, metric: Metric) -> Unknown:
    """Name the metric's filter where something is wrong with what was asked."""
    if not metric.where or why.code is not ExitCode.CONFIGURATION:
        return why
    where = shown(Filter.of(metric.where).as_mapping())
    return dataclasses.replace(why, cause=f"{why.cause} (where: {where})")


@dataclass(slots=True)
class Results:
    """What was read of one project, as values of the `metrics` of a `plan`.

    `now` is the time of the values, `tags` are those of all of them.
    """

    metrics: Sequence[Metric]
    plan: Plan
    rules: Rules
    client: ProjectClient
    reading: Reading
    now: datetime
    tags: Mapping[str, str]
    logged: set[str] | None = None

    async def collection(self, metrics: Sequence[Metric]) -> Collection:
        """Return what was read, as values of these metrics."""
        known: list[tuple[Metric, Series]] = []
        unknown: dict[Unknown, list[str]] = {}
        over_cap: list[str] = []
        for metric in metrics:
            learned = self._lost(metric) or series_of(metric, self.plan, self.reading, self.rules)
            if isinstance(learned, Unknown):
                unknown.setdefault(_with_filter(learned, metric), []).append(metric.name)
            else:
                known += [(metric, series) for series in learned or [Series(None)]]
                over_cap += remarks.over_cap(metric, learned, self.rules.max_series)
        if self.logged is None:
            self.logged = await self._logged_instead(known)
        logged = self.logged
        samples: list[Sample] = []
        missing: list[Missing] = []
        for metric, series in known:
            tags = {**self.tags, **series.tags}
            notes = remarks.note(metric, series, logged), remarks.assumed(metric, series)
            note = "; ".join(filter(None, notes))
            if series.value is None:
                missing.append(Missing(metric.name, note, metric.unit, tags))
                continue
            samples.append(
                Sample(
                    metric.name,
                    series.value,
                    self.now,
                    unit=metric.unit,
                    tags=tags,
                    description=metric.description,
                    runs=series.known,
                    run=run_ref(self.client, series.holder) if series.holder else None,
                    note=note,
                )
            )
        problems = [
            Problem(tuple(names), why.cause, why.fix, why.code, self.tags)
            for why, names in unknown.items()
        ]
        odd = OddRuns()
        for found in (self.reading.odd, *(each.odd for each in self.reading.scanned)):
            odd.update(found)
        about_runs = remarks.of_runs(odd, known, self.reading.scans, self.rules)
        notices = [*self.reading.notices, *(line for each in about_runs for line in each.lines)]
        project = f"{self.client.entity}/{self.client.project}"
        notices += [f"{project}: {line}" for line in (*self._vain_filters(), *over_cap)]
        return Collection(
            tuple(samples),
            tuple(missing),
            tuple(problems),
            tuple(notices),
            Cost(runs_read=sum(each.count for each in self.reading.scanned)),
            remarks={each.kind: each.count for each in about_runs},
        )

    def _lost(self, metric: Metric) -> Unknown | None:
        """Name a field that the metric needs and that this server does not have."""
        needed = metric_selection(metric, gpus_per_run=1).parts  # GPUs are counted without, too
        for name in sorted(needed & self.client.lost):
            return Unknown(
                f"this W&B server has no field {name!r}",
                "use a newer server, or drop the metric in the configuration file",
                ExitCode.CONFIGURATION,
            )
        return None

    async def _logged_instead(self, known: Sequence[tuple[Metric, Series]]) -> set[str]:
        """Return what runs without the key log instead, if that costs no more than is free.

        A run with NaN or text under the key has it, and is not asked.
        """
        lacking: list[str] = []
        for metric, series in known:
            if metric.field is not None and metric.field.source == "summary":
                name = str(metric.field)
                scans = [] if series.selected else self.reading.scanned
                runs = [run.id for scan in scans for run in scan.runs if name not in run.values]
                lacking += runs[-1:]
                lacking += filter(None, [series.behind.lacking])
        if self.client.server.requests >= _FREE_REQUESTS:
            return set()
        return await remarks.logged_keys(self.client, lacking)

    def _vain_filters(self) -> list[str]:
        counts = bare_counts(self.metrics)
        wheres = [read.where for read in counts if self.reading.counts[read] == 0]
        if EVERYTHING in wheres:  # an empty project
            return []
        return [remarks.vain_filter(where, self.metrics) for where in wheres]


def run_ref(client: ProjectClient, run: Run) -> RunRef:
    """Return the run as people find it: its id, its name and its page."""
    page = run_page(client.server.endpoint.app_url, client.entity, client.project, run.id)
    return RunRef(run.id, run.display_name, page)


def series_of(metric: Metric, plan: Plan, reading: Reading, rules: Rules) -> list[Series] | Unknown:
    """Return the metric's values from what was read of a project."""
    if reading.clock and metric.timed:
        return reading.clock
    match plan.answers[metric.name]:
        case CountRead() as read:
            count = reading.counts[read]
            return count if isinstance(count, Unknown) else [Series(float(count), known=count)]
        case RankedRead() as read:
            winner = reading.ranked[read]
            if isinstance(winner, Unknown):
                return winner
            run = winner.run
            if run is None:
                return [Series(None)]
            return [Series(run.number(str(read.field)), 1, 1, run)]
        case ScanRead() as read:
            scanned = reading.scans[read]
            if isinstance(scanned, Unknown):
                return scanned
            if hidden := _hidden_from(metric, scanned):
                return hidden
            if scanned.reduced:
                return scanned.reduced.reductions[metric].series()
            return reduce(metric, scanned.runs, rules)


def _hidden_from(metric: Metric, scanned: Scanned) -> Unknown | None:
    """Say that a hidden run may hold the value, where one run alone does, or moves its rank."""
    if not scanned.hidden:
        return None
    if metric.aggregate.percent is not None:
        return hidden_runs(scanned.hidden, "moves a percentile")
    return hidden_runs(scanned.hidden) if metric.aggregate.of_one_run else None


@dataclass(frozen=True, slots=True)
class Part:
    """What one project gave: metrics split as they say, and the same with none of them split."""

    split: Collection
    whole: Collection

    @classmethod
    def of(cls, collection: Collection) -> "Part":
        """Return a part that is the same either way."""
        return cls(collection, collection)


def bounded(parts: Sequence[Part], catalog: Catalog) -> Collection:
    """Add up what the projects gave, split if all series together are within the bound."""
    split = sum((part.split for part in parts), Collection())
    most = catalog.max_series_total
    series = count_series(split.samples)
    if most is None or series.total() <= most:
        return split
    whole = sum((part.whole for part in parts), Collection())
    by = {metric.name: metric.by for metric in catalog.metrics if metric.by}
    left = count_series(whole.samples).total()
    notices = []
    if largest := max(by, key=lambda name: series[name], default=""):
        notices.append(
            f"{counted(series.total(), 'series', 'series')} are more than max_series_total "
            f"({most:,}), so no metric is split: the largest, {largest} by "
            f"{' and '.join(by[largest])}, has {series[largest]:,}; narrow it, lower max_series, "
            "or raise max_series_total"
        )
    if left > most:
        notices.append(
            f"{left:,} series without any split are more than max_series_total ({most:,}) and are "
            "sent: raise it, or collect fewer metrics"
        )
    return dataclasses.replace(whole, notices=(*whole.notices, *notices))

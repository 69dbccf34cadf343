"""Collects the metrics of a catalog from W&B projects."""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from runmetrics.collectors.wandb import remarks, run_remarks
from runmetrics.collectors.wandb.groups import Series, estimate_series
from runmetrics.collectors.wandb.measures import Rules
from runmetrics.collectors.wandb.metrics.catalog import Metric, load_catalog
from runmetrics.collectors.wandb.projects import (
    Found,
    find_projects,
    near_projects,
    side_by_side,
)
from runmetrics.collectors.wandb.reading.execute import Reading, read_project
from runmetrics.collectors.wandb.reading.filters import EVERYTHING
from runmetrics.collectors.wandb.reading.plan import (
    CountRead,
    Plan,
    RankedRead,
    ScanRead,
    bare_counts,
    compile_plan,
    metric_selection,
)
from runmetrics.collectors.wandb.reading.project_client import NoSuchProject, ProjectClient
from runmetrics.collectors.wandb.reduce import reduce
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.series_bound import Part, bounded
from runmetrics.collectors.wandb.server.client import RetryPolicy, WandbClient
from runmetrics.collectors.wandb.server.errors import KeyRefused, NobodyLoggedIn
from runmetrics.collectors.wandb.server.pages import run_page
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.config.credentials import find_wandb_key
from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode, RunmetricsError
from runmetrics.event_loop import Loop
from runmetrics.model import Collection, Cost, Missing, Problem, RunRef, Sample
from runmetrics.plugins import Setup
from runmetrics.spelling import shown

_log = logging.getLogger(__name__)

_FREE_REQUESTS = 3
"""Similar keys are looked for while a project with a page of runs costs no more than this."""

_RETRY = RetryPolicy()

Watcher = Callable[[ProjectClient, Reading], Awaitable[None]]
"""Shown what was read of a project, while more can still be asked."""


class WandbCollector:
    """The collector `wandb`. `watchers` look on: what explains a value sees what made it."""

    name = "wandb"

    def __init__(self, setup: Setup, retry: RetryPolicy = _RETRY) -> None:
        settings = setup.settings
        self.retry = retry
        self.settings = settings
        self.progress = setup.progress
        self.shard = setup.shard
        self.watchers: list[Watcher] = []
        self._refused: KeyRefused | None = None
        self.catalog = load_catalog(
            setup.config, accuracy_key=settings.accuracy_key, loss_key=settings.loss_key
        )
        self.plan = compile_plan(self.catalog.metrics, settings.gpus_per_run)

    def collect(self, now: datetime, deadline: Deadline) -> Collection:
        """All metrics of all projects; what cannot be read of one leaves the others alone.

        Raises RunmetricsError where there is no key, or no way to use it.
        """
        with asyncio.Runner(loop_factory=Loop) as runner:
            return runner.run(self._collect(now, deadline))

    async def _collect(self, now: datetime, deadline: Deadline) -> Collection:
        key = find_wandb_key(self.settings, deadline)
        client = WandbClient.of(self.settings, key, deadline, retry=self.retry)
        async with client:
            found = await find_projects(client, self.settings)
            projects = self._own(found.projects)
            names = ", ".join(map("/".join, projects))
            _log.debug(
                "reading %s from %s with the key from %s", names, client.endpoint, key.source
            )
            self._refused = None
            parts = await side_by_side(
                projects,
                lambda entity, project: self._one(client, entity, project, now),
                lambda: client.slots,
            )
            requests, received = client.requests, client.bytes_received
            decoded = client.bytes_decoded
        whole = self._beforehand(found, projects) + bounded(parts, self.catalog)
        cost = Cost(requests, received, decoded, whole.cost.runs_read)
        return dataclasses.replace(
            whole,
            notices=tuple(dict.fromkeys(whole.notices)),
            cost=cost,
            defaults=self.settings.defaults_in_use,
            most_series=estimate_series(self.catalog, len(projects)),
        )

    def _own(self, projects: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        shard = self.shard
        return [each for each in projects if shard is None or shard.owns("/".join(each))]

    def _beforehand(self, found: Found, own: Sequence[tuple[str, str]]) -> Collection:
        """What is to be said whatever the projects hold."""
        notices = [*self.catalog.notices]
        if self.shard and not own and found.projects:
            count = len(found.projects)
            which = f"any of the {count} projects" if count > 1 else "the one project"
            notices.append(f"shard {self.shard} does not have {which}: nothing is read")
        problems = [
            self._all_unknown(error, {"wandb_entity": entity, "collector": self.name})
            for entity, error in found.failed.items()
        ]
        return Collection(problems=tuple(problems), notices=tuple(notices))

    def _all_unknown(self, error: RunmetricsError, tags: Mapping[str, str]) -> Problem:
        names = tuple(metric.name for metric in self.catalog.metrics)
        return Problem(names, error.cause, error.fix, error.exit_code, tags)

    async def _one(self, server: WandbClient, entity: str, project: str, now: datetime) -> Part:
        client = ProjectClient(server, entity, project)
        tags = self.tags_of(entity, project)
        if self._refused:
            return Part.of(Collection(problems=(self._all_unknown(self._refused, tags),)))
        try:
            reading = await read_project(client, self.plan, now, self.progress)
        except RunmetricsError as error:
            if isinstance(error, KeyRefused) and not isinstance(error, NobodyLoggedIn):
                self._refused = error  # for every project alike
            problem = self._all_unknown(error, tags)
            if isinstance(error, NoSuchProject):
                fix = await near_projects(server, entity, project)
                problem = dataclasses.replace(problem, fix=fix)
            return Part.of(Collection(problems=(problem,), notices=tuple(client.notices)))
        report = _Report(self, client, reading, now, tags)
        part = Part.of(await report.collection(self.catalog.metrics))
        if self.catalog.max_series_total is not None:
            unsplit = [dataclasses.replace(metric, by=()) for metric in self.catalog.metrics]
            part = dataclasses.replace(part, whole=await report.collection(unsplit))
        for watcher in self.watchers:
            await watcher(client, reading)
        return part

    def tags_of(self, entity: str, project: str) -> dict[str, str]:
        """Return the tags of every sample of a project."""
        own = {"wandb_entity": entity, "wandb_project": project, "collector": self.name}
        return {**own, **self.settings.tags_of(entity, project)}

    def rules(self, reading: Reading) -> Rules:
        """What the derived fields of a reading's runs depend on."""
        return Rules(
            reading.now,
            self.settings.gpus_per_run,
            self.catalog.max_series,
            self.settings.silent_after,
            self.settings.stall_after,
            self.catalog.prices,
        )


def _with_filter(why: Unknown, metric: Metric) -> Unknown:
    """Name the metric's filter where something is wrong with what was asked."""
    if not metric.where or why.code is not ExitCode.CONFIGURATION:
        return why
    return dataclasses.replace(why, cause=f"{why.cause} (where: {shown(metric.where)})")


@dataclass(slots=True)
class _Report:
    """Turns what was read of one project into samples, what is missing, and problems."""

    collector: WandbCollector
    client: ProjectClient
    reading: Reading
    now: datetime
    tags: Mapping[str, str]
    logged: set[str] | None = None

    async def collection(self, metrics: Sequence[Metric]) -> Collection:
        """Return what was read, as values of these metrics."""
        rules = self.collector.rules(self.reading)
        known: list[tuple[Metric, Series]] = []
        unknown: dict[Unknown, list[str]] = {}
        over_cap: list[str] = []
        for metric in metrics:
            learned = self._lost(metric) or series_of(
                metric, self.collector.plan, self.reading, rules
            )
            if isinstance(learned, Unknown):
                unknown.setdefault(_with_filter(learned, metric), []).append(metric.name)
            else:
                known += [(metric, series) for series in learned or [Series(None)]]
                over = remarks.over_cap(metric, learned, rules.max_series)
                over_cap += [f"{self._project}: {text}" for text in over]
        if self.logged is None:
            self.logged = await self._logged_instead(known)
        logged = self.logged
        samples: list[Sample] = []
        missing: list[Missing] = []
        for metric, series in known:
            tags = {**self.tags, **series.tags}
            notes = (
                remarks.note(metric, series, logged),
                run_remarks.assumed(metric, series, rules),
            )
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
        about_runs = run_remarks.remarks_of(self.reading.runs, known, rules)
        hidden = run_remarks.hidden(self.reading.scans)
        about_runs += [hidden] if hidden.count else []
        notices = [*self.reading.notices, *(line for each in about_runs for line in each.lines)]
        notices += [*self._vain_filters(), *over_cap]
        return Collection(
            tuple(samples),
            tuple(missing),
            tuple(problems),
            tuple(notices),
            Cost(runs_read=len(self.reading.runs)),
            remarks={each.kind: each.count for each in about_runs},
        )

    def _lost(self, metric: Metric) -> Unknown | None:
        """Names a field that the metric needs and that this server does not have."""
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
        lacking: list[Run] = []
        for metric, series in known:
            if metric.field is not None and metric.field.source == "summary":
                runs = series.selected or self.reading.runs
                name = str(metric.field)
                lacking += [run for run in runs if name not in run.values][-1:]
        if self.client.server.requests >= _FREE_REQUESTS:
            return set()
        return await remarks.logged_keys(self.client, lacking)

    @property
    def _project(self) -> str:
        return f"{self.client.entity}/{self.client.project}"

    def _vain_filters(self) -> list[str]:
        metrics = self.collector.catalog.metrics
        wheres = [read.where for read in bare_counts(metrics) if self.reading.counts[read] == 0]
        if EVERYTHING in wheres:  # an empty project
            return []
        return [f"{self._project}: {remarks.vain_filter(where, metrics)}" for where in wheres]


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
            return [Series(run.number(str(read.field)), [run], 1, run)]
        case ScanRead() as read:
            scanned = reading.scans[read]
            if isinstance(scanned, Unknown):
                return scanned
            return reduce(metric, scanned.runs, rules)

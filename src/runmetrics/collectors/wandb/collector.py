"""Collects the metrics of a catalog from W&B projects."""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from runmetrics.collectors.wandb.groups import estimate_series, estimate_total
from runmetrics.collectors.wandb.measures import Rules
from runmetrics.collectors.wandb.metrics.catalog import load_catalog
from runmetrics.collectors.wandb.projects import Found, find_projects, near_projects, side_by_side
from runmetrics.collectors.wandb.reading.execute import Reading, read_project
from runmetrics.collectors.wandb.reading.kept import AllRuns, Kept, ReducedRuns, Scanned
from runmetrics.collectors.wandb.reading.plan import ScanRead, compile_plan
from runmetrics.collectors.wandb.reading.project_client import NoSuchProject, ProjectClient
from runmetrics.collectors.wandb.reduce import Reduction
from runmetrics.collectors.wandb.results import Part, Results, bounded
from runmetrics.collectors.wandb.server.client import RetryPolicy, WandbClient
from runmetrics.collectors.wandb.server.errors import KeyRefused, NobodyLoggedIn
from runmetrics.config.credentials import find_wandb_key
from runmetrics.deadline import Deadline
from runmetrics.errors import RunmetricsError
from runmetrics.event_loop import Loop
from runmetrics.model import Collection, Cost, Problem
from runmetrics.plugins import Setup
from runmetrics.self_metrics import REMARKS

_log = logging.getLogger(__name__)

_RETRY = RetryPolicy()

Watcher = Callable[[ProjectClient, Reading], Awaitable[None]]
"""Shown what was read of a project, while more can still be asked."""


class WandbCollector:
    """The collector `wandb`. `watchers` look on: what explains a value sees what made it.

    `kept_whole` are scans of a whole history whose runs they want to see: each run of those is
    kept, a KB or two.
    """

    name = "wandb"

    def __init__(self, setup: Setup, retry: RetryPolicy = _RETRY) -> None:
        settings = setup.settings
        self.retry = retry
        self.settings = settings
        self.progress = setup.progress
        self.shard = setup.shard
        self.watchers: list[Watcher] = []
        self.kept_whole: set[ScanRead] = set()
        self._refused: KeyRefused | None = None
        self.catalog = load_catalog(setup.config, settings)
        self.plan = compile_plan(self.catalog.metrics, settings.gpus_per_run)
        self._unsplit = (
            [dataclasses.replace(metric, by=()) for metric in self.catalog.metrics]
            if self.catalog.max_series_total is not None
            else []
        )

    def collect(self, now: datetime, deadline: Deadline) -> Collection:
        """Return all metrics of all projects; what cannot be read of one leaves the others alone.

        Raises RunmetricsError where there is no key, or no way to use it.
        """
        with asyncio.Runner(loop_factory=Loop) as runner:
            return runner.run(self._collect(now, deadline))

    async def _collect(self, now: datetime, deadline: Deadline) -> Collection:
        key = find_wandb_key(self.settings, deadline)
        client = WandbClient.of(self.settings, key, deadline, retry=self.retry)
        async with client:
            found = await find_projects(client, self.settings)
            projects = [
                each
                for each in found.projects
                if self.shard is None or self.shard.owns("/".join(each))
            ]
            names = ", ".join(map("/".join, projects))
            _log.debug(
                "reading %s from %s with the key from %s", names, client.endpoint, key.source
            )
            self._refused = None
            parts = await side_by_side(
                projects,
                lambda entity, project: self._one(client, entity, project, now),
                lambda: client.pace.most_at_once,
            )
        whole = self._beforehand(found, projects) + bounded(parts, self.catalog)
        received, decoded = client.meter.bytes_received, client.meter.bytes_decoded
        cost = Cost(client.requests, received, decoded, whole.cost.runs_read or 0)
        return dataclasses.replace(
            whole,
            notices=tuple(dict.fromkeys(whole.notices)),
            cost=cost,
            defaults=self.settings.defaults_in_use,
            remarks={**dict.fromkeys(REMARKS, 0), **whole.remarks},
            most_series=estimate_series(self.catalog, len(projects)),
            most_series_total=estimate_total(self.catalog, len(projects)),
        )

    def _beforehand(self, found: Found, own: Sequence[tuple[str, str]]) -> Collection:
        """Return what is to be said whatever the projects hold."""
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
            reading = await read_project(client, self.plan, now, self._keep, self.progress)
        except RunmetricsError as error:
            if isinstance(error, KeyRefused) and not isinstance(error, NobodyLoggedIn):
                self._refused = error  # for every project alike
            problem = self._all_unknown(error, tags)
            if isinstance(error, NoSuchProject):
                fix = await near_projects(server, self.settings, entity, project)
                problem = dataclasses.replace(problem, fix=fix)
            return Part.of(Collection(problems=(problem,), notices=tuple(client.notices)))
        metrics = self.catalog.metrics
        rules = self.rules(reading.now)
        results = Results(metrics, self.plan, rules, client, reading, now, tags)
        part = Part.of(await results.collection(metrics))
        if self._unsplit:
            part = dataclasses.replace(part, whole=await results.collection(self._unsplit))
        for watcher in self.watchers:
            await watcher(client, reading)
        return part

    def tags_of(self, entity: str, project: str) -> dict[str, str]:
        """Return the tags of every sample of a project."""
        own = {"wandb_entity": entity, "wandb_project": project, "collector": self.name}
        return {**own, **self.settings.tags_of(entity, project)}

    def _keep(self, read: ScanRead, now: datetime) -> Kept[Scanned]:
        """Return what takes in the runs of a scan: a whole history is reduced as it comes."""
        if read.window or read.states or read in self.kept_whole:
            return AllRuns()
        rules = self.rules(now)
        reductions = {
            metric: Reduction(metric, rules)
            for metric in (*self.catalog.metrics, *self._unsplit)
            if self.plan.answers[metric.name] == read
        }
        return ReducedRuns(reductions, now)

    def rules(self, now: datetime) -> Rules:
        """Return what the derived fields of runs depend on; `now` is W&B's time."""
        return Rules(
            now,
            self.settings.gpus_per_run,
            self.catalog.max_series,
            self.settings.silent_after,
            self.settings.stall_after,
            self.catalog.prices,
        )

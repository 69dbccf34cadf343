"""Collects the metrics of a catalog from W&B projects."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from runmetrics.collectors import Setup
from runmetrics.collectors.wandb.asker import Asker, NoSuchProject
from runmetrics.collectors.wandb.catalog import Field, Metric, load_catalog
from runmetrics.collectors.wandb.client import WandbClient
from runmetrics.collectors.wandb.plan import Plan, compile_plan
from runmetrics.collectors.wandb.projects import expand, near_projects
from runmetrics.collectors.wandb.prove import Winner
from runmetrics.collectors.wandb.read import Reading, read_project
from runmetrics.collectors.wandb.reduce import Rules, Series, reduce
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.similar import logged_keys, most_alike
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.collectors.wandb.walk import Walk
from runmetrics.credentials import find_wandb_key
from runmetrics.deadline import Deadline
from runmetrics.errors import RunmetricsError
from runmetrics.model import Collection, Cost, Missing, Problem, RunRef, Sample

DEFAULT_BASE_URL = "https://api.wandb.ai"
_FREE_REQUESTS = 3
"""Similar keys are looked for while a project with a page of runs costs no more than this."""

_DERIVED = {
    "duration_hours": "known duration",
    "gpu_hours": "known duration",
    "gpu_utilization": "GPU utilization",
}


class WandbCollector:
    """The collector `wandb`."""

    name = "wandb"

    def __init__(self, setup: Setup) -> None:
        settings = setup.settings
        self.settings = settings
        self.progress = setup.progress
        self.catalog = load_catalog(
            setup.config, accuracy_key=settings.accuracy_key, loss_key=settings.loss_key
        )
        self.plan = compile_plan(self.catalog.metrics, settings.gpus_per_run)

    def collect(self, now: datetime, deadline: Deadline) -> Collection:
        """All metrics of all projects. Raises RunmetricsError when no project could be read."""
        return asyncio.run(self._collect(now, deadline))

    async def _collect(self, now: datetime, deadline: Deadline) -> Collection:
        key = find_wandb_key(self.settings, deadline)
        base_url = key.base_url or self.settings.base_url or DEFAULT_BASE_URL
        client = WandbClient(
            base_url, key, deadline, allow_insecure_http=self.settings.allow_insecure_http
        )
        async with client:
            projects = await expand(client, self.settings)
            parts = await asyncio.gather(
                *(self._one(client, entity, project, now) for entity, project in projects)
            )
            requests, received = client.requests, client.bytes_received
            decoded = client.bytes_decoded
        whole = sum(parts, start=Collection(notices=self.catalog.notices))
        cost = Cost(requests, received, decoded, whole.cost.runs_read)
        return Collection(
            whole.samples, whole.missing, whole.problems, tuple(dict.fromkeys(whole.notices)), cost
        )

    async def _one(
        self, client: WandbClient, entity: str, project: str, now: datetime
    ) -> Collection:
        asker = Asker(client, entity, project)
        tags = {"wandb_entity": entity, "wandb_project": project, "collector": self.name}
        try:
            reading = await read_project(asker, self.plan, now, self.progress)
        except RunmetricsError as error:
            mend = error.mend
            if isinstance(error, NoSuchProject):
                mend = await near_projects(client, entity, project)
            names = tuple(metric.name for metric in self.catalog.metrics)
            problem = Problem(names, error.cause, mend, error.exit_code, tags)
            return Collection(problems=(problem,), notices=tuple(asker.notices))
        report = _Report(self, asker, reading, now, tags)
        return await report.collection()


@dataclass(slots=True)
class _Report:
    """Turns what was read of one project into samples, what is missing, and problems."""

    collector: WandbCollector
    asker: Asker
    reading: Reading
    now: datetime
    tags: Mapping[str, str]

    async def collection(self) -> Collection:
        rules = Rules(self.reading.now, self.collector.settings.gpus_per_run)
        known: list[tuple[Metric, Series]] = []
        unknown: dict[Unknown, list[str]] = {}
        for metric in self.collector.catalog.metrics:
            learned = series_of(metric, self.collector.plan, self.reading, rules)
            if isinstance(learned, Unknown):
                unknown.setdefault(learned, []).append(metric.name)
            else:
                known += [(metric, series) for series in learned]
        logged = await self._logged_instead(known)
        samples: list[Sample] = []
        missing: list[Missing] = []
        for metric, series in known:
            tags = {**self.tags, **series.tags}
            note = _note(metric, series, logged)
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
                    run=self._ref(series.holder),
                    note=note,
                )
            )
        problems = [
            Problem(tuple(names), why.cause, why.mend, why.code, self.tags)
            for why, names in unknown.items()
        ]
        notices = [*self.reading.notices, *self._faults()]
        cost = Cost(runs_read=self.reading.runs_read)
        return Collection(tuple(samples), tuple(missing), tuple(problems), tuple(notices), cost)

    def _ref(self, run: Run | None) -> RunRef | None:
        if run is None:
            return None
        path = "/".join(quote(part, safe="") for part in (self.asker.entity, self.asker.project))
        site = self.asker.client.endpoint.shown.replace("://api.", "://", 1)
        return RunRef(run.id, run.display_name, f"{site}/{path}/runs/{quote(run.id, safe='')}")

    async def _logged_instead(self, known: Sequence[tuple[Metric, Series]]) -> set[str]:
        """What runs without a value log instead, if that costs no request beyond the free ones."""
        lacking: list[Run] = []
        for metric, series in known:
            if metric.field is not None and metric.field.source == "summary":
                runs = series.selected or self._all_runs()
                name = str(metric.field)
                lacking += [run for run in runs if run.number(name) is None][-1:]
        if self.asker.client.requests >= _FREE_REQUESTS:
            return set()
        return await logged_keys(self.asker, lacking)

    def _all_runs(self) -> list[Run]:
        walks = [learned for _, learned in self.reading.answers if isinstance(learned, Walk)]
        return [run for walk in walks for run in walk.runs.values()]

    def _faults(self) -> list[str]:
        """What could not be made sense of in the runs, counted, with an example."""
        found: dict[str, list[str]] = {}
        for run in self._all_runs():
            for fault in run.faults:
                found.setdefault(fault, []).append(run.id)
        return [
            f"{fault} in {len(runs)} run{'s' * (len(runs) > 1)} (such as {runs[0]}): "
            "taken as if those runs did not have it"
            for fault, runs in sorted(found.items())
        ]


def _note(metric: Metric, series: Series, logged: set[str]) -> str:
    """How many of the runs lack the value, and which similar keys are logged instead."""
    field = metric.field
    if field is None or (series.value is not None and series.known == len(series.selected)):
        return ""
    which = f"{' or '.join(metric.states)} runs" if metric.states else "runs"
    lacking = len(series.selected) - series.known
    if series.selected:
        text = f"{lacking:,} of {len(series.selected):,} {which} have no {_named(field)}"
    elif metric.window:
        text = f"no {which} in the window"
    else:
        text = f"no run has a number under {_named(field)}"
    similar = most_alike(field.key, logged) if field.source == "summary" else []
    if similar:
        text += "; similar keys in use: " + ", ".join(f"'{key}'" for key in similar)
    return text


def series_of(metric: Metric, plan: Plan, reading: Reading, rules: Rules) -> list[Series] | Unknown:
    """The metric's values from what was read of a project."""
    learned = reading.of(plan.answers[metric.name])
    if isinstance(learned, Unknown):
        return learned
    if isinstance(learned, int):
        return [Series(float(learned), known=learned)]
    if isinstance(learned, Winner):
        run = learned.run
        if run is None or metric.field is None:
            return [Series(None)]
        return [Series(run.number(str(metric.field)), [run], 1, run)]
    return reduce(metric, learned.runs.values(), rules)


def _named(field: Field) -> str:
    return f"'{field.key}'" if field.source != "run" else _DERIVED.get(field.key, field.key)

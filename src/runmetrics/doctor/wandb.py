"""Check the near end: the W&B key, the server, the account, and what the collector makes of it."""

import asyncio
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, ValidationError

from runmetrics import pipeline
from runmetrics.collectors.wandb.collector import WandbCollector
from runmetrics.collectors.wandb.reading.clocks import CLOCK_TOLERANCE_SECONDS, clock_notice
from runmetrics.collectors.wandb.reading.execute import Reading
from runmetrics.collectors.wandb.reading.filters import Filter
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reading.refusals import without
from runmetrics.collectors.wandb.server.answers import Answer
from runmetrics.collectors.wandb.server.client import RetryPolicy, WandbClient
from runmetrics.collectors.wandb.server.endpoint import Endpoint, base_url_of
from runmetrics.collectors.wandb.server.errors import BadDocument
from runmetrics.config.credentials import ApiKey, find_wandb_key
from runmetrics.config.settings import Settings
from runmetrics.custom_metrics import count_series
from runmetrics.deadline import Deadline
from runmetrics.doctor.findings import Finding, Verdict, broken, failed, not_asked, ok, warning
from runmetrics.doctor.project import COVERED, Seen, in_words, look
from runmetrics.errors import CredentialRefused, ExitCode, RunmetricsError
from runmetrics.event_loop import Loop
from runmetrics.model import Problem
from runmetrics.plugins import Setup
from runmetrics.sinks.datadog.series import MOST_SECONDS_AHEAD, MOST_SECONDS_PAST
from runmetrics.text import some

_WHO = "query RunmetricsViewer { viewer { username entity teams { edges { node { name } } } } }"
_WHO_ON_OLD_SERVERS = "query RunmetricsViewer { viewer { username entity } }"
_WHOEVER = "query RunmetricsViewer { __typename }"
_A_PERSON_WAITS = RetryPolicy(tries=2, most_seconds=5, read_timeout_seconds=15)

_KEY, _SERVER, _CLOCKS, _ACCOUNT = "W&B key", "W&B server", "clocks", "W&B account"
_FIELDS, _PROJECT, _RUNS, _COLLECTING = "server fields", "project", "runs", "collecting"
_OF_PROJECTS = (_FIELDS, _PROJECT, _RUNS, *COVERED, _COLLECTING)
STEPS = (_KEY, _SERVER, _CLOCKS, _ACCOUNT, *_OF_PROJECTS)
_MOST_NAMES = 3
_MOST_PROJECTS = 5


@dataclass(frozen=True, slots=True)
class Who:
    """Who the key belongs to: nobody has no name. `clock_offset_seconds` is W&B's less ours.

    `is_told` unless the server has no way to say it.
    """

    name: str
    entities: list[str]
    clock_offset_seconds: float | None
    endpoint: Endpoint
    is_told: bool


class _Named(BaseModel):
    name: str | None = None


class _Edge(BaseModel):
    node: _Named | None = None


class _Teams(BaseModel):
    edges: list[_Edge] = []


class _Viewer(BaseModel):
    """Whom W&B takes the key's owner for, as it answers `_WHO`."""

    username: str | None = None
    entity: str | None = None
    teams: _Teams | None = None

    @classmethod
    def of(cls, answer: object) -> Self:
        """Read an answer; what has another shape names nobody."""
        try:
            return cls.model_validate(answer)
        except ValidationError:
            return cls()

    @property
    def entities(self) -> list[str]:
        """The person's own entity and its teams, each once."""
        teams = self.teams.edges if self.teams else []
        named = [self.entity, *(edge.node.name for edge in teams if edge.node)]
        return list(dict.fromkeys(name for name in named if name))


def check_wandb(setup: Setup, deadline: Deadline) -> Iterator[Finding]:
    """Check from the key to the metrics, as far as each step lets the next one be asked."""
    try:
        key = find_wandb_key(setup.settings, deadline)
    except RunmetricsError as error:
        yield failed(_KEY, error)
        yield from _left_out(_SERVER, _CLOCKS, _ACCOUNT, *_OF_PROJECTS, by=_KEY)
        return
    yield ok(_KEY, f"from {key.source}")
    base_url = base_url_of(setup.settings, key)
    try:
        with asyncio.Runner(loop_factory=Loop) as runner:
            who = runner.run(_who(setup.settings, key, deadline))
    except CredentialRefused as error:
        yield ok(_SERVER, f"{base_url} answers")
        yield from not_asked([_CLOCKS], f"first fix: {_ACCOUNT}")
        yield failed(_ACCOUNT, error)
        yield from _left_out(*_OF_PROJECTS, by=_ACCOUNT)
        return
    except RunmetricsError as error:
        yield failed(_SERVER, error)
        yield from _left_out(_CLOCKS, _ACCOUNT, *_OF_PROJECTS, by=_SERVER)
        return
    yield ok(_SERVER, f"{base_url} answers")
    yield _clocks(who.clock_offset_seconds)
    yield from _Collecting(setup, deadline, who).findings()


def _left_out(*steps: str, by: str) -> list[Finding]:
    return not_asked(steps, f"first fix: {by}")


async def _who(settings: Settings, key: ApiKey, deadline: Deadline) -> Who:
    async with WandbClient.of(settings, key, deadline, retry=_A_PERSON_WAITS) as client:
        answer = await _told(client)
        viewer = _Viewer.of(answer.data.get("viewer"))
        return Who(
            viewer.username or "",
            viewer.entities,
            client.clock_offset_seconds,
            client.endpoint,
            is_told="viewer" in answer.data,
        )


async def _told(client: WandbClient) -> Answer:
    """Return who the key belongs to, as far as the server can say it."""
    for document in (_WHO, _WHO_ON_OLD_SERVERS):
        try:
            return await client.query(document)
        except BadDocument:
            continue
    return await client.query(_WHOEVER)


def _clocks(offset: float | None) -> Finding:
    if offset is None:
        return not_asked([_CLOCKS], "W&B does not say what time it is")[0]
    notice = clock_notice(offset)
    if not notice:
        return ok(_CLOCKS, "this machine's and W&B's differ by less than a minute")
    if -MOST_SECONDS_AHEAD < offset < MOST_SECONDS_PAST - CLOCK_TOLERANCE_SECONDS:
        return warning(_CLOCKS, notice)
    cause, _, fix = notice.partition(": ")
    lost = "Datadog drops points so far off without a word"
    return broken(_CLOCKS, f"{cause}; {lost}", fix, ExitCode.CONFIGURATION)


class _Collecting:
    """Collect once with the collector itself, and look at what it reads meanwhile."""

    def __init__(self, setup: Setup, deadline: Deadline, who: Who) -> None:
        self._settings = setup.settings
        self._where = Filter.of(setup.config.layout.where if setup.config else {})
        self._who = who
        self._seen: dict[tuple[str, str], Seen] = {}
        self._collector = WandbCollector(setup, _A_PERSON_WAITS)
        self._collector.watchers.append(self._watch)
        self._deadline = deadline

    async def _watch(self, client: ProjectClient, reading: Reading) -> None:
        seen = await look(client, reading, self._settings, self._where)
        self._seen[seen.entity, seen.project] = seen

    def findings(self) -> Iterator[Finding]:
        """Yield the account, then each project, then what was collected."""
        outcome = pipeline.run(self._collector, (), datetime.now(UTC), self._deadline)
        problems = outcome.collection.problems
        whole = [problem for problem in problems if self._unread(problem)]
        if not self._who.name and not self._seen and whole:
            yield broken(_ACCOUNT, whole[0].cause, whole[0].fix, whole[0].code)
            yield from _left_out(*_OF_PROJECTS, by=_ACCOUNT)
            return
        yield self._account()
        if not self._seen:
            yield from not_asked([_FIELDS], f"first fix: {_PROJECT}")
        else:
            yield from _fields(frozenset().union(*(seen.lacking for seen in self._seen.values())))
        several = len(self._seen) + len(whole) > 1
        for problem in whole:
            yield self._lost(problem, several=several)
        yield from self._projects(several=several)
        if not self._seen:
            yield from _left_out(_RUNS, *COVERED, _COLLECTING, by=_PROJECT)
            return
        of_whom = f"{some([*map('/'.join, self._seen)], _MOST_NAMES)}: " if whole else ""
        others = [each for each in problems if each not in whole]
        yield from self._collected(outcome, others, of_whom)

    def _projects(self, *, several: bool) -> Iterator[Finding]:
        many = len(self._seen) > _MOST_PROJECTS
        if many:
            yield ok(
                _PROJECT, f"{len(self._seen)} projects can be read; their good lines are left out"
            )
        for (entity, project), seen in self._seen.items():
            name = f"{entity}/{project}"
            found = in_words(seen, self._settings, f"{name}: " if several else "")
            if many:
                yield from (each for each in found if each.verdict is not Verdict.OK)
            else:
                yield ok(_PROJECT, f"{name} can be read")
                yield from found

    def _unread(self, problem: Problem) -> bool:
        place = (problem.tags.get("wandb_entity", ""), problem.tags.get("wandb_project", ""))
        return place not in self._seen

    def _account(self) -> Finding:
        who = self._who
        if who.name:
            entities = ", ".join(who.entities) or "none"
            return ok(_ACCOUNT, f"{who.name}, whose entities are {entities}")
        if not who.is_told:
            return warning(_ACCOUNT, "this W&B server does not say whose the API key is")
        if not self._seen:
            return warning(_ACCOUNT, "W&B knows nobody by this key")
        return warning(_ACCOUNT, who.endpoint.read_as_public(*next(iter(self._seen))))

    def _lost(self, problem: Problem, *, several: bool) -> Finding:
        entity = problem.tags.get("wandb_entity", "")
        project = problem.tags.get("wandb_project", "*")
        fix = problem.fix
        if problem.code is ExitCode.CONFIGURATION and entity not in self._who.entities:
            near = difflib.get_close_matches(entity, self._who.entities, n=1, cutoff=0.5)
            fix += f"; did you mean the entity {near[0]}?" if near else ""
        where = f"{entity}/{project}: " if several else ""
        return broken(_PROJECT, f"{where}{problem.cause}", fix, problem.code)

    def _collected(
        self, outcome: pipeline.Outcome, problems: list[Problem], of_whom: str
    ) -> Iterator[Finding]:
        said = {notice for seen in self._seen.values() for notice in seen.notices}
        said |= {*self._collector.catalog.notices}
        for problem in problems:
            names = some(problem.metrics, _MOST_NAMES)
            cause = f"{names}: {problem.cause}" if names else problem.cause
            yield broken(_COLLECTING, cause, problem.fix, outcome.exit_code)
        for notice in outcome.collection.notices:
            if notice not in said:
                yield warning(_COLLECTING, notice)
        yield from _near_the_bound(outcome, self._collector.catalog.max_series_total)
        if not problems:
            result = _result(outcome, len(self._collector.catalog.metrics))
            yield ok(_COLLECTING, of_whom + result)


def _near_the_bound(outcome: pipeline.Outcome, most: int | None) -> Iterator[Finding]:
    """Warn from 80 % of the bound on, since over it no metric is split any more."""
    series = count_series(outcome.collection.samples)
    if most is not None and series.total() >= 0.8 * most:
        name, count = series.most_common(1)[0]
        yield warning(
            _COLLECTING,
            f"{series.total():,} series of at most {most:,}, {count:,} of them {name}",
            "raise max_series_total, or lower max_series, before metrics are no longer split",
        )


def _fields(lacking: frozenset[str]) -> Iterator[Finding]:
    for name in sorted(lacking):
        yield warning(_FIELDS, without(name))
    if not lacking:
        yield ok(_FIELDS, "the server has every field that is read")


def _result(outcome: pipeline.Outcome, metrics: int) -> str:
    collection = outcome.collection
    known = {sample.name for sample in collection.samples}
    lacking = sorted({each.name for each in collection.missing} - known)
    text = f"{len(known)} of {metrics} metrics have a value"
    if lacking:
        text += f"; no data for {some(lacking, _MOST_NAMES)}"
    return text

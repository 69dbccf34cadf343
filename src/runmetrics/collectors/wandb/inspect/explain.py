"""Explain a metric's value: the filter that selects its runs, the runs, and what each adds.

Nothing is computed here: the collector collects as it always does, and a watcher notes the runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from runmetrics.collectors.wandb.collector import WandbCollector
from runmetrics.collectors.wandb.contributions import detail_of, value_of
from runmetrics.collectors.wandb.groups import Series
from runmetrics.collectors.wandb.measures import Rules
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Catalog, Metric
from runmetrics.collectors.wandb.metrics.file import pack_of
from runmetrics.collectors.wandb.reading.document import PageAsk
from runmetrics.collectors.wandb.reading.execute import Reading
from runmetrics.collectors.wandb.reading.filters import (
    Filter,
    alive_since,
    created_since,
    in_states,
)
from runmetrics.collectors.wandb.reading.kept import Scanned
from runmetrics.collectors.wandb.reading.plan import CountRead, RankedRead, ScanRead
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reading.ranking import best, rank
from runmetrics.collectors.wandb.reduce import Tags, by_group
from runmetrics.collectors.wandb.results import run_ref, series_of
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.deadline import Deadline
from runmetrics.errors import CommandLineError, ConfigurationError, RunmetricsError
from runmetrics.model import Collection, Missing, RunRef, Sample
from runmetrics.spelling import choose

MOST_RUNS = 20
"""Runs that are shown of those behind a value."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RunBehind:
    """A run behind a value; `value` is what it adds, None for a count and where it has none.

    `detail` is what else there is to say of it: since when it is silent, at which price it counts.
    """

    run: RunRef
    state: str
    last_sign: datetime | None
    value: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Behind:
    """The runs behind one result, in an order that is named: the first MOST_RUNS.

    `selected` is how many runs the metric takes into account, as far as is known. Of a percentile,
    where they are more than MOST_RUNS, those around it are shown: `first` is how many come before.
    """

    selected: int
    runs: tuple[RunBehind, ...]
    order: str
    first: int = 0


def find_metric(catalog: Catalog, name: str) -> Metric:
    """Return the metric of that name; CommandLineError says which was meant."""
    names = [metric.name for metric in catalog.metrics]
    if name not in names and (pack := pack_of(name)):
        fix = f"add packs: [{pack}] to the configuration file"
        raise ConfigurationError(f"{name} is in the pack {pack}, which is off", fix)
    if name not in names:
        raise CommandLineError(f"there is no metric {name!r}", choose(name, names))
    return catalog.metrics[names.index(name)]


class Explainer:
    """Collect as `collector` does, and keep one metric with the runs behind it.

    It costs one request more at most for each project. Raises ConfigurationError where there is no
    such metric.
    """

    def __init__(self, collector: WandbCollector, metric_name: str) -> None:
        self.name = collector.name
        self.metric = find_metric(collector.catalog, metric_name)
        self.read = collector.plan.answers[metric_name]
        self._collector = collector
        self._behind: dict[frozenset[tuple[str, str]], Behind] = {}
        if isinstance(self.read, ScanRead):
            collector.kept_whole.add(self.read)
        collector.watchers.append(self._look)

    def collect(self, now: datetime, deadline: Deadline) -> Collection:
        """Return what `WandbCollector.collect` learned, cut down to the one metric."""
        return self.part(self._collector.collect(now, deadline))

    def part(self, whole: Collection) -> Collection:
        """Return what a collection holds of this metric."""
        name = self.metric.name
        return replace(
            whole,
            samples=tuple(each for each in whole.samples if each.name == name),
            missing=tuple(each for each in whole.missing if each.name == name),
            problems=tuple(
                replace(each, metrics=(name,)) for each in whole.problems if name in each.metrics
            ),
        )

    def filter(self, now: datetime) -> Filter:
        """Return the filter of this metric's own runs.

        What a collection asks may be wider: one list of runs serves several metrics. A key by
        which W&B may not filter, with a dot or a slash, is no part of it.
        """
        if isinstance(self.read, CountRead):
            return self.read.filter
        if isinstance(self.read, RankedRead):
            return self.read.filter if self.read.plain else self.read.base
        own = Filter.of(self.metric.where) & in_states(self.metric.states)
        since = self.metric.since(now)
        if since is None:
            return own
        by_creation = self.metric.window_by == "created"
        return own & (created_since(since) if by_creation else alive_since(since))

    def behind(self, result: Sample | Missing) -> Behind:
        """Return the runs behind a result of `collect`; none where they could not be read."""
        return self._behind.get(frozenset(result.tags.items()), Behind(0, (), ""))

    async def _look(self, client: ProjectClient, reading: Reading) -> None:
        rules = self._collector.rules(reading.now)
        learned = series_of(self.metric, self._collector.plan, reading, rules)
        if isinstance(learned, Unknown):
            return
        project_tags = self._collector.tags_of(client.entity, client.project)
        groups = self._groups(learned, reading, rules)
        for series in learned:
            key = frozenset({**project_tags, **series.tags}.items())
            runs = groups.get(tuple(series.tags.items()), ())
            self._behind[key] = await self._found(client, series, runs, rules)

    def _groups(
        self, learned: Iterable[Series], reading: Reading, rules: Rules
    ) -> Mapping[Tags, Sequence[Run]]:
        """Return the runs of a scan behind each series; those of all over the cap together."""
        scanned = reading.scans.get(self.read) if isinstance(self.read, ScanRead) else None
        if not isinstance(scanned, Scanned):
            return {}
        groups = by_group(self.metric, scanned.runs, rules)
        for other in learned:
            if other.over_cap and other.tags:
                kept = {tuple(each.tags.items()) for each in learned if each is not other}
                rest = [run for tags, runs in groups.items() if tags not in kept for run in runs]
                groups[tuple(other.tags.items())] = [*{run.id: run for run in rest}.values()]
                break
        return groups

    async def _found(
        self, client: ProjectClient, series: Series, runs: Sequence[Run], rules: Rules
    ) -> Behind:
        if isinstance(self.read, ScanRead):
            pairs, order = _weighed(self.metric, runs, rules)
            selected = len(runs)
        else:
            dotted = isinstance(self.read, RankedRead) and self.read.dotted
            listed = [] if dotted else await _listed(client, self.read, rules.now)
            pairs, order = _ranked(self.read, listed, series.holder)
            selected = series.known
        first = _first_shown(self.metric, pairs)
        shown = tuple(
            RunBehind(
                *(run_ref(client, each), each.state, each.last_sign, value),
                detail_of(self.metric, each, rules),
            )
            for each, value in pairs[first : first + MOST_RUNS]
        )
        return Behind(max(selected, len(shown)), shown, order, first)


Weighed = list[tuple[Run, float | None]]


def _weighed(metric: Metric, runs: Sequence[Run], rules: Rules) -> tuple[Weighed, str]:
    """Return the runs of a scan with what each adds, those that weigh most first."""
    newest = sorted(runs, key=lambda each: each.last_sign or _LONG_AGO, reverse=True)
    if metric.field is None:
        return [(each, None) for each in newest], "last sign of life"
    pairs = [(each, value_of(metric, each, rules)) for each in newest]
    if metric.aggregate is Aggregate.LATEST:
        pairs.sort(key=lambda pair: pair[1] is None or pair[0].last_beat is None)
    if metric.aggregate is Aggregate.LATEST or all(value is None for _, value in pairs):
        return pairs, "last sign of life"
    sign = 1 if metric.aggregate is Aggregate.MIN else -1
    pairs.sort(key=lambda pair: (pair[1] is None, sign * (pair[1] or 0.0)))
    return pairs, str(metric.field)


def _first_shown(metric: Metric, pairs: Weighed) -> int:
    """Return where to begin: at the greatest, but of a percentile so that it is in the middle."""
    percent = metric.aggregate.percent
    if percent is None:
        return 0
    able = sum(value is not None for _, value in pairs)
    middle = round((1 - percent / 100) * (able - 1))
    return max(0, min(middle - MOST_RUNS // 2, len(pairs) - MOST_RUNS))


async def _listed(client: ProjectClient, read: CountRead | RankedRead, now: datetime) -> list[Run]:
    """Read runs that the server counts or ranks, which a collection does not need to read."""
    ask = (
        PageAsk(read.filter, "-created_at", MOST_RUNS)
        if isinstance(read, CountRead)
        else PageAsk(read.filter, read.order, MOST_RUNS, read.selection)
    )
    try:
        page = await client.ask_one(ask)
    except RunmetricsError:
        return []
    if isinstance(page, Unknown):
        return []
    return list(page.runs(ask.selection, now))


def _ranked(
    read: CountRead | RankedRead, listed: Sequence[Run], holder: Run | None
) -> tuple[Weighed, str]:
    """Return the runs of a ranked page; only its winner where that winner does not lead it."""
    if isinstance(read, CountRead):
        return [(each, None) for each in listed], "creation"
    able = [each for each in listed if rank(read, each) is not None]
    leader = best(read, able)
    if holder is None or leader is None or leader.id != holder.id:
        able = [] if holder is None else [holder]
    able.sort(key=lambda each: (rank(read, each) or (), each.id), reverse=True)
    name = str(read.field)
    by_beat = read.aggregate is Aggregate.LATEST
    return [(each, each.number(name)) for each in able], "last sign of life" if by_beat else name

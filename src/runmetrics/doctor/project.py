"""Look at one project while the collector reads it: its runs of the week, and what they hold."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runmetrics.collectors.wandb.fields import LIFE
from runmetrics.collectors.wandb.measures import Rules, configured_gpus
from runmetrics.collectors.wandb.reading.document import CountAsk, PageAsk
from runmetrics.collectors.wandb.reading.execute import Reading
from runmetrics.collectors.wandb.reading.filters import Filter
from runmetrics.collectors.wandb.reading.kept import Scanned
from runmetrics.collectors.wandb.reading.plan import ScanRead, serves
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reading.walks import read_scans
from runmetrics.collectors.wandb.remarks import as_text, logged_keys, most_alike
from runmetrics.collectors.wandb.runs import Run, make_run
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.config.settings import Settings
from runmetrics.errors import RunmetricsError

WEEK = timedelta(days=7)
_LATEST = 10


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the runs of the week have something.

    `instead` are similar keys that they log, `text` says how many have text in its place.
    """

    having: int
    of: int
    instead: tuple[str, ...] = ()
    text: str = ""

    @property
    def poor(self) -> bool:
        """Fewer than half: where a number rests on so few, its key is often misspelt."""
        return 2 * self.having < self.of


@dataclass(slots=True)
class Seen:
    """What was seen of one project. `trouble` says why no more was.

    `now` is W&B's time, `total` counts the runs that the file's filter lets through, `week` are
    those with a sign of life in the last 7 days, `latest` is the one that beat last. `lacking` are
    the fields that the server does not have.
    """

    entity: str
    project: str
    now: datetime
    notices: list[str]
    total: int = 0
    week: list[Run] = field(default_factory=list)
    latest: Run | None = None
    accuracy: Coverage = Coverage(0, 0)
    loss: Coverage = Coverage(0, 0)
    gpu_count: Coverage = Coverage(0, 0)
    gpu_utilization: Coverage = Coverage(0, 0)
    lacking: frozenset[str] = frozenset()
    trouble: Unknown | None = None


async def look(client: ProjectClient, reading: Reading, settings: Settings, where: Filter) -> Seen:
    """See what the runs of `where` hold; costs a request or two more than collecting."""
    seen = Seen(client.entity, client.project, reading.now, list(reading.notices))
    try:
        seen.trouble = await _look(seen, client, reading, settings, where)
    except RunmetricsError as error:
        seen.trouble = Unknown.because(error)
    seen.lacking = client.dropped
    return seen


async def _look(
    seen: Seen, client: ProjectClient, reading: Reading, settings: Settings, where: Filter
) -> Unknown | None:
    """Fill in what is seen; return what was in the way."""
    if reading.clock:
        return reading.clock
    count, latest = CountAsk(where), PageAsk(where, "-heartbeat_at", _LATEST, LIFE)
    answers = await client.ask([count, latest])
    total, page = answers[count], answers[latest]
    if isinstance(total, Unknown):
        return total
    if isinstance(page, Unknown):
        return page
    seen.total = total
    seen.latest = max(
        (make_run(node, LIFE, reading.now) for node in page.nodes), key=_last_sign, default=None
    )
    scanned = await _week(client, reading, settings, where)
    if isinstance(scanned, Unknown):
        return scanned
    since = reading.now - WEEK
    seen.week = [run for run in scanned.runs if run.last_sign and run.last_sign >= since]
    await _cover(seen, client, settings)
    return None


async def _week(
    client: ProjectClient, reading: Reading, settings: Settings, where: Filter
) -> Scanned | Unknown:
    """Return the runs of the week: as the collector read them, if it read all that is wanted."""
    parts = frozenset({"runInfo", "systemMetrics"})
    keys = frozenset({settings.accuracy_key, settings.loss_key})
    rule = settings.gpus_per_run
    configured = {rule.removeprefix("config.")} if isinstance(rule, str) and rule != "auto" else ()
    wanted = ScanRead(where, WEEK, Selection(parts, keys, frozenset(configured)))
    for read, scanned in reading.scans.items():
        if isinstance(scanned, Scanned) and not scanned.reduced and serves(read, wanted):
            return scanned
    return (await read_scans(client, [wanted], reading.now))[wanted]


async def _cover(seen: Seen, client: ProjectClient, settings: Settings) -> None:
    rules = Rules(seen.now, settings.gpus_per_run)
    newest = sorted(seen.week, key=_last_sign, reverse=True)
    seen.accuracy = await _summary_key(client, newest, settings.accuracy_key)
    seen.loss = await _summary_key(client, newest, settings.loss_key)
    seen.gpu_count = _count(seen.week, lambda run: _gpus(run, rules))
    seen.gpu_utilization = _count(seen.week, lambda run: run.gpu_utilization)


async def _summary_key(client: ProjectClient, runs: Sequence[Run], key: str) -> Coverage:
    coverage = _count(runs, lambda run: run.number(f"summary.{key}"))
    if not coverage.poor:
        return coverage
    lacking = [run for run in runs if run.number(f"summary.{key}") is None]
    logged = await logged_keys(client, (run.id for run in lacking))
    texts = [text for run in lacking if isinstance(text := run.values.get(f"summary.{key}"), str)]
    text = as_text(len(texts), texts[0] if texts else "")
    return Coverage(coverage.having, coverage.of, tuple(most_alike(key, logged)), text)


def _count(runs: Iterable[Run], value: Callable[[Run], object]) -> Coverage:
    values = [value(run) for run in runs]
    return Coverage(sum(each is not None for each in values), len(values))


def _gpus(run: Run, rules: Rules) -> float | None:
    """Return the GPUs that the configured key says, without one those that W&B knows."""
    if rules.gpus_per_run == "auto":
        return run.known_gpus
    return configured_gpus(run, rules)


def _last_sign(run: Run) -> float:
    return run.last_sign.timestamp() if run.last_sign else 0.0

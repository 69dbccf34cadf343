"""Look at one project while the collector reads it: its runs of the week, and what they hold."""

from collections.abc import Callable, Iterable, Iterator, Sequence
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
from runmetrics.collectors.wandb.remarks import logged_keys, most_alike, no_numbers
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.config.settings import Settings
from runmetrics.doctor.findings import Finding, broken, not_asked, ok, warning
from runmetrics.errors import RunmetricsError
from runmetrics.text import counted, typed

COVERED = ("accuracy", "loss", "GPU count", "GPU utilization")
WEEK = timedelta(days=7)
_LATEST = 10


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the runs of the week have something.

    `instead` are similar keys that they log, `text` says how many have what is no number.
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
    seen.latest = max(page.runs(LIFE, reading.now), key=_last_sign, default=None)
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
    found = [run.values.get(f"summary.{key}") for run in lacking]
    texts = [each for each in found if isinstance(each, str)]
    not_finite = sum(isinstance(each, float) for each in found)
    text = no_numbers(len(texts), texts[0] if texts else "", not_finite)
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


def in_words(seen: Seen, settings: Settings, where: str) -> Iterator[Finding]:
    """Yield the findings about one project; `where` goes before each text."""
    if seen.trouble is not None:
        trouble = seen.trouble
        yield broken("runs", where + trouble.cause, trouble.fix, trouble.code)
        yield from not_asked(COVERED, f"{where}first fix: runs")
        return
    yield _runs(seen, settings, where)
    if not seen.week:
        yield from not_asked(COVERED, f"{where}there are no runs of the week to look at")
        return
    yield _summary(
        "accuracy", "RUNMETRICS_ACCURACY_KEY", settings.accuracy_key, seen.accuracy, where
    )
    yield _summary("loss", "RUNMETRICS_LOSS_KEY", settings.loss_key, seen.loss, where)
    yield _gpu_count(seen.gpu_count, settings.gpus_per_run, where)
    yield _gpu_utilization(seen.gpu_utilization, where)


def _runs(seen: Seen, settings: Settings, where: str) -> Finding:
    name = f"{seen.entity}/{seen.project}"
    if seen.total == 0:
        return warning(
            *("runs", f"{where}the project has no runs"),
            f"check {settings.place_of('project')} and the file's where, or log a first run",
        )
    count = counted(seen.total, "run")
    last = _latest(seen)
    if not seen.week:
        return warning(
            *("runs", f"{where}none of {count} showed life in the last 7 days; {last}"),
            f"check that training still logs to {name}",
        )
    live = sum(run.state == "running" for run in seen.week)
    return ok(
        "runs", f"{where}{count}, {len(seen.week):,} of the week, {live:,} of them running; {last}"
    )


def _latest(seen: Seen) -> str:
    run = seen.latest
    if run is None or run.last_sign is None:
        return "when the last one did is not known"
    named = run.display_name not in ("", run.id)
    shown = f"{run.display_name} ({run.id})" if named else run.id
    return f"the last sign of life was {_ago(run.last_sign, seen.now)}, of run {shown}"


def _ago(then: datetime, now: datetime) -> str:
    seconds = max(0, int((now - then).total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if count := seconds // size:
            return f"{counted(count, unit)} ago"
    return "less than a minute ago"


def _summary(step: str, variable: str, key: str, coverage: Coverage, where: str) -> Finding:
    similar, fix = "", f"set {variable} to the key that they log (`{typed('discover')}` lists them)"
    if coverage.instead:
        quoted = ", ".join(f"'{each}'" for each in coverage.instead)
        similar = f"; similar keys in use: {quoted}"
        fix = f"set {variable}={coverage.instead[0]}"
    what = f"have a number under '{key}'{coverage.text}"
    return _covered(step, coverage, where, what, similar, fix)


def _gpu_count(coverage: Coverage, rule: str | float, where: str) -> Finding:
    step = "GPU count"
    if isinstance(rule, float | int):
        return ok(step, f"{where}{rule:g} a run, as RUNMETRICS_GPUS_PER_RUN says")
    if rule == "auto":
        what, others = "say how many GPUs they have", "; the others count as 1"
        fix = "set RUNMETRICS_GPUS_PER_RUN if that is wrong"
    else:
        what = f"have a number of GPUs under {rule}"
        others = "; the others count as W&B recorded them, else as 1"
        fix = (
            "set RUNMETRICS_GPUS_PER_RUN to a key of config that they have, to a number, or to auto"
        )
    return _covered(step, coverage, where, what, others, fix)


def _gpu_utilization(coverage: Coverage, where: str) -> Finding:
    fix = "see that they run on GPUs, and that wandb's x_disable_stats is not set"
    return _covered("GPU utilization", coverage, where, "report it", "", fix)


def _covered(
    step: str, coverage: Coverage, where: str, what: str, otherwise: str, fix: str
) -> Finding:
    """Say how many runs `what` is true of; where it is of too few, with `otherwise` and the fix."""
    says = f"{where}{_of(coverage)} {what}"
    return warning(step, says + otherwise, fix) if coverage.poor else ok(step, says)


def _of(coverage: Coverage) -> str:
    runs = "the 1 run" if coverage.of == 1 else f"{coverage.of:,} runs"
    return f"{coverage.having:,} of {runs} of the week"

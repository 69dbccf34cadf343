"""Say what was seen of one project."""

from collections.abc import Iterator
from datetime import datetime

from runmetrics.config.settings import Settings
from runmetrics.doctor.findings import Finding, broken, not_asked, ok, warning
from runmetrics.doctor.project import Coverage, Seen
from runmetrics.text import counted, typed

COVERED = ("accuracy", "loss", "GPU count", "GPU utilization")


def in_words(seen: Seen, settings: Settings, where: str) -> Iterator[Finding]:
    """Yield the findings about one project; `where` goes before each text."""
    if seen.trouble is not None:
        trouble = seen.trouble
        yield broken("runs", where + trouble.cause, trouble.fix, trouble.code)
        yield from not_asked(COVERED, f"{where}first fix: runs")
        return
    yield _runs(seen, where)
    if not seen.week:
        yield from not_asked(COVERED, f"{where}there are no runs of the week to look at")
        return
    yield _summary(
        "accuracy", "RUNMETRICS_ACCURACY_KEY", settings.accuracy_key, seen.accuracy, where
    )
    yield _summary("loss", "RUNMETRICS_LOSS_KEY", settings.loss_key, seen.loss, where)
    yield _gpu_count(seen.gpu_count, settings.gpus_per_run, where)
    yield _gpu_utilization(seen.gpu_utilization, where)


def _runs(seen: Seen, where: str) -> Finding:
    name = f"{seen.entity}/{seen.project}"
    if seen.total == 0:
        return warning(
            *("runs", f"{where}the project has no runs"),
            "check WANDB_PROJECT and the file's where, or log a first run",
        )
    count = counted(seen.total, "run")
    last = _last_sign(seen)
    if not seen.week:
        return warning(
            *("runs", f"{where}none of {count} showed life in the last 7 days; {last}"),
            f"check that training still logs to {name}",
        )
    live = sum(run.state == "running" for run in seen.week)
    return ok(
        "runs", f"{where}{count}, {len(seen.week):,} of the week, {live:,} of them running; {last}"
    )


def _last_sign(seen: Seen) -> str:
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
    says = f"{where}{_of(coverage)} have a number under '{key}'{coverage.text}"
    if not coverage.poor:
        return ok(step, says)
    if coverage.instead:
        similar = ", ".join(f"'{each}'" for each in coverage.instead)
        return warning(
            step, f"{says}; similar keys in use: {similar}", f"set {variable}={coverage.instead[0]}"
        )
    return warning(
        step, says, f"set {variable} to the key that they log (`{typed('discover')}` lists them)"
    )


def _gpu_count(coverage: Coverage, rule: str | float, where: str) -> Finding:
    step = "GPU count"
    if isinstance(rule, float | int):
        return ok(step, f"{where}{rule:g} a run, as RUNMETRICS_GPUS_PER_RUN says")
    if rule != "auto":
        return _gpu_key(coverage, rule, where)
    says = f"{where}{_of(coverage)} say how many GPUs they have"
    if not coverage.poor:
        return ok(step, says)
    return warning(
        step, f"{says}; the others count as 1", "set RUNMETRICS_GPUS_PER_RUN if that is wrong"
    )


def _gpu_key(coverage: Coverage, key: str, where: str) -> Finding:
    says = f"{where}{_of(coverage)} have a number of GPUs under {key}"
    if not coverage.poor:
        return ok("GPU count", says)
    return warning(
        *("GPU count", f"{says}; the others count as W&B recorded them, else as 1"),
        "set RUNMETRICS_GPUS_PER_RUN to a key of config that they have, to a number, or to auto",
    )


def _gpu_utilization(coverage: Coverage, where: str) -> Finding:
    step, says = "GPU utilization", f"{where}{_of(coverage)} report it"
    if not coverage.poor:
        return ok(step, says)
    return warning(
        step, says, "see that they run on GPUs, and that wandb's x_disable_stats is not set"
    )


def _of(coverage: Coverage) -> str:
    runs = "the 1 run" if coverage.of == 1 else f"{coverage.of:,} runs"
    return f"{coverage.having:,} of {runs} of the week"

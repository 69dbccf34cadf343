"""Walk from the configuration to both ends, and say of each step what is wrong.

It asks through the code that collects and delivers, so that what it finds is what they would meet.
A broken step makes those that depend on it "not asked": the first broken line is the cause.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from runmetrics.deadline import Deadline
from runmetrics.doctor.findings import Finding, broken, not_asked, ok, warning
from runmetrics.errors import ConfigurationError
from runmetrics.pipeline import DELIVERY_SECONDS
from runmetrics.plugins import Setup
from runmetrics.setup import load_setup, setup_of
from runmetrics.text import counted


def check_configuration(config: Path | None) -> tuple[list[Finding], Setup | None]:
    """Return all that is wrong with settings and file, or what they set up."""
    from runmetrics.collectors.wandb.metrics.catalog import load_catalog

    step = "configuration"
    doubts: list[str] = []
    try:
        setup = load_setup(config, warn=doubts.append)
    except ConfigurationError as error:
        faults = [broken(step, fault, "", error.exit_code) for fault in error.faults]
        others = not_asked(("W&B key", "Datadog key"), f"first fix: {step}")
        whole = broken(step, error.cause, error.fix, error.exit_code)
        doubts += _monitor_faults_beside(config)
        said = [warning(step, doubt) for doubt in doubts]
        return [*(faults or [whole]), *said, *others], None
    settings, file = setup.settings, setup.config
    catalog = load_catalog(file, settings)
    count = len(catalog.metrics)
    if file is None:
        text = f"no file, the {count} built-in metrics"
    else:
        metrics = f"{counted(count, 'metric')}, {len(file.layout.metrics)} of them of its own"
        text = f"{file.path} is right: {metrics}"
    doubts += [*settings.defaults_in_use, *catalog.notices]
    doubts += _monitor_faults(setup)
    notices = [warning(step, notice) for notice in doubts]
    return [ok(step, text), *notices], setup


def _monitor_faults(setup: Setup) -> Sequence[str]:
    """Return what `monitors push` would refuse; collecting does not care."""
    from runmetrics.assets.monitors import monitors_of

    try:
        monitors_of(setup)
    except ConfigurationError as error:
        return error.faults
    return ()


def _monitor_faults_beside(config: Path | None) -> Sequence[str]:
    """Return the same where something else is wrong, by what is sound of the file alone."""
    from runmetrics.collectors.wandb.metrics.file import FileError, find_config
    from runmetrics.config.env_file import with_env_file

    try:
        file = find_config(config, with_env_file())
    except FileError as error:
        file = error.rest
    except ConfigurationError:
        return ()
    return _monitor_faults(setup_of(file)) if file else ()


def examine(setup: Setup, deadline: Deadline, *, push: bool) -> Iterator[Finding]:
    """Yield every step after the configuration, as it is found; `push` sends one point."""
    from runmetrics.doctor import sinks
    from runmetrics.doctor.aws import check_identity
    from runmetrics.doctor.wandb import check_wandb

    yield from check_identity(setup.settings, deadline)
    kept = min(DELIVERY_SECONDS, deadline.remaining() / 2)
    yield from check_wandb(setup, deadline.reserve(kept))
    yield from sinks.check_datadog(setup, deadline, push=push)
    yield from sinks.check_otlp(setup, deadline, push=push)
    yield from sinks.check_textfile(setup, deadline)
    yield from sinks.check_tags(setup.settings)
    yield from sinks.check_spool(setup.settings.spool_dir)

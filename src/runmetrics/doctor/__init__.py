"""Walk from the configuration to both ends, and say of each step what is wrong.

It asks through the code that collects and delivers, so that what it finds is what they would meet.
A broken step makes those that depend on it "not asked": the first broken line is the cause.
"""

from collections.abc import Iterator
from pathlib import Path

from runmetrics.assets.monitors import faults_of_monitors
from runmetrics.collectors.wandb.metrics.catalog import load_catalog
from runmetrics.collectors.wandb.metrics.file import FileError, find_config
from runmetrics.config.aws import fetch_identity
from runmetrics.config.aws_errors import SecretAbsent
from runmetrics.config.env_file import with_env_file
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.doctor import sinks, wandb
from runmetrics.doctor.findings import Finding, broken, faulty, not_asked, ok, warning
from runmetrics.errors import ConfigurationError, RunmetricsError
from runmetrics.pipeline import DELIVERY_SECONDS
from runmetrics.plugins import Setup
from runmetrics.setup import load_setup, setup_of
from runmetrics.text import counted

_CONFIGURATION, _IDENTITY = "configuration", "AWS identity"


def check_configuration(config: Path | None) -> tuple[list[Finding], Setup | None]:
    """Return all that is wrong with settings and file, or what they set up."""
    doubts: list[str] = []
    try:
        setup = load_setup(config, warn=doubts.append)
    except ConfigurationError as error:
        faults = [faulty(_CONFIGURATION, fault, error.exit_code) for fault in error.faults]
        others = not_asked((*wandb.STEPS, *sinks.STEPS), f"first fix: {_CONFIGURATION}")
        whole = broken(_CONFIGURATION, error.cause, error.fix, error.exit_code)
        doubts += _monitor_faults_beside(config)
        said = [warning(_CONFIGURATION, doubt) for doubt in doubts]
        return [*(faults or [whole]), *said, *others], None
    settings, file = setup.settings, setup.config
    catalog = load_catalog(file, settings)
    count = len(catalog.metrics)
    if file is None:
        text = f"no file, the {count} built-in metrics"
    else:
        metrics = f"{counted(count, 'metric')}, {len(file.layout.metrics)} of them of its own"
        text = f"{file.path} is right: {metrics}"
    doubts += [*settings.defaults_in_use, *catalog.notices, *faults_of_monitors(setup)]
    notices = [warning(_CONFIGURATION, notice) for notice in doubts]
    return [ok(_CONFIGURATION, text), *notices], setup


def _monitor_faults_beside(config: Path | None) -> tuple[str, ...]:
    """Return the faults of monitors where something else is wrong, by what is sound of the file."""
    try:
        file = find_config(config, with_env_file())
    except FileError as error:
        file = error.rest
    except ConfigurationError:
        return ()
    return faults_of_monitors(setup_of(file)) if file else ()


def examine(setup: Setup, deadline: Deadline, *, push: bool) -> Iterator[Finding]:
    """Yield every step after the configuration, as it is found; `push` sends one point."""
    yield from _check_identity(setup.settings, deadline)
    kept = min(DELIVERY_SECONDS, deadline.remaining() / 2)
    yield from wandb.check_wandb(setup, deadline.reserve(kept))
    yield from sinks.check_datadog(setup, deadline, push=push)
    yield from sinks.check_otlp(setup, deadline, push=push)
    yield from sinks.check_textfile(setup, deadline)
    yield from sinks.check_tags(setup.settings)
    yield from sinks.check_spool(setup.settings.spool_dir)


def _check_identity(settings: Settings, deadline: Deadline) -> Iterator[Finding]:
    """Say who AWS takes us for, if AWS is asked for a key at all.

    Not to learn it is no fault: what counts is whether the secret can be read, which the keys' own
    lines say.
    """
    of_wandb = settings.wandb_api_key or settings.wandb_api_key_file
    of_datadog = settings.dd_api_key or settings.dd_api_key_file
    if of_wandb and of_datadog:
        return
    try:
        yield ok(_IDENTITY, fetch_identity(deadline))
    except SecretAbsent as absent:
        yield from not_asked([_IDENTITY], f"{absent} here")
    except RunmetricsError as error:
        yield warning(_IDENTITY, error.cause, error.fix)

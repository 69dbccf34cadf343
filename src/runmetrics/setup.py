"""The settings, the user's file and the environment together: what every command begins with."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from runmetrics.errors import ConfigurationError
from runmetrics.plugins import Setup
from runmetrics.shard import Shard

if TYPE_CHECKING:
    from runmetrics.collectors.wandb.metrics.file import ConfigFile

_log = logging.getLogger(__name__)


def load_setup(
    config: Path | None,
    timeout: float | None = None,
    warn: Callable[[str], object] = _log.warning,
    shard: Shard | None = None,
    **options: object,
) -> Setup:
    """Return what this run is to do, and with what.

    `options` are settings that the command line gave, by attribute; None is not given. `warn` is
    told of names that are probably misspelt, and of variables that `projects` beats. Raises
    ConfigurationError with the faults of settings and file at once.
    """
    from runmetrics.collectors.wandb.metrics.file import DEFAULT_FILE, find_config
    from runmetrics.config.env_file import with_env_file
    from runmetrics.config.settings import Settings, unread_variables

    environ = with_env_file()
    for text in unread_variables(environ):
        warn(text)
    overrides = {"timeout_seconds": timeout, "config": config, **options}
    try:
        file = find_config(config, environ)
    except ConfigurationError as error:
        try:
            Settings.load(overrides)
        except ConfigurationError as more:
            faults = [*(error.faults or [str(error)]), *more.faults]
            cause = f"{error.cause}, and {more.cause}"
            raise ConfigurationError(cause, "fix what is listed", faults) from None
        raise
    if file is None and (misspelt := DEFAULT_FILE.with_suffix(".yml")).exists():
        warn(f"{misspelt} is not read: rename it to {DEFAULT_FILE}")
    settings = Settings.load(overrides, file.settings if file else None)
    if file and settings.projects and "projects" in file.settings:
        for name in ("WANDB_ENTITY", "WANDB_PROJECT"):
            if environ.get(name) and not environ.get("RUNMETRICS_PROJECTS"):
                warn(f"{name} is not read: projects of {file.path} beats it")
    return Setup(settings, file, environ=environ, shard=shard)


def setup_of(file: "ConfigFile") -> Setup:
    """Return what a file sets up by itself, whatever the environment says."""
    from runmetrics.config.settings import Settings

    nowhere = Path(os.devnull)
    return Setup(Settings.load(None, file.settings, environ={}, env_file=nowhere), file)

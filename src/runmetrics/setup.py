"""The settings and the user's file together: what every command begins with."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from runmetrics.errors import ConfigurationError

if TYPE_CHECKING:
    from runmetrics.collectors.wandb.metrics.file import ConfigFile
    from runmetrics.config.settings import Settings


_log = logging.getLogger(__name__)


def load_settings(
    config: Path | None,
    timeout: float | None = None,
    warn: Callable[[str], object] = _log.warning,
    **options: object,
) -> "tuple[Settings, ConfigFile | None]":
    """Return the settings of this run, and the user's file if there is one.

    `options` are settings that the command line gave, by attribute; None is not given. `warn` is
    told of variables that are probably misspelt. Raises ConfigurationError with the faults of
    settings and file at once.
    """
    from runmetrics.collectors.wandb.metrics.file import find_config
    from runmetrics.config.env_file import with_env_file
    from runmetrics.config.settings import Settings
    from runmetrics.config.variables import unread_variables

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
            faults = [*error.faults, *more.faults]
            raise ConfigurationError(error.cause, error.fix, faults) from None
        raise
    return Settings.load(overrides, file.settings if file else None), file

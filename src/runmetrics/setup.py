"""The settings and the user's file together: what every command begins with."""

from pathlib import Path
from typing import TYPE_CHECKING

from runmetrics.errors import ConfigurationError

if TYPE_CHECKING:
    from runmetrics.collectors.wandb.metrics.file import ConfigFile
    from runmetrics.config.settings import Settings


def load_settings(
    config: Path | None, timeout: float | None = None, **options: object
) -> "tuple[Settings, ConfigFile | None]":
    """The settings of this run, and the user's file if there is one; faults of both at once.

    `options` are settings that the command line gave, by attribute; None is not given.
    """
    from runmetrics.collectors.wandb.metrics.file import find_config
    from runmetrics.config.settings import Settings, with_env_file

    overrides = {"timeout_seconds": timeout, "config": config, **options}
    try:
        file = find_config(config, with_env_file())
    except ConfigurationError as error:
        try:
            Settings.load(overrides)
        except ConfigurationError as more:
            faults = [*error.faults, *more.faults]
            raise ConfigurationError(error.cause, error.fix, faults) from None
        raise
    return Settings.load(overrides, file.settings if file else None), file

"""What reads a source: the protocol, and how collectors are found.

A collector is a class (or any callable) behind the entry-point group `runmetrics.collectors`. It
is called with a `Setup` and gives a `Collector`.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol, cast

from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.model import Collection

if TYPE_CHECKING:
    from runmetrics.collectors.wandb.metrics.file import ConfigFile
    from runmetrics.config.settings import Settings
    from runmetrics.shard import Shard

GROUP = "runmetrics.collectors"

Progress = Callable[[int, int], None]
"""Told how many things (runs) were read so far, and how many there will be."""


def no_progress(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


class Collector(Protocol):
    """Reads one source."""

    @property
    def name(self) -> str:
        """Its name on the command line and in the tag `collector`."""

    def collect(self, now: datetime, deadline: Deadline) -> Collection:
        """What there is to know at `now` (UTC, aware), within the deadline.

        What cannot be known goes into `problems`. Raises RunmetricsError when nothing can.
        """


@dataclass(frozen=True, slots=True)
class Setup:
    """What a collector is made from.

    `settings` and `config` are this program's own. A collector of another package reads variables
    of its own, under a prefix of its own, from `environ`: the environment over `.env`. `shard` asks
    for a share of what there is to read, for collectors that can divide it.
    """

    settings: "Settings"
    config: "ConfigFile | None" = None
    progress: Progress = no_progress
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    shard: "Shard | None" = None


CollectorFactory = Callable[[Setup], Collector]


def find_collectors() -> dict[str, EntryPoint]:
    """Installed collectors by name (entry points `runmetrics.collectors`), not yet imported."""
    return {found.name: found for found in entry_points(group=GROUP)}


def find_collector(name: str) -> CollectorFactory:
    """The installed collector of that name; ConfigurationError unless there is just one."""
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted(find_collectors()))
        raise ConfigurationError(f"there is no collector {name!r}", f"installed are: {known}")
    packages = sorted(map(package_of, found))
    if len(packages) > 1:
        raise ConfigurationError(
            f"several packages install a collector {name!r}: {', '.join(packages)}",
            "uninstall all of them but one",
        )
    try:
        return cast(CollectorFactory, next(iter(found)).load())
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"the collector {name!r} of {packages[0]} cannot be loaded ({error})",
            "install that package again, with what it needs",
        ) from error


def package_of(found: EntryPoint) -> str:
    """Name and version of the package that installed it."""
    return f"{found.dist.name} {found.dist.version}" if found.dist else "an unknown package"

"""What reads a source: the protocol, and how collectors are found.

A collector is a class (or any callable) behind the entry-point group `runmetrics.collectors`. It
is called with a `Setup` and gives a `Collector`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast

from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.model import Collection

if TYPE_CHECKING:
    from runmetrics.config_file import ConfigFile
    from runmetrics.settings import Settings

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
    """What a collector is made from."""

    settings: "Settings"
    config: "ConfigFile | None" = None
    progress: Progress = no_progress


CollectorFactory = Callable[[Setup], Collector]


def collector_names() -> list[str]:
    """Names of all installed collectors."""
    return sorted(entry.name for entry in entry_points(group=GROUP))


def find_collector(name: str) -> CollectorFactory:
    """The installed collector of that name; ConfigurationError if there is none."""
    for entry in entry_points(group=GROUP, name=name):
        return cast(CollectorFactory, entry.load())
    known = ", ".join(collector_names())
    raise ConfigurationError(f"there is no collector {name!r}", f"installed are: {known}")

"""What reads a source and what takes samples somewhere: the two protocols, and how both are found.

A collector or a sink is a class (or any callable) behind the entry-point group
`runmetrics.collectors` or `runmetrics.sinks`. It is called with a `Setup` and returns a
`Collector` or a `Sink`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from runmetrics.deadline import Deadline
from runmetrics.errors import CommandLineError, ConfigurationError
from runmetrics.model import Collection, Delivery, Sample
from runmetrics.spelling import near

if TYPE_CHECKING:
    from runmetrics.collectors.wandb.metrics.file import ConfigFile
    from runmetrics.config.settings import Settings
    from runmetrics.shard import Shard

COLLECTORS = "runmetrics.collectors"
SINKS = "runmetrics.sinks"

Progress = Callable[[int, int], None]
"""Told how many things (runs) were read so far, and how many there will be."""


def no_progress(_done: int, _total: int) -> None:
    """Show nothing: nobody looks."""


class Collector(Protocol):
    """Reads one source."""

    @property
    def name(self) -> str:
        """Its name on the command line and in the tag `collector`."""

    def collect(self, now: datetime, deadline: Deadline) -> Collection:
        """Return what there is to know at `now` (UTC, aware), within the deadline.

        What cannot be known goes into `problems`. Raises RunmetricsError when nothing can.
        """


@runtime_checkable
class Sink(Protocol):
    """Takes samples to one back end. Inherit from it: what is optional has its default here."""

    name: str
    """The name it is chosen by (`--sink NAME`)."""

    max_age_seconds: float | None = None
    """The age from which it takes no sample, so that none waits in vain; None: any age."""

    is_snapshot: bool = False
    """Whether each delivery stands in the place of the one before, and so must be whole."""

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        """Bring `samples` there before `deadline` and account for every one of them.

        What the other side does is in the Delivery. May be called many times, never twice at once.
        """

    def preload(self) -> None:
        """Import what takes its time; called in a thread while the collector reads."""
        return

    def check(self, deadline: Deadline) -> None:  # noqa: ARG002 - for those who override it
        """Find out, without a trace there, whether a delivery could arrive (for the doctor).

        Raises RunmetricsError with what keeps it from arriving.
        """
        return


@dataclass(frozen=True, slots=True)
class Setup:
    """What a collector or a sink is made from.

    `settings` and `config` are this program's own. A plugin of another package reads variables
    of its own, under a prefix of its own, from `environ`: the environment over `.env`. `shard` asks
    for a share of what there is to read, for collectors that can divide it.
    """

    settings: "Settings"
    config: "ConfigFile | None" = None
    progress: Progress = no_progress
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    shard: "Shard | None" = None


CollectorFactory = Callable[[Setup], Collector]
SinkFactory = Callable[[Setup], Sink]


def installed(group: str) -> dict[str, EntryPoint]:
    """Return the installed plugins of a group by name, not yet imported."""
    return {found.name: found for found in entry_points(group=group)}


def find_collector(name: str) -> CollectorFactory:
    """Return the installed collector of that name; ConfigurationError unless there is just one.

    One that is not installed is a CommandLineError, as it is for a sink.
    """
    return cast(CollectorFactory, _load("collector", COLLECTORS, name))


def open_sinks(names: Sequence[str], setup: Setup) -> list[Sink]:
    """Return the sinks of these names, made anew. Raises ConfigurationError where one cannot be."""
    factories = [cast(SinkFactory, _load("sink", SINKS, name)) for name in names]
    sinks = [factory(setup) for factory in factories]
    for name, sink in zip(names, sinks, strict=True):
        if not isinstance(sink, Sink):
            made = f"{type(sink).__module__}.{type(sink).__qualname__}"
            raise ConfigurationError(
                f"the sink {name!r} opens {made}, which is no sink", "inherit from runmetrics.Sink"
            )
    return sinks


def package_of(found: EntryPoint) -> str:
    """Return name and version of the package that installed it."""
    return f"{found.dist.name} {found.dist.version}" if found.dist else "an unknown package"


def need(module: str, extra: str, what: str) -> None:
    """Raise ConfigurationError unless `module`, which `extra` brings, is installed.

    Nothing of it is imported but the packages that hold it.
    """
    try:
        found = find_spec(module)
    except (ModuleNotFoundError, ValueError):  # a package that holds it is not there
        found = None
    if found is None:
        raise ConfigurationError(
            f"{what} needs packages that are not installed",
            f"install runmetrics with its extra, runmetrics[{extra}] "
            f"(in a clone: uv run --extra {extra} runmetrics ...)",
        )


def _load(kind: str, group: str, name: str) -> Any:
    found = entry_points(group=group, name=name)
    if not found:
        known = sorted(installed(group))
        guess = near(name, known)
        fix = f'did you mean "{guess}"?' if guess else f"installed are: {', '.join(known)}"
        raise CommandLineError(f"there is no {kind} {name!r}", fix)
    packages = sorted(map(package_of, found))
    if len(packages) > 1:
        raise ConfigurationError(
            f"several packages install a {kind} {name!r}: {', '.join(packages)}",
            "uninstall all of them but one",
        )
    try:
        return next(iter(found)).load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"the {kind} {name!r} of {packages[0]} cannot be loaded ({error})",
            "install that package again, with what it needs",
        ) from error

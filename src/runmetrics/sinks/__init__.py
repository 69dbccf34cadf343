"""Where samples go: each sink brings them to one back end and says what became of each."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol

from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.model import Delivery, Sample

if TYPE_CHECKING:
    from runmetrics.config.settings import Settings


class Sink(Protocol):
    """A back end. `deliver` never raises for what the other side does: it is in the Delivery."""

    @property
    def name(self) -> str:
        """The name it is chosen by (`--sink NAME`)."""

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        """Bring `samples` there before `deadline` and account for every one of them."""


def find_sinks() -> dict[str, EntryPoint]:
    """Installed sinks by name (entry points `runmetrics.sinks`), not yet imported."""
    return {found.name: found for found in entry_points(group="runmetrics.sinks")}


def open_sinks(names: Sequence[str], settings: "Settings", deadline: Deadline) -> list[Sink]:
    """The sinks of these names, made from the settings; ConfigurationError names what there is."""
    installed = find_sinks()
    unknown = [name for name in names if name not in installed]
    if unknown:
        raise ConfigurationError(
            f"there is no sink {unknown[0]!r}", f"installed are: {', '.join(sorted(installed))}"
        )
    return [installed[name].load().open(settings, deadline) for name in names]

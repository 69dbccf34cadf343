"""What a server refuses: what an older or a compatible one lacks, and filters that it cannot read.

What is lacking is done without, and said; what holds a refused filter too is not asked again. A
field is named as in GraphQL, "runInfo", an argument with its field, "config(keys)".
"""

from collections.abc import Iterable
from typing import Any

from runmetrics.collectors.wandb.reading.document import Ask, CountAsk
from runmetrics.collectors.wandb.server.errors import BadDocument
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.errors import ConfigurationError

SUBSTITUTES = {
    "viewer": "a refused API key looks like a project that is not there",
    "displayName": "runs go by their ids",
    "computeSeconds": "durations come from the runs' times, idle gaps of resumed runs included",
    "runInfo": "GPU counts come from the runs' config and system metrics",
    "historyLineCount": "a run that logs rarely counts as stalled by stall_after alone",
    "summaryMetrics(keys)": "whole summaries are read",
    "config(keys)": "whole configurations are read",
}
"""What is lacking and stood in for, and how."""

FILTERS = frozenset({"runCount(filters)", "runs(filters)"})
"""A server that lacks one of these has no filters, whatever they are."""

_WITHOUT_SUBSTITUTE = frozenset(
    {"systemMetrics", "user", "group", "jobType", "sweepName", "host", "tags"}
)


class CannotFilter(ConfigurationError):  # noqa: N818 - it is what happened
    """The server has no filters of runs, or takes them and ignores them."""

    def __init__(self) -> None:
        super().__init__(
            "this W&B server cannot filter runs",
            "use one that does; the metrics without `where` come from all runs, read at once",
        )


def lacking(refusal: BadDocument) -> frozenset[str]:
    """Return what the server does not have, by its refusal; nothing where it has to be there."""
    of_gpus = ("gpu", "gpuCount")
    found = frozenset("runInfo" if name in of_gpus else name for name in refusal.unknown)
    return found if found <= SUBSTITUTES.keys() | _WITHOUT_SUBSTITUTE else frozenset()


def without(name: str) -> str:
    """Say what it costs that the server lacks something."""
    kind = "argument" if "(" in name else "field"
    instead = SUBSTITUTES.get(name, "metrics that need it are unknown")
    return f"this W&B server has no {kind} {name!r}: {instead}"


class RefusedFilters:
    """Filters of a project that the server refused when they were asked alone.

    A filter is all of its conditions together, so whatever holds those of a refused one is refused
    too; conditions that the server took in another question are not to blame.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._refused: list[tuple[frozenset[str], Unknown]] = []

    def took(self, asks: Iterable[Ask[Any]]) -> None:
        """Note questions that the server answered."""
        for ask in asks:
            self._taken |= _conditions(ask)

    def refused(self, ask: CountAsk, why: Unknown) -> None:
        """Note a count that the server refused: it has nothing but its filter."""
        self._refused.append((_conditions(ask), why))

    def why(self, ask: Ask[Any]) -> Unknown | None:
        """Return why a question will be refused; None where nothing says that it will be."""
        held = _conditions(ask)
        for conditions, why in self._refused:
            blamed = conditions - self._taken
            if blamed and blamed <= held:
                return why
        return None


def _conditions(ask: Ask[Any]) -> frozenset[str]:
    return frozenset(ask.matching.conditions if ask.matching else ())

"""What an older W&B server, or a compatible one, may lack, and what is done without it.

A field is named as in GraphQL, "runInfo", an argument with its field, "config(keys)".
"""

from runmetrics.collectors.wandb.server.errors import BadDocument
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

_FILTERS = frozenset({"runCount(filters)", "runs(filters)"})
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


def cannot_filter(refusal: BadDocument) -> bool:
    """Return whether the server has no filters, whatever they are."""
    return bool(refusal.unknown & _FILTERS)


def without(name: str) -> str:
    """Say what it costs that the server lacks something."""
    kind = "argument" if "(" in name else "field"
    instead = SUBSTITUTES.get(name, "metrics that need it are unknown")
    return f"this W&B server has no {kind} {name!r}: {instead}"

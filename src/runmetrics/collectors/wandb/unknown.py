"""What could not be learned, and why: it takes the place of a value, never a zero."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from runmetrics.collectors.wandb.runs import Run
from runmetrics.errors import ExitCode, RunmetricsError
from runmetrics.text import counted


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that could not be learned: why, the fix, and what it alone would exit with."""

    cause: str
    fix: str = ""
    code: ExitCode = ExitCode.TEMPORARY

    @classmethod
    def because(cls, error: RunmetricsError) -> Self:
        """Return what an error left unknown."""
        return cls(error.cause, error.fix, error.exit_code)


class Disagreement(Unknown):
    """The runs that could be read are not as many as the server counts."""


INDEX_LAGS = "its index may lag behind its runs for some minutes; the next collection tries again"
"""The fix of most of them."""


def hidden_runs(count: int, effect: str = "may have a better value") -> Unknown:
    """Say that runs which W&B counts and does not show may change a value: `effect` says how."""
    return Unknown(
        f"W&B counts {counted(count, 'run')} that it does not show, and any of them {effect}",
        "see which runs this key may not read; deleting one that W&B cannot show fixes it, too",
    )


def unreadable(runs: Iterable[Run], part: str) -> Unknown | None:
    """Name the first run whose part the server cannot serve, if there is one (row W5)."""
    for run in runs:
        if part in run.unreadable:
            return not_served(part, f"{run.id} ({run.display_name})")
    return None


def not_served(part: str, run: str) -> Unknown:
    """Say that the server has a part of a run and does not give it."""
    return Unknown(
        f"W&B cannot serve {part} of run {run}",
        "look at the run in W&B; deleting it, or asking support@wandb.com, fixes it",
    )

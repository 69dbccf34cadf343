"""What it means that W&B's clock and ours differ."""

from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.errors import ExitCode
from runmetrics.text import rough_length

CLOCK_TOLERANCE_SECONDS = 60.0
"""Clocks that differ by less are taken as one (the Date header is in whole seconds)."""

MOST_OFFSET_SECONDS = 86_400.0
"""Of clocks that differ by more neither can be believed."""


def clock_notice(offset_seconds: float) -> str:
    """Say that W&B's clock and ours differ; nothing where they count as one."""
    if abs(offset_seconds) < CLOCK_TOLERANCE_SECONDS:
        return ""
    return (
        f"the clocks of this machine and of W&B differ by {abs(offset_seconds):.0f} s, so windows "
        "follow W&B's: fix the time synchronisation of this machine"
    )


def no_clock(offset_seconds: float) -> Unknown | None:
    """Say why it is not known what the time is; None where W&B's clock can be believed."""
    if abs(offset_seconds) <= MOST_OFFSET_SECONDS:
        return None
    return Unknown(
        f"the clocks of this machine and of W&B differ by {rough_length(abs(offset_seconds))}, and "
        "neither can be believed",
        "fix the time synchronisation of this machine, or of the proxy that answers for W&B",
        ExitCode.CONFIGURATION,
    )

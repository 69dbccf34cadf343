"""The bounds on a query to W&B, and what is raised when its tries are over."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runmetrics.collectors.wandb.server.errors import RateLimited
from runmetrics.errors import RunmetricsError
from runmetrics.retry import Backoff, Retries, TransientFailure
from runmetrics.text import counted

LOWER_THE_RATE = "run less often, or read fewer projects with this key"


@dataclass(frozen=True, slots=True)
class RetryPolicy(Backoff):
    """The bounds on one query, in tries, seconds and bytes. `sleep` is a seam for tests."""

    html_tries: int = 3
    low_quota_pause_seconds: float = 1.0
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 30.0
    total_timeout_seconds: float = 45.0
    max_decoded_bytes: int = 32 * 1024 * 1024
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Transient(TransientFailure):
    """A failed try of a query; `error` makes what is raised of `what` and the number of tries."""

    def __init__(
        self,
        what: str,
        error: Callable[[str], RunmetricsError],
        *,
        asked_seconds: float | None = None,
        tries: int | None = None,
    ) -> None:
        super().__init__(what)
        self.what, self.error = what, error
        self.asked_seconds, self.tries = asked_seconds, tries


def last_error(fault: Transient, retries: Retries, left: float) -> RunmetricsError:
    """Return what is raised when a query is given up with `left` seconds of time."""
    count = counted(retries.failed, "try", "tries")
    if retries.used_up:
        return fault.error(f"{fault.what} ({count})")
    if fault.asked_seconds is None:
        return fault.error(f"{fault.what} ({count}, no time for another)")
    asks = f"asks to wait {fault.asked_seconds:.0f} s, but {left:.0f} s are left"
    return RateLimited(f"{fault.what}, and {asks}", LOWER_THE_RATE)

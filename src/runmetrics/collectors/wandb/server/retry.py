"""The bounds on a query to W&B, and what is raised when its tries are over.

A server that answers nothing any more is noticed, so that it is not asked again and again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runmetrics.collectors.wandb.server.errors import RateLimited, ServerDown
from runmetrics.errors import TemporaryError
from runmetrics.retry import Backoff, Retries, TransientFailure
from runmetrics.text import counted

LOWER_THE_RATE = "run less often, or read fewer projects with this key"

_FAILURES_IN_A_ROW = 10
_SUSPICIOUS = 5
"""As many failures as one query has tries: of several side by side, all failed at least once."""


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
    """A failed try of a query; `error` with `fix` is what is raised when it was the last."""

    def __init__(
        self,
        what: str,
        error: type[TemporaryError],
        fix: str,
        *,
        asked_seconds: float | None = None,
        tries: int | None = None,
    ) -> None:
        super().__init__(what)
        self.what, self.error, self.fix = what, error, fix
        self.asked_seconds, self.tries = asked_seconds, tries


def last_error(fault: Transient, retries: Retries, left: float) -> TemporaryError:
    """Return what is raised when a query is given up with `left` seconds of time."""
    count = counted(retries.failed, "try", "tries")
    if retries.used_up:
        return fault.error(f"{fault.what} ({count})", fault.fix)
    if fault.asked_seconds is None:
        return fault.error(f"{fault.what} ({count}, no time for another)", fault.fix)
    asks = f"asks to wait {fault.asked_seconds:.0f} s, but {left:.0f} s are left"
    return RateLimited(f"{fault.what}, and {asks}", LOWER_THE_RATE)


class Outage:
    """Counts what failed since the last answer, over all queries.

    A server that has answered may fail many times in a row on a large document, while that is cut
    to find a run that it cannot serve. It is down when it fails on the smallest question too, which
    is asked alone, while all others wait, once it is suspected.
    """

    def __init__(self) -> None:
        self._ever_answered = False
        self._failures = 0
        self._failed_on_little = False
        self._what = self._fix = ""

    @property
    def suspected(self) -> bool:
        """Whether so much failed since the last answer that the server may be down."""
        return self._failures >= _SUSPICIOUS

    def answered(self) -> None:
        """Take in a whole answer."""
        self._ever_answered = True
        self._failures = 0
        self._failed_on_little = False

    def failed(self, fault: Transient, *, little: bool) -> None:
        """Take in a failed try; `little` was asked. A server that asks for a pause is alive."""
        if fault.asked_seconds is None:
            self._failures += 1
            self._failed_on_little |= little
            self._what, self._fix = fault.what, fault.fix

    def check(self) -> None:
        """Raise ServerDown where there is no sense in asking again."""
        hopeless = self._failed_on_little or not self._ever_answered
        if hopeless and self._failures >= _FAILURES_IN_A_ROW:
            raise ServerDown(f"{self._what} ({self._failures} tries in a row)", self._fix)

"""The bounds on a query to W&B, and the loop that tries it again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from runmetrics.collectors.wandb.server.errors import RateLimited
from runmetrics.deadline import Deadline
from runmetrics.errors import RunmetricsError
from runmetrics.retry import Backoff
from runmetrics.text import counted

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

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


class Transient(Exception):  # noqa: N818 - a state of things that may pass, not the error itself
    """A failure that another try may fix.

    `what` happened; `error` turns it, with the number of tries, into what is raised at the end;
    `tries` caps the tries for this kind; `asked_wait` is the pause in seconds the server asks for.
    """

    def __init__(
        self,
        what: str,
        error: Callable[[str], RunmetricsError],
        *,
        tries: int | None = None,
        asked_wait: float | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.error = error
        self.tries = tries
        self.asked_wait = asked_wait


async def try_again(
    attempt: Callable[[], Awaitable[_T]], *, tries: int, policy: RetryPolicy, deadline: Deadline
) -> _T:
    """Await `attempt` until it gives an answer, while there are tries and time for another.

    Raises what `attempt` raises, a Transient as the error that it stands for, and RateLimited at
    once when the pause that the server asks for is longer than the time that is left.
    """
    failed = 0
    while True:
        try:
            return await attempt()
        except Transient as fault:
            failed += 1
            most, left = min(tries, fault.tries or tries), deadline.remaining()
            wait = policy.next_wait(failed, left, asked=fault.asked_wait, tries=most)
            if wait is None:
                raise _last_error(fault, failed, most, left) from fault.__cause__
            _log.info("%s; trying again in %.1f s", fault.what, wait)
        await policy.sleep(wait)


def _last_error(fault: Transient, failed: int, most: int, left: float) -> RunmetricsError:
    count = counted(failed, "try", "tries")
    if failed >= most:
        return fault.error(f"{fault.what} ({count})")
    if fault.asked_wait is None:
        return fault.error(f"{fault.what} ({count}, no time for another)")
    asks = f"asks to wait {fault.asked_wait:.0f} s, but {left:.0f} s are left"
    return RateLimited(f"{fault.what}, and {asks}", LOWER_THE_RATE)

"""When a failed request is tried again, and how long to wait before."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from runmetrics.collectors.wandb.server.errors import RateLimited
from runmetrics.deadline import Deadline
from runmetrics.errors import RunmetricsError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

LOWER_THE_RATE = "run less often, or read fewer projects with this key"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds on one query. `sleep` is a seam for tests; all waits have full jitter."""

    tries: int = 5
    wait_initial_seconds: float = 0.5
    wait_max_seconds: float = 30.0
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


async def persist(
    attempt: Callable[[], Awaitable[_T]], *, tries: int, policy: RetryPolicy, deadline: Deadline
) -> _T:
    """Await `attempt` until it gives an answer, while there are tries and time for another.

    Raises what `attempt` raises, a Transient as the error that it stands for, and RateLimited at
    once when the pause that the server asks for is longer than the time that is left.
    """
    backoff = wait_random_exponential(
        multiplier=policy.wait_initial_seconds, max=policy.wait_max_seconds
    )

    def most_tries(fault: Transient) -> int:
        return min(tries, fault.tries or tries)

    def wait(state: RetryCallState) -> float:
        asked = _fault(state).asked_wait
        if asked is None:
            return backoff(state)
        # never sooner than asked, and not at the same instant as everybody else who was
        jitter = random.uniform(0, policy.wait_initial_seconds)  # noqa: S311 - no secret
        return max(asked, backoff(state)) + jitter

    def stop(state: RetryCallState) -> bool:
        spent = state.attempt_number >= most_tries(_fault(state))
        return spent or state.upcoming_sleep > deadline.remaining()

    def say(state: RetryCallState) -> None:
        _log.info("%s; trying again in %.1f s", _fault(state).what, state.upcoming_sleep)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Transient),
        wait=wait,
        stop=stop,
        sleep=policy.sleep,
        before_sleep=say,
        reraise=True,
    )
    try:
        answer: _T = await retrying(attempt)
    except Transient as fault:
        done = int(retrying.statistics["attempt_number"])
        raise _ending(fault, done, most_tries(fault), deadline.remaining()) from fault.__cause__
    return answer


def _ending(fault: Transient, done: int, most: int, left: float) -> RunmetricsError:
    count = "1 try" if done == 1 else f"{done} tries"
    if done >= most:
        return fault.error(f"{fault.what} ({count})")
    if fault.asked_wait is None:
        return fault.error(f"{fault.what} ({count}, no time for another)")
    asks = f"asks to wait {fault.asked_wait:.0f} s, but {left:.0f} s are left"
    return RateLimited(f"{fault.what}, and {asks}", LOWER_THE_RATE)


def _fault(state: RetryCallState) -> Transient:
    fault = state.outcome.exception() if state.outcome else None
    if not isinstance(fault, Transient):
        raise TypeError("only a Transient is tried again")
    return fault

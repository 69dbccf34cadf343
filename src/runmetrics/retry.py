"""When a failed request is tried again: one set of rules for W&B, every sink and the assets.

Tenacity does the trying; the waits that a server asks for are read here.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import tenacity

from runmetrics.deadline import Deadline

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Sleep = Callable[[float], Awaitable[None]]

_LONGEST_BELIEVED_SECONDS = 86_400.0
_PLAIN_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a request is tried, and the waits between the tries.

    A wait is anything from 0 to `first_seconds`, a bound that doubles with each failure up to
    `most_seconds`: clients that failed together do not come back together.
    """

    tries: int = 5
    first_seconds: float = 0.5
    most_seconds: float = 30.0


class TransientFailure(Exception):  # noqa: N818 - a state of things that may pass
    """A failure that another try may fix: `what` happened.

    `asked_seconds` is the wait that the server asks for, `tries` caps the tries for this kind.
    """

    what: str
    asked_seconds: float | None = None
    tries: int | None = None


class Retries:
    """The tries of one request, until none is left or the next wait would pass the deadline.

    Then the last TransientFailure, `failure`, is raised; `failed` counts the tries with one.
    """

    failure: TransientFailure

    def __init__(self, policy: Backoff, deadline: Deadline, tries: int | None = None) -> None:
        self.failed = 0
        self._tries, self._deadline = tries or policy.tries, deadline
        self._jitter = tenacity.wait_random(max=policy.first_seconds)
        self._backoff = tenacity.wait_random_exponential(policy.first_seconds, policy.most_seconds)
        self._rules: dict[str, Any] = {
            "retry": tenacity.retry_if_exception(self._may_pass),
            "wait": self._wait,
            "stop": lambda state: self.used_up or state.upcoming_sleep > deadline.remaining(),
            "before_sleep": self._say,
            "reraise": True,
        }

    def call(self, attempt: Callable[[], _T]) -> _T:
        """Return what `attempt` returns; a stop of the run ends a wait without another try."""
        return tenacity.Retrying(sleep=self._sleep, **self._rules)(attempt)

    async def call_async(self, attempt: Callable[[], Awaitable[_T]], sleep: _Sleep) -> _T:
        """Return what `attempt` returns."""
        return await tenacity.AsyncRetrying(sleep=sleep, **self._rules)(attempt)

    @property
    def used_up(self) -> bool:
        """Whether no try is left for what failed last."""
        return self.failed >= min(self._tries, self.failure.tries or self._tries)

    def _may_pass(self, error: BaseException) -> bool:
        if not isinstance(error, TransientFailure):
            return False
        self.failed += 1
        self.failure = error
        return True

    def _wait(self, state: tenacity.RetryCallState) -> float:
        wait, asked = self._backoff(state), self.failure.asked_seconds
        return wait if asked is None else max(wait, asked + self._jitter(state))

    def _say(self, state: tenacity.RetryCallState) -> None:
        _log.info("%s; trying again in %.1f s", self.failure.what, state.upcoming_sleep)

    def _sleep(self, seconds: float) -> None:
        if not self._deadline.wait(seconds):
            raise self.failure


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After asks for (RFC 9110, 10.2.3); None for junk or nothing.

    A date counts from the server's own Date where it shows one: our clock may be off.
    """
    text = headers.get("Retry-After")
    then = http_date(text)
    if then is None:
        return plain_seconds(text)
    wait = (then - (http_date(headers.get("Date")) or datetime.now(UTC))).total_seconds()
    return wait if 0 <= wait <= _LONGEST_BELIEVED_SECONDS else None


def asked_wait(headers: Mapping[str, str], reset: str = "") -> float | None:
    """Return the seconds that a server asks for, by Retry-After or by the header `reset`.

    The longer of the two; None where neither says anything believable.
    """
    wishes = (retry_after(headers), plain_seconds(headers.get(reset)))
    return max((wish for wish in wishes if wish is not None), default=None)


def plain_seconds(text: str | None) -> float | None:
    """Return a header's plain number of seconds; None for anything else and for over a day."""
    seconds = plain_number(text)
    return seconds if seconds is not None and seconds <= _LONGEST_BELIEVED_SECONDS else None


def plain_number(text: str | None) -> float | None:
    """Return a header's number, written in digits; None for a sign, an exponent, NaN and junk."""
    stripped = (text or "").strip()
    return float(stripped) if _PLAIN_NUMBER.fullmatch(stripped) else None


def http_date(text: str | None) -> datetime | None:
    """Return an HTTP date as aware UTC; None for junk."""
    try:
        parsed = parsedate_to_datetime(text or "")
        return parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None

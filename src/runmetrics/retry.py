"""When a failed request is tried again: the waits between tries, and those that a server asks for.

The same rules serve W&B and every sink. The loops around them stand where the requests are made,
because reading is asynchronous and delivery is not.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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

    def wait_seconds(self, failed: int, asked: float | None = None) -> float:
        """Return the wait after `failed` tries failed; never less than the `asked` seconds."""
        wait = _up_to(min(self.most_seconds, self.first_seconds * 2.0 ** min(failed - 1, 64)))
        return wait if asked is None else max(wait, asked + _up_to(self.first_seconds))

    def next_wait(
        self, failed: int, left: float, *, asked: float | None = None, tries: int | None = None
    ) -> float | None:
        """Return the wait before the next try; None when there is no try or no time for one.

        `left` are the seconds that remain for everything, `tries` overrides the policy's.
        """
        if failed >= (self.tries if tries is None else tries):
            return None
        wait = self.wait_seconds(failed, asked)
        return wait if wait <= left else None


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


def _up_to(seconds: float) -> float:
    return random.uniform(0, seconds)  # noqa: S311 - it spreads load and guards nothing

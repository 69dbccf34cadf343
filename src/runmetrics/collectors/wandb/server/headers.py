"""What W&B says in its headers about how many requests it will take, and when.

RateLimit-Limit and -Remaining are scaled to 0..1000, RateLimit-Reset is in seconds
(docs.wandb.ai, "Limits"). Proxies in front of it may send Retry-After instead. All of them may be
absent or junk, and junk counts as absent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FULL_QUOTA = 1000.0
_LOW_SHARE = 0.1
_LONGEST_BELIEVED_SECONDS = 86_400.0
_PLAIN_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Quota:
    """Requests left of `limit` until `reset_seconds` from now."""

    remaining: float
    limit: float = _FULL_QUOTA
    reset_seconds: float | None = None

    @property
    def low(self) -> bool:
        """Less than a tenth is left: time to slow down."""
        return self.remaining < self.limit * _LOW_SHARE


def read_quota(headers: Mapping[str, str]) -> Quota | None:
    """The quota that an answer states, or None where it states none."""
    remaining = _number(headers.get("RateLimit-Remaining"))
    if remaining is None:
        return None
    limit = _number(headers.get("RateLimit-Limit")) or _FULL_QUOTA
    return Quota(remaining, limit, _seconds(headers.get("RateLimit-Reset")))


def asked_wait(headers: Mapping[str, str], status: int) -> float | None:
    """Seconds that the server asks us to stay away; None where it says nothing believable.

    RateLimit-Reset comes with good answers too, so it is a wish only in a 429.
    """
    wishes = [_retry_after(headers)]
    if status == 429:
        wishes.append(_seconds(headers.get("RateLimit-Reset")))
    return max((wish for wish in wishes if wish is not None), default=None)


def http_date(text: str | None) -> datetime | None:
    """An HTTP date as aware UTC; None for junk."""
    try:
        parsed = parsedate_to_datetime(text or "")
        return parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After")
    then = http_date(text)
    if then is None:
        return _seconds(text)
    # by the server's own clock where it shows it: ours may be off
    wait = (then - (http_date(headers.get("Date")) or datetime.now(UTC))).total_seconds()
    return wait if 0 <= wait <= _LONGEST_BELIEVED_SECONDS else None


def _seconds(text: str | None) -> float | None:
    number = _number(text)
    return number if number is not None and number <= _LONGEST_BELIEVED_SECONDS else None


def _number(text: str | None) -> float | None:
    stripped = (text or "").strip()
    return float(stripped) if _PLAIN_NUMBER.fullmatch(stripped) else None

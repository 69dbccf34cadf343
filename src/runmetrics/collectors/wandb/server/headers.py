"""What W&B says in its headers about how many requests it will take, and when.

RateLimit-Limit and -Remaining are scaled to 0..1000, RateLimit-Reset is in seconds
(docs.wandb.ai, "Limits"). Proxies in front of it may send Retry-After instead. All of them may be
absent or junk, and junk counts as absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from runmetrics import retry

_FULL_QUOTA = 1000.0
_LOW_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Quota:
    """Requests left of `limit` until `reset_seconds` from now."""

    remaining: float
    limit: float = _FULL_QUOTA
    reset_seconds: float | None = None

    @property
    def low(self) -> bool:
        """Whether less than a tenth is left: time to slow down."""
        return self.remaining < self.limit * _LOW_SHARE


def read_quota(headers: Mapping[str, str]) -> Quota | None:
    """Return the quota that an answer states, None where it states none."""
    remaining = retry.plain_number(headers.get("RateLimit-Remaining"))
    if remaining is None:
        return None
    limit = retry.plain_number(headers.get("RateLimit-Limit")) or _FULL_QUOTA
    return Quota(remaining, limit, retry.plain_seconds(headers.get("RateLimit-Reset")))


def asked_wait(headers: Mapping[str, str], status: int) -> float | None:
    """Return the seconds that the server asks us to stay away; None where it says none.

    RateLimit-Reset comes with good answers too, so it is a wish only in a 429.
    """
    return retry.asked_wait(headers, "RateLimit-Reset" if status == 429 else "")

"""How many requests are under way at once, and how far apart: as the server's quota allows.

One pace holds for everything that reads a server: all scans, all proofs, all projects.
RateLimit-Limit and -Remaining are scaled to 0..1000, RateLimit-Reset is in seconds
(docs.wandb.ai, "Limits"). All of them may be absent or junk, and junk counts as absent.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from runmetrics.collectors.wandb.server.retry import RetryPolicy
from runmetrics.deadline import Deadline
from runmetrics.retry import plain_number, plain_seconds

MOST_AT_ONCE = 4
_FULL_QUOTA = 1000.0
_LOW_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Quota:
    """Requests left of `limit` until `reset_seconds` from now."""

    remaining: float
    limit: float
    reset_seconds: float | None

    @property
    def low(self) -> bool:
        """Whether less than a tenth is left: time to slow down."""
        return self.remaining < self.limit * _LOW_SHARE


def read_quota(headers: Mapping[str, str]) -> Quota | None:
    """Return the quota that an answer states, None where it states none."""
    remaining = plain_number(headers.get("RateLimit-Remaining"))
    if remaining is None:
        return None
    limit = plain_number(headers.get("RateLimit-Limit")) or _FULL_QUOTA
    return Quota(remaining, limit, plain_seconds(headers.get("RateLimit-Reset")))


class Pace:
    """Gives out turns to make a request. `clock` tells how long ago the last answer came."""

    def __init__(
        self, policy: RetryPolicy, deadline: Deadline, clock: Callable[[], datetime]
    ) -> None:
        self._policy = policy
        self._deadline = deadline
        self._clock = clock
        self._quota: Quota | None = None
        self._told_at: datetime | None = None
        self._under_way = 0
        self._room = asyncio.Condition()

    @property
    def quota_low(self) -> bool:
        """Whether the server said that less than a tenth of our requests are left."""
        return self._quota is not None and self._quota.low

    @property
    def most_at_once(self) -> int:
        """Return how many requests may be under way just now."""
        return 1 if self.quota_low else MOST_AT_ONCE

    def learn(self, headers: Mapping[str, str], answered_at: datetime) -> None:
        """Take in what an answer says of the quota."""
        self._told_at = answered_at
        self._quota = read_quota(headers) or self._quota

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a place for one request, after the pause that a low quota demands."""
        async with self._room:
            await self._room.wait_for(lambda: self._under_way < self.most_at_once)
            self._under_way += 1
        try:
            await self._pause()
            yield
        finally:
            self._under_way -= 1
            async with self._room:
                self._room.notify_all()

    async def _pause(self) -> None:
        if self._quota is None or self._told_at is None or not self._quota.low:
            return
        pause = self._policy.low_quota_pause_seconds
        if self._quota.remaining == 0:
            pause = max(pause, self._quota.reset_seconds or 0.0)
        left = min(pause, pause - (self._clock() - self._told_at).total_seconds())
        if 0 < left < self._deadline.remaining():
            await self._policy.sleep(left)

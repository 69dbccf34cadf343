"""Collects on an interval until it is stopped, and keeps what is on show."""

import gc
import time
from collections.abc import Callable

from runmetrics.deadline import TERMINATION_GRACE_SECONDS, Deadline
from runmetrics.pipeline import Outcome
from runmetrics.serve.snapshot import Snapshot, after

_SLACK_SECONDS = 60.0

Collect = Callable[[Deadline], Outcome]
"""One collection, deliveries included, within a deadline."""


class Loop:
    """Calls `collect` every `interval` seconds and gives it `timeout` seconds, or the interval.

    `clock` counts seconds and never jumps, whatever happens to the time of day. Other threads may
    read everything here at any time: a snapshot is whole, and replaced in one step.
    """

    def __init__(
        self,
        collect: Collect,
        *,
        interval: float,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.interval = interval
        self.timeout = min(timeout, interval)
        self.clock = clock
        self.snapshot: Snapshot | None = None
        self.collecting = False
        self.next_at = clock()
        self._collect = collect
        self._ticked_at = clock()

    @property
    def silent_seconds(self) -> float:
        """Return the seconds since the loop last moved."""
        return self.clock() - self._ticked_at

    @property
    def alive(self) -> bool:
        """Return whether it moves: it may wait for its interval, and collect until its timeout."""
        return self.silent_seconds <= self.interval + self.timeout + _SLACK_SECONDS

    def run(self, life: Deadline) -> None:
        """Collect at once and then on the interval, until `life` is stopped."""
        while not life.stopped:
            self.collect_once(life)
            # The command line has made Python's own searches rare, for the sake of a short run: a
            # process that stays would grow from cycle to cycle.
            gc.collect()
            life.wait(max(0.0, self.next_at - self.clock()))

    def collect_once(self, life: Deadline) -> None:
        """Collect once; where `life` is stopped it ends soon after, and is not shown."""
        deadline = Deadline(self.timeout)
        forget = life.on_stop(lambda: deadline.stop(TERMINATION_GRACE_SECONDS))
        began_at = self._tick()
        self.collecting = True
        try:
            outcome = self._collect(deadline)
        finally:
            self.collecting = False
            forget()
        self.next_at = max(began_at + self.interval, self._tick())
        if not outcome.stopped:
            self.snapshot = after(self.snapshot, outcome, began_at=began_at)

    def _tick(self) -> float:
        self._ticked_at = self.clock()
        return self._ticked_at

"""One bound in time for a whole run, shared by everything that waits."""

import threading
import time
from collections.abc import Callable


class Deadline:
    """Seconds that are left, and a way to cut them short (SIGTERM).

    `wait` is the only sleep in the program: it ends early when the run is stopped. `reserve`
    gives a part of the time to one phase while both share the stop.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._stopped = threading.Event()
        self._watchers: list[Callable[[], None]] = []
        self._phases: list[Deadline] = []

    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self._end - self._clock())

    @property
    def stopped(self) -> bool:
        """Whether somebody asked this run to end (SIGTERM)."""
        return self._stopped.is_set()

    def reserve(self, seconds: float) -> "Deadline":
        """A deadline for an earlier phase: `seconds` before this one, stopped with it."""
        phase = Deadline(max(0.0, self.remaining() - seconds), clock=self._clock)
        phase._stopped = self._stopped
        phase._watchers = self._watchers
        self._phases.append(phase)
        return phase

    def stop(self, grace: float) -> None:
        """End the run within `grace` seconds: wakes every wait and calls every watcher."""
        end = self._clock() + grace
        for deadline in (self, *self._phases):
            deadline._end = min(deadline._end, end)
        self._stopped.set()
        for watcher in list(self._watchers):
            watcher()

    def on_stop(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` (from a signal handler: keep it small) on stop; returns its removal."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def wait(self, seconds: float) -> bool:
        """Sleep; False, at once, when that would pass the deadline or the run is stopped."""
        if seconds > self.remaining():
            return False
        return not self._stopped.wait(seconds)

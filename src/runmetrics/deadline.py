"""One bound in time for a whole run, shared by everything that waits."""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field

TERMINATION_GRACE_SECONDS = 8.0
"""What a push under way gets after SIGTERM, to be gone within 10 s; Kubernetes kills after 30."""


@dataclass(slots=True)
class _Stop:
    """What all phases of a run share.

    `bell` is a queue and no threading.Event: a signal handler that sets an event can wait for ever
    for a lock that the code it interrupted holds.
    """

    asked: bool = False
    bell: "queue.SimpleQueue[None]" = field(default_factory=queue.SimpleQueue)
    watchers: list[Callable[[], None]] = field(default_factory=list)
    deadlines: "list[Deadline]" = field(default_factory=list)


class Deadline:
    """Seconds that are left, and a way to cut them short (SIGTERM).

    `wait` is the only sleep in the program: it ends early when the run is stopped. `reserve`
    gives a part of the time to one phase while both share the stop.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._stop = _Stop(deadlines=[self])

    def remaining(self) -> float:
        """Return the seconds that are left; never negative."""
        return max(0.0, self._end - self._clock())

    @property
    def stopped(self) -> bool:
        """Whether somebody asked this run to end (SIGTERM)."""
        return self._stop.asked

    def reserve(self, seconds: float) -> "Deadline":
        """Return a deadline for an earlier phase: `seconds` before this one, stopped with it."""
        phase = Deadline(max(0.0, self.remaining() - seconds), clock=self._clock)
        phase._stop = self._stop
        self._stop.deadlines.append(phase)
        return phase

    def stop(self, grace: float) -> None:
        """End the run within `grace` seconds: wakes every wait and calls every watcher."""
        end = self._clock() + grace
        for deadline in self._stop.deadlines:
            deadline._end = min(deadline._end, end)
        self._stop.asked = True
        self._stop.bell.put(None)
        for watcher in list(self._stop.watchers):
            watcher()

    def on_stop(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` (from a signal handler: keep it small) on stop; returns its removal.

        It is called at once when the run is stopped already.
        """
        self._stop.watchers.append(watcher)
        if self.stopped:
            watcher()
        return lambda: self._stop.watchers.remove(watcher)

    def wait(self, seconds: float) -> bool:
        """Sleep; False, at once, when that would pass the deadline or the run is stopped."""
        if self.stopped or seconds > self.remaining():
            return False
        try:
            self._stop.bell.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return True
        self._stop.bell.put(None)  # for the next one that waits
        return False

"""Collect, deliver to every sink, and say what became of it all. The one place that knows both."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from runmetrics.collectors import Collector
from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode, RunmetricsError
from runmetrics.model import Collection, Delivery, Problem
from runmetrics.sinks import Sink

DELIVERY_SECONDS = 20.0
"""Kept of the deadline for delivery: what was read is worth nothing before it arrives."""

_PERMANENCE = (ExitCode.CONFIGURATION, ExitCode.REFUSED, ExitCode.TEMPORARY)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of the program, whole. `dry_run`: no sink was asked for."""

    collector: str
    time: datetime
    collection: Collection
    deliveries: tuple[Delivery, ...]
    dry_run: bool
    seconds: float
    stopped: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """By DESIGN, "Exit codes": what was delivered makes trouble partial; else the worst."""
        if self.stopped:
            return ExitCode.TERMINATED
        codes = [problem.code for problem in self.collection.problems]
        codes += [delivery.code for delivery in self.deliveries if delivery.code]
        if not codes and not any(delivery.dropped for delivery in self.deliveries):
            return ExitCode.OK
        arrived = any(delivery.accepted for delivery in self.deliveries)
        if arrived or (self.dry_run and self.collection.samples):
            return ExitCode.PARTIAL
        return next((code for code in _PERMANENCE if code in codes), ExitCode.TEMPORARY)


def run(collector: Collector, sinks: Sequence[Sink], now: datetime, deadline: Deadline) -> Outcome:
    """Read within the deadline less its last 20 s, then give every sink all samples.

    A collector that raises leaves a collection with one problem; a sink fails alone.
    """
    started = time.monotonic()
    preparing = [_in_thread(prepare) for sink in sinks if (prepare := _prepare(sink))]
    try:
        reading = deadline.reserve(DELIVERY_SECONDS) if sinks else deadline
        collection = collector.collect(now, reading)
    except RunmetricsError as error:
        problem = Problem((), error.cause, error.mend, error.exit_code)
        collection = Collection(problems=(problem,))
    for thread in preparing:
        thread.join(deadline.remaining())
    deliveries = tuple(
        sink.deliver(collection.samples, deadline) for sink in sinks if collection.samples
    )
    seconds = time.monotonic() - started
    return Outcome(
        collector.name, now, collection, deliveries, not sinks, seconds, deadline.stopped
    )


def _prepare(sink: Sink) -> Callable[[], None] | None:
    """A sink may have a `preload`, for what takes time and does not depend on the samples."""
    preload: Callable[[], None] | None = getattr(sink, "preload", None)
    return preload


def _in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread

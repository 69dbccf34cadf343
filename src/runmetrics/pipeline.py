"""Collect, deliver to every sink, and say what became of it all. The one place that knows both."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from runmetrics.deadline import Deadline
from runmetrics.delivery import deliver_through
from runmetrics.errors import ExitCode, RunmetricsError
from runmetrics.logs import excerpt
from runmetrics.model import Collection, Delivery, Problem, Sample
from runmetrics.plugins import Collector, Sink
from runmetrics.self_metrics import about, dropped, is_about_itself
from runmetrics.spool import Spool

DELIVERY_SECONDS = 20.0
"""Kept of the deadline for delivery: what was read is worth nothing before it arrives. Of a short
deadline half, or there would be nothing to deliver."""

_log = logging.getLogger(__name__)
_NO_SPOOL = Spool(None)
_PERMANENCE = (ExitCode.CONFIGURATION, ExitCode.REFUSED, ExitCode.TEMPORARY, ExitCode.BUG)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of the program, whole. `dry_run`: no sink was asked for.

    `itself` is what was delivered about this run beside what was collected. `datadog_tags` are
    those that Datadog would get with every sample, in a dry run.
    """

    collector: str
    time: datetime
    collection: Collection
    deliveries: tuple[Delivery, ...]
    dry_run: bool
    seconds: float
    stopped: bool = False
    itself: tuple[Sample, ...] = ()
    notices: tuple[str, ...] = ()
    datadog_tags: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """Return 76 for trouble where anything was delivered, else the most lasting cause.

        Samples about ourselves never decide.
        """
        if self.stopped:
            return ExitCode.TERMINATED
        short = [delivery for delivery in self.deliveries if _lost(delivery)]
        codes = [problem.code for problem in self.collection.problems]
        codes += [delivery.code for delivery in short if delivery.code]
        if not codes and not short:
            return ExitCode.OK
        arrived = any(
            not is_about_itself(sample)
            for delivery in self.deliveries
            for sample in delivery.accepted
        )
        if arrived or (self.dry_run and self.collection.samples):
            return ExitCode.PARTIAL
        return next((code for code in _PERMANENCE if code in codes), ExitCode.TEMPORARY)


def run(
    collector: Collector,
    sinks: Sequence[Sink],
    now: datetime,
    deadline: Deadline,
    spool: Spool = _NO_SPOOL,
) -> Outcome:
    """Read within the deadline less its last 20 s, then give every sink all samples.

    A collector that raises, be it by a bug of its own, leaves a collection with one problem; a
    sink fails alone. A run that was stopped begins no delivery; `spool` keeps what is left.
    """
    started = time.monotonic()
    preparing = [_in_thread(sink.preload) for sink in sinks]
    try:
        kept = min(DELIVERY_SECONDS, deadline.remaining() / 2)
        reading = deadline.reserve(kept) if sinks else deadline
        collection = collector.collect(now, reading)
    except RunmetricsError as error:
        problem = Problem((), error.cause, error.fix, error.exit_code)
        collection = Collection(problems=(problem,))
    except Exception as error:  # noqa: BLE001 - a collector may be anybody's
        collection = Collection(problems=(_bug(collector, error),))
    for thread in preparing:
        thread.join(deadline.remaining())
    itself: tuple[Sample, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    if sinks and (collection.samples or not deadline.stopped):
        itself = about(collector.name, collection, now, time.monotonic() - started)
        samples = (*collection.samples, *itself)
        deliveries = deliver_through(spool, sinks, samples, deadline)
        # a sink that holds back would be given its backlog once more, and counted twice
        behind = {delivery.sink for delivery in deliveries if delivery.undelivered}
        taking = [sink for sink in sinks if sink.name not in behind]
        if taking and (drops := dropped(collector.name, deliveries, now)):
            itself += drops
            adding = [sink for sink in taking if not sink.is_snapshot]
            more = _by_sink(deliver_through(spool, adding, drops, deadline))
            snapshots = [sink for sink in taking if sink.is_snapshot]
            anew = _by_sink(deliver_through(spool, snapshots, (*samples, *drops), deadline))
            deliveries = tuple(
                anew.get(first.sink) or _together(first, more.get(first.sink))
                for first in deliveries
            )
    return Outcome(
        collector.name,
        now,
        collection,
        deliveries,
        dry_run=not sinks,
        seconds=time.monotonic() - started,
        stopped=deadline.stopped,
        itself=itself,
        notices=tuple(spool.notices),
    )


def _by_sink(deliveries: Sequence[Delivery]) -> dict[str, Delivery]:
    return {delivery.sink: delivery for delivery in deliveries}


def _together(first: Delivery, more: Delivery | None) -> Delivery:
    """Add up what a sink took in two rounds; errors of the second, our own, do not count."""
    if more is None:
        return first
    return replace(
        first,
        accepted=first.accepted + more.accepted,
        dropped=first.dropped + more.dropped,
        undelivered=first.undelivered + more.undelivered,
        spooled=max(first.spooled, more.spooled),
        requests=first.requests + more.requests,
        bytes_sent=first.bytes_sent + more.bytes_sent,
    )


def _bug(collector: Collector, error: Exception) -> Problem:
    _log.debug("the collector %s raised", collector.name, exc_info=True)
    return Problem(
        (),
        f"a bug of the collector {collector.name}: {type(error).__name__}: {excerpt(str(error))}",
        "please report it with the output of the same command with --verbose",
        ExitCode.BUG,
    )


def _lost(delivery: Delivery) -> bool:
    """Return whether a sample did not arrive, whatever its sink says; a duplicate did, once."""
    dropped = (drop.sample for drop in delivery.dropped if drop.reason != "duplicate")
    return not all(map(is_about_itself, (*dropped, *delivery.undelivered)))


def _in_thread(preload: Callable[[], None]) -> threading.Thread:
    def work() -> None:
        with contextlib.suppress(Exception):  # the delivery will meet it, and account for it
            preload()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread

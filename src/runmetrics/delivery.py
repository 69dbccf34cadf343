"""Samples to sinks by way of the spool: on disk first, then sent, then forgotten."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode, RunmetricsError
from runmetrics.logs import excerpt
from runmetrics.model import Delivery, Drop, Sample
from runmetrics.plugins import Sink
from runmetrics.spool import Spool
from runmetrics.spool_rows import as_row
from runmetrics.text import were


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """What one sink is about to be given: its backlog, oldest first, then what is new.

    `kept`: what is new is in the spool too. `expired` never goes out.
    """

    sink: Sink
    samples: tuple[Sample, ...]
    kept: bool
    expired: tuple[Drop, ...]


def deliver_through(
    spool: Spool, sinks: Sequence[Sink], samples: Sequence[Sample], deadline: Deadline
) -> tuple[Delivery, ...]:
    """Give every sink its backlog and `samples`, side by side; one Delivery each, in order.

    `samples` are in the spool for all of them before anything is sent, so that a kill loses
    nothing. A sink may have `max_age_seconds`, the age from which it takes no sample: what is
    that old in its backlog is dropped as "expired". What is not delivered and found no place in
    the spool is dropped as "spool_full"; what a spool that cannot be written to could not keep
    stays in `undelivered` and is not in `spooled`. A run that was stopped begins no delivery, and a
    sink that raises fails alone; one with nothing to be told of gets no Delivery.
    """
    outgoing = [_kept(spool, sink, samples) for sink in sinks]
    outgoing = [each for each in outgoing if each.samples or each.expired]
    with ThreadPoolExecutor(max_workers=max(1, len(outgoing))) as threads:
        return tuple(threads.map(lambda each: _sent(spool, each, deadline), outgoing))


def _kept(spool: Spool, sink: Sink, samples: Sequence[Sample]) -> _Outgoing:
    age = sink.max_age_seconds
    expired = [] if age is None else spool.expire(sink.name, age)
    backlog = spool.pending(sink.name)
    kept = spool.keep(sink.name, samples)
    return _Outgoing(sink, (*backlog, *samples), kept, tuple(expired))


def _sent(spool: Spool, outgoing: _Outgoing, deadline: Deadline) -> Delivery:
    sink = outgoing.sink
    delivery = _given(sink, outgoing.samples, deadline)
    done = (*delivery.accepted, *(drop.sample for drop in delivery.dropped))
    spool.forget(sink.name, done)
    waiting, without_room = _parted(delivery.undelivered, spool.rows(sink.name))
    full = [Drop(sample, "spool_full") for sample in without_room] if outgoing.kept else []
    return replace(
        delivery,
        dropped=(*outgoing.expired, *delivery.dropped, *full),
        undelivered=tuple(waiting if outgoing.kept else delivery.undelivered),
        spooled=len(waiting),
        notices=(*_remarks(outgoing, len(full)), *delivery.notices),
    )


def _given(sink: Sink, samples: tuple[Sample, ...], deadline: Deadline) -> Delivery:
    if not samples:
        return Delivery(sink.name)
    if deadline.stopped:
        cause = f"the run was stopped before anything was sent to {sink.name}"
        return Delivery(sink.name, undelivered=samples, error=cause, code=ExitCode.TEMPORARY)
    try:
        return sink.deliver(samples, deadline)
    except RunmetricsError as error:
        return Delivery(sink.name, undelivered=samples, error=str(error), code=error.exit_code)
    except Exception as error:  # noqa: BLE001 - a sink may be anybody's, and fails alone
        said = f"a bug of the sink {sink.name}: {type(error).__name__}: {excerpt(str(error))}"
        return Delivery(sink.name, undelivered=samples, error=said, code=ExitCode.BUG)


def _parted(samples: Sequence[Sample], places: Counter[bytes]) -> tuple[list[Sample], list[Sample]]:
    """Return those of `samples` that have a place among the spooled rows, and those without."""
    waiting: list[Sample] = []
    without_room: list[Sample] = []
    for sample in samples:
        row = as_row(sample)
        (waiting if places[row] > 0 else without_room).append(sample)
        places[row] -= 1
    return waiting, without_room


def _remarks(outgoing: _Outgoing, full: int) -> list[str]:
    name, remarks = outgoing.sink.name, []
    if outgoing.expired:
        oldest = min(drop.sample.time for drop in outgoing.expired)
        remarks.append(
            f"{were(len(outgoing.expired), 'sample')} not sent (expired): "
            f"too old for {name} by now, the oldest of {oldest:%Y-%m-%dT%H:%M:%SZ}"
        )
    if full:
        remarks.append(
            f"{were(full, 'sample')} lost (spool_full): {name} did not take what was the oldest, "
            "and the spool had no room for it"
        )
    return remarks

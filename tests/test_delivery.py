"""Delivery by way of the spool: what went wrong in one run is made good in the next."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from runmetrics.deadline import Deadline
from runmetrics.delivery import deliver_through
from runmetrics.errors import CredentialRefused, ExitCode
from runmetrics.model import Delivery, Sample
from runmetrics.sandbox.http import Fault, Response
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sinks.datadog import DatadogSink
from runmetrics.spool import Spool
from runmetrics.spool_rows import as_row
from tests.sinks.datadog.datadog_case import CANARY
from tests.sinks.datadog.datadog_case import sink as datadog
from tests.spool_case import NOON, ProcessEndedError, ScriptedSink, accept, refuse, sample


def run(
    directory: Path | None,
    *sinks: ScriptedSink | DatadogSink,
    samples: Sequence[Sample] = (),
    minutes_later: float = 0,
    most_bytes: int = 100_000,
) -> tuple[Delivery, ...]:
    """One run of the program at a time after noon."""
    now = (NOON + timedelta(minutes=minutes_later)).timestamp()
    with Spool(directory, most_bytes=most_bytes, clock=lambda: now) as spool:
        deliveries = deliver_through(spool, sinks, samples, Deadline(10))
        assert spool.notices == []
    return deliveries


def test_what_a_sink_does_not_take_waits_and_is_drained_first_by_the_next_run(
    tmp_path: Path,
) -> None:
    sink = ScriptedSink(answer=refuse)
    (first,) = run(tmp_path, sink, samples=[sample(1), sample(2)])
    assert (first.undelivered, first.spooled) == ((sample(1), sample(2)), 2)

    sink.answer = accept
    (second,) = run(tmp_path, sink, samples=[sample(3)], minutes_later=5)

    assert second == Delivery("fake", accepted=(sample(1), sample(2), sample(3)), requests=1)
    assert sink.taken == [sample(1), sample(2), sample(3)]
    assert run(tmp_path, sink) == ()


def test_d13_after_an_outage_of_half_an_hour_points_arrive_with_their_own_timestamps(
    tmp_path: Path,
) -> None:
    minute = 0

    def clock() -> float:
        return NOON.timestamp() + 60 * minute

    with DatadogIntake(keys=[CANARY], clock=clock) as intake:
        sink = datadog(intake, clock=clock)
        intake.server.fault_for = lambda _request: Fault(response=Response(503))
        for minute in range(0, 31, 5):
            new = replace(sample(minute), time=NOON + timedelta(minutes=minute))
            (down,) = run(tmp_path, sink, samples=[new], minutes_later=minute)
            assert down.spooled == len(down.undelivered) == minute // 5 + 1

        minute = 35
        intake.server.fault_for = lambda _request: None
        (up,) = run(tmp_path, sink, minutes_later=minute)

        assert len(up.accepted) == 7
        assert not up.dropped
        assert {(point.name, point.value, point.timestamp) for point in intake.points} == {
            (f"wandb.m{minute}", float(minute), int(NOON.timestamp()) + 60 * minute)
            for minute in range(0, 31, 5)
        }


def test_d13_what_is_55_minutes_old_by_then_is_dropped_as_expired_and_said(tmp_path: Path) -> None:
    sink = ScriptedSink(answer=refuse)
    run(tmp_path, sink, samples=[sample(1, minutes_ago=20), sample(2), sample(3, minutes_ago=15)])

    sink.answer = accept
    (delivery,) = run(tmp_path, sink, samples=[], minutes_later=40)

    assert delivery.accepted == (sample(2),)
    assert [(drop.sample, drop.reason) for drop in delivery.dropped] == [
        (sample(1, minutes_ago=20), "expired"),
        (sample(3, minutes_ago=15), "expired"),
    ]
    (notice,) = delivery.notices
    assert notice == (
        "2 samples were not sent (expired): too old for fake by now, "
        "the oldest of 2026-03-01T11:40:00Z"
    )
    assert run(tmp_path, sink, minutes_later=41) == ()


def test_a_backlog_that_expired_whole_is_told_of_without_asking_the_sink(tmp_path: Path) -> None:
    sink = ScriptedSink(answer=refuse)
    run(tmp_path, sink, samples=[sample(1)])
    sink.given.clear()

    (delivery,) = run(tmp_path, sink, minutes_later=60)

    assert [drop.reason for drop in delivery.dropped] == ["expired"]
    assert sink.given == []


def test_for_a_sink_that_names_no_age_nothing_expires(tmp_path: Path) -> None:
    sink = ScriptedSink(answer=refuse, max_age_seconds=None)
    run(tmp_path, sink, samples=[sample(1)])

    sink.answer = accept
    (delivery,) = run(tmp_path, sink, minutes_later=60 * 24 * 365)

    assert delivery.accepted == (sample(1),)


def test_d14_what_was_taken_or_will_never_be_is_not_sent_again(tmp_path: Path) -> None:
    fates = {1: "accept", 2: "keep", 3: "bad_series", 4: "keep"}
    sink = ScriptedSink(answer=lambda _place, one: fates[int(one.value)])
    (first,) = run(tmp_path, sink, samples=[sample(1), sample(2), sample(3), sample(4)])
    assert (first.accepted, first.undelivered) == ((sample(1),), (sample(2), sample(4)))
    assert [drop.reason for drop in first.dropped] == ["bad_series"]

    sink.answer = accept
    sink.given.clear()
    run(tmp_path, sink)

    assert sink.given == [sample(2), sample(4)]


def test_d18_a_sink_that_is_down_has_its_backlog_alone(tmp_path: Path) -> None:
    up, down = ScriptedSink("up"), ScriptedSink("down", answer=refuse)

    deliveries = run(tmp_path, up, down, samples=[sample(1)])

    assert [(each.sink, len(each.accepted), each.spooled) for each in deliveries] == [
        ("up", 1, 0),
        ("down", 0, 1),
    ]
    down.answer = accept
    assert [each.sink for each in run(tmp_path, up, down)] == ["down"]
    assert (up.taken, down.taken) == ([sample(1)], [sample(1)])


def test_sinks_are_served_side_by_side(tmp_path: Path) -> None:
    """One that uses up its whole deadline leaves the other's alone."""
    fast = ScriptedSink("fast")

    class Waiting(ScriptedSink):
        def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
            while not fast.taken:
                assert deadline.wait(0.01)
            return super().deliver(samples, deadline)

    slow, _ = run(tmp_path, Waiting("slow"), fast, samples=[sample(1)])

    assert slow.accepted == (sample(1),)


def test_h4_a_run_killed_while_it_delivers_leaves_all_to_the_next(tmp_path: Path) -> None:
    """Nothing is sent to any sink before it is on disk for every sink."""
    killed, unreached = ScriptedSink("a", dies_after=1), ScriptedSink("b", dies_after=0)
    with pytest.raises(ProcessEndedError):
        run(tmp_path, killed, unreached, samples=[sample(1), sample(2)])
    assert (killed.taken, unreached.taken) == ([sample(1)], [])

    killed.dies_after = unreached.dies_after = None
    run(tmp_path, killed, unreached, samples=[sample(3)], minutes_later=5)

    assert killed.taken == [sample(1), sample(1), sample(2), sample(3)]
    assert unreached.taken == [sample(1), sample(2), sample(3)]


def test_what_a_full_spool_has_no_room_for_is_sent_all_the_same(tmp_path: Path) -> None:
    sink = ScriptedSink()

    (delivery,) = run(tmp_path, sink, samples=[sample(1), sample(2)], most_bytes=10)

    assert delivery == Delivery("fake", accepted=(sample(1), sample(2)), requests=1)


def test_what_is_not_taken_and_finds_no_room_is_dropped_oldest_first_and_said(
    tmp_path: Path,
) -> None:
    room_for_two = len(as_row(sample(1))) * 2
    sink = ScriptedSink(answer=refuse)
    run(tmp_path, sink, samples=[sample(1), sample(2)], most_bytes=room_for_two)

    (delivery,) = run(tmp_path, sink, samples=[sample(3)], most_bytes=room_for_two)

    assert [(drop.sample, drop.reason) for drop in delivery.dropped] == [(sample(1), "spool_full")]
    assert (delivery.undelivered, delivery.spooled) == ((sample(2), sample(3)), 2)
    (notice,) = delivery.notices
    assert notice == (
        "1 sample was lost (spool_full): fake did not take what was the oldest, "
        "and the spool had no room for it"
    )


def test_h3_a_run_that_was_stopped_sends_nothing_and_keeps_all(tmp_path: Path) -> None:
    sink, deadline = ScriptedSink(), Deadline(10)
    deadline.stop(grace=5)
    with Spool(tmp_path, clock=NOON.timestamp) as spool:
        (delivery,) = deliver_through(spool, [sink], [sample(1)], deadline)

    assert delivery == Delivery(
        "fake",
        undelivered=(sample(1),),
        spooled=1,
        error="the run was stopped before anything was sent to fake",
        code=ExitCode.TEMPORARY,
    )
    assert sink.given == []


def test_a_sink_that_raises_fails_alone_and_its_samples_wait(tmp_path: Path) -> None:
    class Raising(ScriptedSink):
        def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
            raise CredentialRefused("no key for it", "set one")

    refused, served = run(tmp_path, Raising("refused"), ScriptedSink("served"), samples=[sample(1)])

    assert refused == Delivery(
        "refused",
        undelivered=(sample(1),),
        spooled=1,
        error="no key for it: set one",
        code=ExitCode.REFUSED,
    )
    assert served.accepted == (sample(1),)


def test_without_a_spool_a_delivery_is_the_sinks_own() -> None:
    sink = ScriptedSink(answer=lambda place, _one: "accept" if place else "keep")

    (delivery,) = run(None, sink, samples=[sample(1), sample(2)])

    assert (delivery.accepted, delivery.undelivered) == ((sample(2),), (sample(1),))
    assert (delivery.spooled, delivery.dropped, delivery.notices) == (0, (), ())

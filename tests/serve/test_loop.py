"""When the loop collects, how long it lets it take, and how it ends."""

import threading
import time
import weakref
from dataclasses import replace

from runmetrics.deadline import Deadline
from runmetrics.pipeline import Outcome
from runmetrics.serve.loop import Loop
from tests.serve.scene import FakeClock, Script, outcome, sample

KNOWN = outcome(sample())


def test_it_collects_at_once() -> None:
    life = Deadline(60)
    collected: list[float] = []

    def collect(_deadline: Deadline) -> Outcome:
        collected.append(time.monotonic())
        life.stop(0)
        return KNOWN

    Loop(collect, interval=3600, timeout=90).run(life)

    assert len(collected) == 1


def test_it_collects_again_on_the_interval() -> None:
    life, began = Deadline(60), time.monotonic()
    times: list[float] = []

    def collect(_deadline: Deadline) -> Outcome:
        times.append(time.monotonic() - began)
        if len(times) == 3:
            life.stop(0)
        return KNOWN

    Loop(collect, interval=0.2, timeout=90).run(life)

    assert times[1] >= 0.2
    assert times[2] >= 0.4


def test_the_interval_counts_from_the_start_of_a_collection() -> None:
    clock = FakeClock()

    def collect(_deadline: Deadline) -> Outcome:
        clock.seconds += 20
        return KNOWN

    loop = Loop(collect, interval=60, timeout=30, clock=clock)
    loop.collect_once(Deadline(60))

    assert loop.next_at - clock() == 40


def test_after_a_collection_that_took_too_long_the_next_one_follows_at_once() -> None:
    clock = FakeClock()

    def collect(_deadline: Deadline) -> Outcome:
        clock.seconds += 65
        return KNOWN

    loop = Loop(collect, interval=60, timeout=30, clock=clock)
    loop.collect_once(Deadline(60))

    assert loop.next_at == clock()


def test_what_a_collection_leaves_behind_is_gone_after_it() -> None:
    """Python searches for cycles rarely in this program, so a process that stays must ask."""

    class Garbage:
        def __init__(self) -> None:
            self.itself = self

    def collect(_deadline: Deadline) -> Outcome:
        found.append([each() for each in left])
        left.append(weakref.ref(Garbage()))
        if len(left) == 3:
            life.stop(0)
        return KNOWN

    life = Deadline(60)
    left: list[weakref.ref[Garbage]] = []
    found: list[list[Garbage | None]] = []
    Loop(collect, interval=0.01, timeout=30).run(life)

    assert found == [[], [None], [None, None]]


def test_h6_a_collection_has_the_timeout_but_never_more_than_the_interval() -> None:
    left: list[float] = []

    def collect(deadline: Deadline) -> Outcome:
        left.append(deadline.remaining())
        return KNOWN

    Loop(collect, interval=1800, timeout=90).collect_once(Deadline(60))
    Loop(collect, interval=30, timeout=90).collect_once(Deadline(60))

    assert 60 < left[0] <= 90
    assert 15 < left[1] <= 30


def test_h3_it_ends_at_once_when_it_is_stopped_while_it_waits() -> None:
    life, collected = Deadline(60), threading.Event()

    def collect(_deadline: Deadline) -> Outcome:
        collected.set()
        return KNOWN

    thread = threading.Thread(target=Loop(collect, interval=3600, timeout=90).run, args=(life,))
    thread.start()
    assert collected.wait(5)
    life.stop(8)
    thread.join(5)

    assert not thread.is_alive()


def test_h3_a_collection_under_way_is_stopped_and_not_shown() -> None:
    life = Deadline(60)
    graces: list[float] = []

    def collect(deadline: Deadline) -> Outcome:
        life.stop(8)
        graces.append(deadline.remaining())
        return replace(outcome(), stopped=deadline.stopped)

    loop = Loop(collect, interval=3600, timeout=90)
    loop.run(life)

    assert loop.snapshot is None
    assert 7 < graces[0] <= 8


def test_it_is_alive_while_it_waits_and_collects_and_a_minute_longer() -> None:
    script = Script(KNOWN)
    script.clock.seconds += 90 + 60

    alive = script.loop.alive
    script.clock.seconds += 1

    assert alive
    assert not script.loop.alive
    assert script.loop.silent_seconds == 1800 + 90 + 60 + 1

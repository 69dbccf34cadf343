"""One bound in time for a whole run, which SIGTERM cuts short."""

import signal
import threading
import time
from types import FrameType

import pytest

from runmetrics.deadline import Deadline


class Clock:
    """Seconds that pass only when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_remains_shrinks_with_the_clock_and_is_never_negative(clock: Clock) -> None:
    deadline = Deadline(10, clock=clock)

    assert deadline.remaining() == 10
    clock.now += 4
    assert deadline.remaining() == 6
    clock.now += 40
    assert deadline.remaining() == 0


def test_a_phase_ends_before_the_whole_by_what_is_reserved(clock: Clock) -> None:
    deadline = Deadline(90, clock=clock)
    clock.now += 10

    assert deadline.reserve(20).remaining() == 60
    assert deadline.reserve(200).remaining() == 0
    assert deadline.remaining() == 80


def test_a_stop_leaves_its_grace_and_no_more_than_there_was(clock: Clock) -> None:
    long, short = Deadline(90, clock=clock), Deadline(3, clock=clock)

    long.stop(10)
    short.stop(10)

    assert (long.remaining(), long.stopped) == (10, True)
    assert (short.remaining(), short.stopped) == (3, True)


def test_a_second_stop_gives_no_more_time(clock: Clock) -> None:
    deadline = Deadline(90, clock=clock)
    deadline.stop(10)
    clock.now += 4

    deadline.stop(10)

    assert deadline.remaining() == 6


def test_a_stop_reaches_every_phase_and_the_phases_of_phases(clock: Clock) -> None:
    whole = Deadline(90, clock=clock)
    reading = whole.reserve(20)
    one_request = reading.reserve(5)

    whole.stop(10)

    assert [each.remaining() for each in (whole, reading, one_request)] == [10, 10, 10]
    assert all(each.stopped for each in (whole, reading, one_request))


def test_stopping_a_phase_stops_the_whole(clock: Clock) -> None:
    whole = Deadline(90, clock=clock)

    whole.reserve(20).stop(10)

    assert (whole.stopped, whole.remaining()) == (True, 10)


def test_a_phase_reserved_after_the_stop_is_stopped(clock: Clock) -> None:
    whole = Deadline(90, clock=clock)
    whole.stop(10)

    late = whole.reserve(4)

    assert (late.stopped, late.remaining()) == (True, 6)


def test_watchers_are_called_on_stop_unless_they_were_removed() -> None:
    deadline, called = Deadline(90), list[str]()
    deadline.on_stop(lambda: called.append("whole"))
    deadline.reserve(20).on_stop(lambda: called.append("phase"))
    forget = deadline.on_stop(lambda: called.append("gone"))
    forget()

    assert called == []
    deadline.stop(1)

    assert called == ["whole", "phase"]


def test_a_watcher_that_comes_after_the_stop_is_called_at_once() -> None:
    deadline, called = Deadline(90), list[str]()
    deadline.stop(1)

    deadline.on_stop(lambda: called.append("late"))()

    assert called == ["late"]


def test_a_wait_within_the_deadline_is_slept_to_its_end() -> None:
    began = time.monotonic()

    assert Deadline(60).wait(0.05)

    assert time.monotonic() - began >= 0.05


def test_a_wait_of_nothing_is_none() -> None:
    assert Deadline(60).wait(0)
    assert Deadline(0).wait(0)
    assert Deadline(60).wait(-1)


def test_a_wait_beyond_the_deadline_is_refused_at_once() -> None:
    began = time.monotonic()

    assert not Deadline(10).wait(11)

    assert time.monotonic() - began < 5


def test_a_stopped_run_waits_no_more() -> None:
    deadline = Deadline(60)
    deadline.stop(50)

    assert not deadline.wait(0)
    assert not deadline.wait(40)


def test_a_stop_wakes_everyone_who_waits() -> None:
    deadline = Deadline(60)
    phase = deadline.reserve(1)
    ends: list[bool] = []
    waiting = [
        threading.Thread(target=lambda each=each: ends.append(each.wait(50)))
        for each in (deadline, phase, phase)
    ]
    for thread in waiting:
        thread.start()

    deadline.stop(50)
    for thread in waiting:
        thread.join(10)

    assert ends == [False, False, False]


def test_a_signal_ends_the_wait_that_it_interrupts() -> None:
    deadline = Deadline(60)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        deadline.stop(10)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    began = time.monotonic()
    try:
        slept = deadline.wait(30)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert not slept
    assert time.monotonic() - began < 10
    assert deadline.stopped

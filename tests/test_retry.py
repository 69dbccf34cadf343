"""Another try: after a wait that is spread, bounded, never shorter than the server asked for."""

import asyncio
from collections.abc import Callable

import pytest

from runmetrics.deadline import Deadline
from runmetrics.retry import (
    Backoff,
    Retries,
    TransientFailure,
    asked_wait,
    http_date,
    plain_number,
    plain_seconds,
    retry_after,
)

POLICY = Backoff(tries=5, first_seconds=1.0, most_seconds=3.0)


class Clock(Deadline):
    """A deadline whose time stands still; it notes the waits, which take none."""

    def __init__(self, seconds: float = 60.0) -> None:
        super().__init__(seconds, clock=lambda: 0.0)
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return not self.stopped

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


class Busy(TransientFailure):
    def __init__(self, asked_seconds: float | None = None, tries: int | None = None) -> None:
        super().__init__("busy")
        self.what, self.asked_seconds, self.tries = "busy", asked_seconds, tries


def failing(*failures: Exception) -> Callable[[], str]:
    """Return an attempt that fails with these in turn, then answers."""
    left = list(failures)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return attempt


@pytest.fixture
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let chance choose the greatest wait each time."""
    monkeypatch.setattr("random.uniform", lambda _least, most: most)
    monkeypatch.setattr("random.random", lambda: 1.0)


@pytest.mark.usefixtures("longest_waits")
def test_the_longest_wait_doubles_with_each_failure_up_to_its_bound() -> None:
    clock = Clock()

    assert Retries(POLICY, clock).call(failing(Busy(), Busy(), Busy(), Busy())) == "answer"
    assert clock.waits == [1, 2, 3, 3]


@pytest.mark.usefixtures("longest_waits")
def test_what_is_awaited_is_tried_again_by_the_same_rules() -> None:
    clock, answer = Clock(), failing(Busy(), Busy(asked_seconds=7))

    async def attempt() -> str:
        return answer()

    assert asyncio.run(Retries(POLICY, clock).call_async(attempt, clock.sleep)) == "answer"
    assert clock.waits == [1, 8]


def test_a_wait_is_anything_from_nothing_to_its_bound() -> None:
    clock = Clock()
    Retries(Backoff(201, 3.0, 3.0), clock).call(failing(*(Busy() for _ in range(200))))

    assert 0 <= min(clock.waits) < 1
    assert 2 < max(clock.waits) <= 3


@pytest.mark.usefixtures("longest_waits")
def test_a_wait_is_never_shorter_than_the_server_asked_for_and_a_little_longer() -> None:
    clock = Clock()
    Retries(POLICY, clock).call(failing(Busy(7.0), Busy(), Busy(0.5)))

    assert clock.waits == [8, 2, 3]


@pytest.mark.parametrize(
    ("tries", "of_its_kind", "failed"), [(None, None, 5), (1, None, 1), (None, 3, 3), (2, 3, 2)]
)
def test_after_the_last_try_the_failure_itself_is_raised(
    tries: int | None, of_its_kind: int | None, failed: int
) -> None:
    clock, failures = Clock(), [Busy(tries=of_its_kind) for _ in range(9)]
    retries = Retries(POLICY, clock, tries)

    with pytest.raises(Busy) as raised:
        retries.call(failing(*failures))

    assert raised.value is failures[failed - 1]
    assert (retries.failed, retries.used_up, len(clock.waits)) == (failed, True, failed - 1)


def test_a_wait_that_does_not_fit_the_time_that_is_left_is_not_begun() -> None:
    short, enough = Clock(6.9), Clock(8.1)
    retries = Retries(POLICY, short)

    with pytest.raises(Busy):
        retries.call(failing(Busy(7.0)))

    assert (retries.failed, retries.used_up, short.waits) == (1, False, [])
    assert Retries(POLICY, enough).call(failing(Busy(7.0))) == "answer"


def test_a_stop_in_a_wait_ends_it_without_another_try() -> None:
    clock, failure = Clock(), Busy()
    clock.stop(grace=60)

    with pytest.raises(Busy) as raised:
        Retries(POLICY, clock).call(failing(failure))

    assert raised.value is failure


def test_any_other_failure_ends_it_at_once() -> None:
    clock = Clock()

    with pytest.raises(ValueError, match="final"):
        Retries(POLICY, clock).call(failing(ValueError("final")))

    assert clock.waits == []


@pytest.mark.usefixtures("longest_waits")
def test_each_wait_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    Retries(POLICY, Clock()).call(failing(Busy(), Busy()))

    assert [(line.levelname, line.message) for line in caplog.records] == [
        ("INFO", "busy; trying again in 1.0 s"),
        ("INFO", "busy; trying again in 2.0 s"),
    ]


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7.0), (" 2.5 ", 2.5), ("0", 0.0), ("86400", 86400.0)]
)
def test_a_header_in_plain_digits_is_a_number_of_seconds(text: str, seconds: float) -> None:
    assert plain_seconds(text) == seconds


@pytest.mark.parametrize(
    "junk", [None, "", "-1", "+1", "1e3", "NaN", "inf", "1_0", "5;w=10", "86401"]
)
def test_a_header_that_is_no_plain_number_of_seconds_up_to_a_day_is_junk(junk: str | None) -> None:
    assert plain_seconds(junk) is None


def test_a_plain_number_may_be_over_a_day() -> None:
    assert plain_number("86401") == 86401


def test_retry_after_may_be_a_date_and_counts_from_the_servers_own() -> None:
    headers = {
        "Date": "Mon, 23 Nov 2020 21:00:00 GMT",
        "Retry-After": "Mon, 23 Nov 2020 21:00:40 GMT",
    }
    assert retry_after(headers) == 40


@pytest.mark.parametrize("junk", ["soon", "Mon, 23 Nov 2020 21:00:00 GMT", "Mon, 23 Nov 9999"])
def test_a_retry_after_in_the_past_or_of_junk_is_none(junk: str) -> None:
    assert retry_after({"Retry-After": junk}) is None


def test_a_date_with_a_zone_is_told_in_utc() -> None:
    found = http_date("Mon, 23 Nov 2020 21:00:00 +0200")
    assert found is not None
    assert found.isoformat() == "2020-11-23T19:00:00+00:00"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"X-RateLimit-Reset": "7"}, 7.0),
        ({"Retry-After": "9", "X-RateLimit-Reset": "7"}, 9.0),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "7"}, 7.0),
    ],
)
def test_a_server_asks_for_a_wait_by_either_header_and_the_longer_counts(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_wait(headers, "X-RateLimit-Reset") == seconds
    assert asked_wait({"X-RateLimit-Reset": "7"}) is None

"""The waits between tries: spread, bounded, never shorter than the server asked for."""

import pytest

from runmetrics.retry import (
    Backoff,
    asked_wait,
    http_date,
    plain_number,
    plain_seconds,
    retry_after,
)

POLICY = Backoff(tries=4, first_seconds=1.0, most_seconds=3.0)


@pytest.fixture
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let chance choose the greatest wait each time."""
    monkeypatch.setattr("runmetrics.retry.random.uniform", lambda _least, most: most)


@pytest.mark.usefixtures("longest_waits")
def test_the_longest_wait_doubles_with_each_failure_up_to_its_bound() -> None:
    assert [POLICY.wait_seconds(failed) for failed in (1, 2, 3, 2000)] == [1, 2, 3, 3]


def test_a_wait_is_anything_from_nothing_to_its_bound() -> None:
    waits = [POLICY.wait_seconds(3) for _ in range(200)]
    assert 0 <= min(waits) < 1
    assert 2 < max(waits) <= 3


@pytest.mark.usefixtures("longest_waits")
def test_a_wait_is_never_shorter_than_the_server_asked_for_and_a_little_longer() -> None:
    assert POLICY.wait_seconds(1, 7.0) == 8.0
    assert POLICY.wait_seconds(3, 0.5) == 3.0


def test_after_the_last_try_there_is_no_next_wait() -> None:
    assert POLICY.next_wait(3, left=60) is not None
    assert POLICY.next_wait(4, left=60) is None
    assert POLICY.next_wait(1, left=60, tries=1) is None


def test_a_wait_that_does_not_fit_the_time_that_is_left_is_none() -> None:
    assert POLICY.next_wait(1, left=6.9, asked=7.0) is None
    assert POLICY.next_wait(1, left=8.1, asked=7.0) is not None


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

"""The W&B client on a server that behaves: what it sends, what it counts, how it is polite."""

import asyncio
import json
import logging
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from types import SimpleNamespace

import pytest

from runmetrics.collectors.wandb.server.answers import AnswerReader
from runmetrics.collectors.wandb.server.endpoint import Endpoint
from runmetrics.collectors.wandb.server.errors import (
    GraphQLError,
    UnusableConnection,
    unknown_names,
)
from runmetrics.collectors.wandb.server.retry import Transient
from runmetrics.http import Answer
from runmetrics.retry import http_date
from runmetrics.sandbox.http import LoopbackServer, Request, Response
from tests.collectors.wandb.asking import (
    BASIC,
    DATA,
    DOCUMENT,
    HEALTHY,
    Caller,
    Waits,
    answering,
    assert_without_key,
    fast,
)


def test_a_query_is_one_authorised_post_of_the_document_and_its_variables() -> None:
    with LoopbackServer(HEALTHY) as server:
        answer = Caller(server.url).answer()
    assert answer.data == DATA
    assert answer.errors == ()
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/graphql")
    assert request.headers["authorization"] == f"Basic {BASIC}"
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"runmetrics/{version('runmetrics')}"
    assert json.loads(request.body) == {"query": DOCUMENT, "variables": {"p": "metta"}}


def test_a_base_url_may_end_with_a_slash_and_have_a_path() -> None:
    with LoopbackServer(HEALTHY) as server:
        Caller(f"{server.url}/wandb/").answer()
    assert server.requests[0].path == "/wandb/graphql"


def test_without_a_key_a_public_project_is_asked_for_without_authorization() -> None:
    with LoopbackServer(HEALTHY) as server:
        Caller(server.url, key=None).answer()
    assert "authorization" not in server.requests[0].headers


def test_w11_errors_beside_data_come_with_the_data() -> None:
    errors = [
        {"message": "timeout", "path": ["project", "runs", "edges", 3, "node"]},
        {"message": 5},
        "odd",
    ]
    with LoopbackServer(answering({"data": DATA, "errors": errors})) as server:
        answer = Caller(server.url).answer()
    assert answer.data == DATA
    assert answer.errors == (
        GraphQLError("timeout", ("project", "runs", "edges", 3, "node")),
        GraphQLError("5"),
        GraphQLError("odd"),
    )
    assert len(server.requests) == 1


def test_requests_and_bytes_are_counted_as_sent_and_as_unpacked() -> None:
    body = {"data": {"text": "a" * 5000}}
    with LoopbackServer(answering(body)) as server:
        caller = Caller(server.url)
        caller.answers(2)
    assert caller.client.requests == 2
    assert caller.client.meter.bytes_received == server.bytes_sent
    assert server.bytes_sent < 500
    assert caller.client.meter.bytes_decoded == 2 * len(json.dumps(body))


def test_w20_the_offset_of_the_clocks_is_read_from_the_date_header() -> None:
    with LoopbackServer(HEALTHY) as server:
        caller = Caller(server.url, clock=lambda: datetime.now(UTC) - timedelta(seconds=100))
        assert caller.client.clock_offset_seconds is None
        answer = caller.answer()
    assert caller.client.clock_offset_seconds == pytest.approx(100, abs=3)
    assert answer.server_time is not None
    assert answer.server_time.utcoffset() == timedelta(0)
    assert answer.server_time.microsecond == 0


def test_w20_a_slow_answer_is_dated_by_the_middle_of_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent_and_answered = iter([1000.0, 1200.0])
    stopwatch = SimpleNamespace(monotonic=lambda: next(sent_and_answered))
    monkeypatch.setattr("runmetrics.http.time", stopwatch)
    with LoopbackServer(HEALTHY) as server:
        caller = Caller(server.url, clock=lambda: datetime.now(UTC) - timedelta(seconds=200))
        caller.answer()
    assert caller.client.clock_offset_seconds == pytest.approx(100, abs=3)


@pytest.mark.parametrize("text", [None, "", "yesterday", "0", "Fri, 99 Nov 2026 21:00:00 GMT"])
def test_w20_a_junk_date_is_no_date(text: str | None) -> None:
    assert http_date(text) is None


def most_at_once(awaited: int, remaining: int, queries: int = 12) -> int:
    """How many of some queries, made all at once, a server ever has under way at once.

    It holds them back until as many as awaited have come, and a moment longer for more to come.
    """

    def answer(request: Request) -> Response:
        end = time.monotonic() + 10
        while len(server.requests) > 1 and server.most_at_once < awaited and time.monotonic() < end:
            time.sleep(0.005)
        return answering({"data": DATA}, {"RateLimit-Remaining": str(remaining)})(request)

    async def all_of_them() -> None:
        async with caller.client as client:
            await client.query(DOCUMENT)
            await asyncio.gather(*(client.query(DOCUMENT) for _ in range(queries)))

    with LoopbackServer(answer, latency_seconds=0.02) as server:
        caller = Caller(server.url, policy=fast(low_quota_pause_seconds=0))
        asyncio.run(all_of_them())
        assert len(server.requests) == queries + 1
        return server.most_at_once


def test_w3_at_most_four_requests_are_under_way_at_once_whoever_asks() -> None:
    assert most_at_once(awaited=4, remaining=100) == 4


def test_w3_under_a_tenth_of_the_quota_one_request_is_under_way_at_once() -> None:
    assert most_at_once(awaited=1, remaining=99) == 1


def test_w3_under_a_tenth_of_the_quota_there_is_a_pause_before_each_request() -> None:
    waits = Waits()
    with LoopbackServer(answering({"data": DATA}, {"RateLimit-Remaining": "99"})) as server:
        policy = fast(sleep=waits.sleep, low_quota_pause_seconds=1.5)
        caller = Caller(server.url, policy=policy, clock=waits.clock)
        caller.answers(3)
    assert caller.client.pace.most_at_once == 1
    assert caller.client.pace.quota_low
    assert waits == [1.5, 1.5]
    assert len(server.requests) == 3


def test_w3_the_pause_lasts_from_the_last_answer_on_and_is_kept_by_those_that_ask_at_once() -> None:
    waits = Waits()
    with LoopbackServer(answering({"data": DATA}, {"RateLimit-Remaining": "99"})) as server:
        policy = fast(sleep=waits.sleep, low_quota_pause_seconds=1.5)
        caller = Caller(server.url, policy=policy, clock=waits.clock)

        async def two_after_a_while() -> None:
            async with caller.client as client:
                await client.query(DOCUMENT)
                await waits.sleep(1)
                await asyncio.gather(client.query(DOCUMENT), client.query(DOCUMENT))

        asyncio.run(two_after_a_while())
    assert waits == [1, 0.5, 1.5]


def test_w3_an_empty_quota_is_waited_for_until_it_is_reset() -> None:
    waits = Waits()
    headers = {"RateLimit-Limit": "500", "RateLimit-Remaining": "0", "RateLimit-Reset": "12"}
    with LoopbackServer(answering({"data": DATA}, headers)) as server:
        Caller(server.url, policy=fast(sleep=waits.sleep), clock=waits.clock).answers(2)
    assert waits == [12]


def test_w3_a_pause_that_does_not_fit_the_deadline_is_not_taken() -> None:
    waits = Waits()
    headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": "3600"}
    with LoopbackServer(answering({"data": DATA}, headers)) as server:
        Caller(server.url, policy=fast(sleep=waits.sleep), clock=waits.clock).answers(2)
    assert waits == []
    assert len(server.requests) == 2


@pytest.mark.parametrize("junk", ["", "-5", "NaN", "1e9", "many", "1_0", "5;w=10"])
def test_w4_a_junk_quota_is_no_quota(junk: str) -> None:
    with LoopbackServer(answering({"data": DATA}, {"RateLimit-Remaining": junk})) as server:
        caller = Caller(server.url)
        caller.answer()
    assert caller.client.pace.most_at_once == 4


def asked_wait(status: int, headers: dict[str, str]) -> float | None:
    """The seconds that an answer asks us to stay away."""
    with pytest.raises(Transient) as caught:
        AnswerReader(Endpoint("https://w", None), fast()).read(Answer(status, headers, b""))
    return caught.value.asked_seconds


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"RateLimit-Reset": "7"}, 7.0),
        (429, {"Retry-After": "2.5"}, 2.5),
        (429, {"RateLimit-Reset": "7", "Retry-After": "9"}, 9.0),
        (503, {"Retry-After": "9", "RateLimit-Reset": "60"}, 9.0),
        (503, {"RateLimit-Reset": "60"}, None),
        (429, {}, None),
    ],
)
def test_w3_the_wait_that_the_server_asks_for(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_wait(status, headers) == seconds


def test_w3_a_retry_after_date_counts_from_the_servers_own_date() -> None:
    headers = {
        "Date": "Mon, 23 Nov 2020 21:00:00 GMT",
        "Retry-After": "Mon, 23 Nov 2020 21:00:40 GMT",
    }
    assert asked_wait(429, headers) == 40


@pytest.mark.parametrize(
    "junk", ["", "soon", "-1", "NaN", "inf", "1e9", "1000000000", "Mon, 23 Nov 2020 21:00:00 GMT"]
)
def test_w4_a_junk_or_absurd_wait_is_not_believed(junk: str) -> None:
    assert asked_wait(429, {"RateLimit-Reset": junk, "Retry-After": junk}) is None


@pytest.mark.parametrize(
    "message",
    [
        'Cannot query field "gpuCount" on type "RunInfo".',
        "Cannot query field 'gpuCount' on type 'RunInfo'. Did you mean 'gpu'?",
        r'{"errors":[{"message":"Cannot query field \"gpuCount\" on type \"RunInfo\"."}]}',
    ],
)
def test_w24_an_unknown_field_is_recognised_in_every_spelling(message: str) -> None:
    assert unknown_names([message, "something else"]) == {"gpuCount"}


@pytest.mark.parametrize("url", ["http://wandb.example.com", "ftp://127.0.0.1", "wandb.ai", ""])
def test_the_key_goes_over_https_only(url: str) -> None:
    with pytest.raises(UnusableConnection, match="is not https: set WANDB_BASE_URL"):
        Endpoint(url, None)


def test_plain_http_elsewhere_needs_a_setting_of_its_own() -> None:
    with pytest.raises(UnusableConnection) as caught:
        Endpoint("http://wandb.example.com", None)
    assert str(caught.value) == (
        "the address of W&B, http://wandb.example.com, is not https: "
        "set WANDB_BASE_URL to an https address, "
        "or RUNMETRICS_ALLOW_INSECURE_HTTP=true to send the key in the clear"
    )
    assert Endpoint("http://wandb.example.com", None, allow_insecure_http=True)


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "127.1", "[::1]:8080"])
def test_this_machine_gets_the_key_over_plain_http_however_it_is_written(host: str) -> None:
    assert Endpoint(f"http://{host}", None).on_loopback


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1.example.com",
            "localhost.example.com",
            "127.0.0.1.",
            "134744072",
            "0x08080808",
        ),
        *("[::ffff:1.2.3.4]", "[64:ff9b::7f00:1]", "127.16777216"),
    ],
)
def test_what_only_looks_like_this_machine_gets_no_key_over_plain_http(host: str) -> None:
    with pytest.raises(UnusableConnection, match="is not https: set WANDB_BASE_URL"):
        Endpoint(f"http://{host}", None)


def test_an_address_that_is_no_url_is_not_shown() -> None:
    with pytest.raises(UnusableConnection) as caught:
        Endpoint("https://api:canary@host:port", None)
    assert str(caught.value) == "the address of W&B is not a URL: correct WANDB_BASE_URL"


def test_a_proxy_is_never_asked_for_plain_http_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    with LoopbackServer(HEALTHY) as proxy, LoopbackServer(HEALTHY) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        Caller(server.url).answer()
    assert (len(proxy.requests), len(server.requests)) == (0, 1)


def test_the_key_is_in_no_log_line_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with LoopbackServer(HEALTHY) as server:
        caller = Caller(server.url)
        caller.answer()
    assert "HTTP Request: POST" in caplog.text
    assert_without_key(caplog.text)
    assert_without_key(repr(caller.client) + str(caller.client.endpoint))


def test_queries_may_run_side_by_side() -> None:
    with LoopbackServer(HEALTHY, latency_seconds=0.05) as server:
        caller = Caller(server.url)

        async def three() -> list[object]:
            async with caller.client as client:
                answers = await asyncio.gather(*(client.query(DOCUMENT) for _ in range(3)))
                return [answer.data for answer in answers]

        assert asyncio.run(three()) == [DATA, DATA, DATA]
    assert caller.client.requests == 3

"""Faults of the answer (rows W of docs/RELIABILITY.md), over real sockets: meaning and cost."""

import asyncio
import gzip
import json
import re

import pytest

from runmetrics.collectors.wandb.server.errors import (
    AccessDenied,
    BadDocument,
    KeyRefused,
    NotFound,
    NotWandb,
    RateLimited,
    Redirected,
    ServerDown,
    ServerFault,
    TooLarge,
)
from runmetrics.errors import ExitCode
from runmetrics.sandbox.http import Fault, LoopbackServer, Response
from tests.collectors.wandb.asking import (
    ADDRESS,
    CANARY,
    DATA,
    DOCUMENT,
    HEALTHY,
    SERVER_SIDE,
    Caller,
    Waits,
    answering,
    assert_without_key,
    failing,
    fast,
    frozen,
    status,
)

DOCUMENT_FIX = "use a newer W&B server: this one lacks what has to be asked"
LOWER = "run less often, or read fewer projects with this key"


async def all_fail(caller: Caller, queries: int, *, little: bool = False) -> list[BaseException]:
    """The errors of queries that are made all at once and fail, in the order of asking."""
    async with caller.client as client:
        asked = (client.query(DOCUMENT, little=little) for _ in range(queries))
        answers = await asyncio.gather(*asked, return_exceptions=True)
    return [answer for answer in answers if isinstance(answer, BaseException)]


def test_w1_a_401_names_the_host_and_the_source_of_the_key_and_is_not_tried_again() -> None:
    with LoopbackServer(failing(401)) as server:
        error = Caller(server.url).fails(KeyRefused)
    assert str(error) == (
        f"W&B at {server.url} refused the API key (401) from WANDB_API_KEY: "
        f"make a new one at {server.url}/authorize and put it in the same place"
    )
    assert error.exit_code == ExitCode.REFUSED
    assert len(server.requests) == 1


def test_w1_a_401_without_a_key_asks_for_one() -> None:
    with LoopbackServer(failing(401)) as server:
        error = Caller(server.url, key=None).fails(KeyRefused)
    assert str(error) == (
        f"W&B at {server.url} demands an API key (401): "
        f"set WANDB_API_KEY to one from {server.url}/authorize"
    )


def test_w1_not_logged_in_as_a_graphql_error_is_a_refused_key() -> None:
    body = {"data": None, "errors": [{"message": "user is not logged in"}]}
    with LoopbackServer(answering(body)) as server:
        error = Caller(server.url).fails(KeyRefused)
    assert error.cause == (
        f'W&B at {server.url} refused the API key ("user is not logged in") from WANDB_API_KEY'
    )
    assert len(server.requests) == 1


def test_w1_a_viewer_of_null_has_the_same_message() -> None:
    endpoint = Caller("https://api.wandb.ai").client.endpoint
    assert str(endpoint.nobody_logged_in()) == (
        "W&B at https://api.wandb.ai refused the API key (it knows nobody by that key) from "
        "WANDB_API_KEY: make a new one at https://forge.coreweave.com/wandb/authorize and put "
        "it in the same place"
    )


def test_w2_a_403_is_no_access_for_a_good_key() -> None:
    body = json.dumps({"errors": [{"message": f"permission denied for {CANARY}"}]}).encode()
    with LoopbackServer(failing(403, body)) as server:
        error = Caller(server.url).fails(AccessDenied)
    assert str(error) == (
        f"W&B at {server.url} denied access to the API key from WANDB_API_KEY "
        '(403, "permission denied for ***"): let its account read the entity and the project'
    )
    assert error.exit_code == ExitCode.REFUSED
    assert len(server.requests) == 1


def test_w2_a_permission_error_without_data_is_no_access() -> None:
    body = {"errors": [{"message": "permission denied"}]}
    with LoopbackServer(answering(body)) as server:
        error = Caller(server.url, key=None).fails(AccessDenied)
    assert error.cause == (
        f'W&B at {server.url} denied access to a reader without a key ("permission denied")'
    )


def test_w3_a_429_waits_as_long_as_the_server_says_and_a_little_more() -> None:
    waits = Waits()
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(status(429, RateLimit_Reset="7", RateLimit_Remaining="0"))
        policy = fast(sleep=waits.sleep, first_seconds=0.5)
        caller = Caller(server.url, policy=policy, clock=waits.clock)
        assert caller.answer().data == DATA
    assert len(waits) == 1
    assert 7 <= waits[0] <= 7.5
    assert caller.client.requests == len(server.requests) == 2


def test_w3_a_wait_that_does_not_fit_the_deadline_ends_it_at_once() -> None:
    waits = Waits()
    with LoopbackServer(failing(429, headers={"Retry-After": "3600"})) as server:
        caller = Caller(server.url, policy=fast(sleep=waits.sleep), deadline=frozen(60))
        error = caller.fails(RateLimited)
    assert str(error) == (
        f"W&B at {server.url} limits the rate of requests, 429, and asks to wait 3600 s, "
        f"but 60 s are left: {LOWER}"
    )
    assert error.exit_code == ExitCode.TEMPORARY
    assert waits == []
    assert len(server.requests) == 1


def test_w3_a_503_that_asks_for_too_long_a_wait_is_not_asked_again() -> None:
    with LoopbackServer(failing(503, headers={"Retry-After": "90"})) as server:
        error = Caller(server.url, deadline=frozen(60)).fails(RateLimited)
    assert error.cause == (
        f"W&B at {server.url} answered 503, and asks to wait 90 s, but 60 s are left"
    )
    assert len(server.requests) == 1


def test_w3_a_rate_limit_as_a_graphql_error_is_a_429() -> None:
    with LoopbackServer(answering({"error": "rate limit exceeded"})) as server:
        error = Caller(server.url).fails(RateLimited)
    assert str(error) == (
        f'W&B at {server.url} limits the rate of requests, "rate limit exceeded" (5 tries): {LOWER}'
    )
    assert len(server.requests) == 5


@pytest.mark.parametrize("reset", ["soon", "-5", "NaN", "1e9", "1000000000"])
def test_w4_a_429_with_a_junk_reset_has_the_plain_backoff(reset: str) -> None:
    waits = Waits()
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(status(429, RateLimit_Reset=reset, Retry_After=reset))
        caller = Caller(server.url, policy=fast(sleep=waits.sleep, first_seconds=0.5))
        assert caller.answer().data == DATA
    assert len(waits) == 1
    assert 0 <= waits[0] <= 0.5


@pytest.mark.parametrize("code", [408, 500, 502, 503, 504])
def test_w5_a_passing_fault_is_tried_five_times(code: int) -> None:
    waits = Waits()
    with LoopbackServer(failing(code, b"<html>oops</html>")) as server:
        policy = fast(sleep=waits.sleep, first_seconds=0.5, most_seconds=3)
        error = Caller(server.url, policy=policy).fails(ServerFault)
    assert str(error) == f"W&B at {server.url} answered {code} (5 tries): {SERVER_SIDE}"
    assert error.exit_code == ExitCode.TEMPORARY
    assert len(server.requests) == 5
    assert len(waits) == 4
    assert all(0 <= wait <= most for wait, most in zip(waits, [0.5, 1, 2, 3], strict=True))


def test_w5_the_fault_passes_and_the_answer_is_whole() -> None:
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(status(500), status(502), status(503), status(504))
        assert Caller(server.url).answer().data == DATA
    assert len(server.requests) == 5


def test_w5_the_caller_may_allow_fewer_tries() -> None:
    with LoopbackServer(failing(500)) as server:
        error = Caller(server.url).fails(ServerFault, tries=1)
    assert error.cause == f"W&B at {server.url} answered 500 (1 try)"
    assert len(server.requests) == 1


def test_w5_errors_without_data_are_tried_again() -> None:
    body = {"data": None, "errors": [{"message": "context deadline exceeded", "path": ["p", 0]}]}
    with LoopbackServer(answering(body)) as server:
        error = Caller(server.url).fails(ServerFault)
    assert error.cause == (
        f'W&B at {server.url} answered with errors only, "context deadline exceeded" (5 tries)'
    )
    assert len(server.requests) == 5


def test_w5_a_backoff_that_does_not_fit_the_deadline_is_not_begun() -> None:
    policy = fast(first_seconds=1e9, most_seconds=1e9)
    with LoopbackServer(failing(500)) as server:
        error = Caller(server.url, policy=policy, deadline=frozen(30)).fails(ServerFault)
    assert error.cause == f"W&B at {server.url} answered 500 (1 try, no time for another)"
    assert len(server.requests) == 1


def test_w33_a_server_that_never_answers_is_given_up_after_ten_tries_whoever_asks() -> None:
    with LoopbackServer(failing(503)) as server:
        errors = asyncio.run(all_fail(Caller(server.url), 50))
    assert len(errors) == 50
    assert len(server.requests) <= 13  # ten, and what was under way beside the last of them
    assert isinstance(errors[-1], ServerDown)
    assert errors[-1].exit_code == ExitCode.TEMPORARY
    said = rf"W&B at {server.url} answered 503 \(1[0-3] tries in a row\): {re.escape(SERVER_SIDE)}"
    assert re.fullmatch(said, str(errors[-1]))


def test_w33_a_server_that_has_answered_may_fail_on_large_documents_more_often() -> None:
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(None, *[status(500)] * 15)
        caller = Caller(server.url, policy=fast(tries=16))
        answers = caller.answers(2)
    assert [answer.data for answer in answers] == [DATA, DATA]
    assert len(server.requests) == 17


def test_w33_a_server_that_fails_on_the_smallest_question_too_is_given_up() -> None:
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(None, *[status(500)] * 50)
        caller = Caller(server.url)

        async def answered_once() -> list[BaseException]:
            async with caller.client as client:
                await client.query(DOCUMENT)
            return await all_fail(caller, 50, little=True)

        assert len(asyncio.run(answered_once())) == 50
    assert len(server.requests) <= 1 + 13


def test_w33_an_answer_ends_the_count_of_failures() -> None:
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(*[status(500)] * 8, None, *[status(500)] * 8)
        caller = Caller(server.url, policy=fast(tries=9))
        assert len(caller.answers(2, little=True)) == 2
    assert len(server.requests) == 18


@pytest.mark.parametrize("code", [405, 407, 418, 501])
def test_w5_a_status_that_will_not_pass_is_not_tried_again(code: int) -> None:
    with LoopbackServer(failing(code)) as server:
        error = Caller(server.url).fails(NotWandb)
    assert str(error) == f"W&B at {server.url} answered {code}, as W&B does not: {ADDRESS}"
    assert len(server.requests) == 1


def test_w5_a_404_is_not_tried_again() -> None:
    body = json.dumps({"errors": [{"message": "project not found"}]}).encode()
    with LoopbackServer(failing(404, body)) as server:
        error = Caller(server.url).fails(NotFound)
    assert str(error) == (
        f'W&B at {server.url} answered 404, "project not found": '
        "check WANDB_BASE_URL, the entity and the project"
    )
    assert error.exit_code == ExitCode.CONFIGURATION
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "half",
    [
        Fault(truncate=True),
        Fault(response=Response(200, b'{"data": {"project": {"runCount": 7}')),
        Fault(response=Response(200, b"[" * 100_000)),
        Fault(response=Response(200, b'{"data": \xff}')),
        Fault(
            response=Response(
                200, gzip.compress(b'{"data": {}}')[:-8], {"Content-Encoding": "gzip"}
            )
        ),
        Fault(response=Response(200, b'{"data": {}}', {"Content-Encoding": "gzip"})),
        Fault(response=Response(200, b'{"data": {}}', {"Content-Encoding": "gzip, gzip"})),
    ],
    ids=["short", "half-json", "deep", "not-utf-8", "half-gzip", "not-gzip", "twice-gzip"],
)
def test_w9_half_an_answer_is_never_used_and_tried_again(half: Fault) -> None:
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(half)
        assert Caller(server.url).answer().data == DATA
        server.fault_for = lambda _request: half
        error = Caller(server.url).fails(ServerFault)
    assert str(error) == f"W&B at {server.url} broke off its answer (5 tries): {SERVER_SIDE}"
    assert len(server.requests) == 2 + 5


def test_w10_a_login_page_is_named_with_its_first_80_characters() -> None:
    page = f"<html>\n <p>log in, {CANARY}</p>\n{'x' * 200}".encode()
    login = Fault(response=Response(200, page, content_type="text/html; charset=utf-8"))
    with LoopbackServer(HEALTHY) as server:
        server.fault_for = lambda _request: login
        error = Caller(server.url).fails(NotWandb)
    excerpt = "<html> <p>log in, ***</p> " + "x" * 54
    assert len(excerpt) == 80
    assert str(error) == (
        f"W&B at {server.url} answered with text/html that is not from W&B, "
        f'"{excerpt}" (3 tries): {ADDRESS}'
    )
    assert error.exit_code == ExitCode.TEMPORARY
    assert len(server.requests) == 3


@pytest.mark.parametrize("body", [{}, [], 5, None, {"data": None}, {"data": [1], "errors": []}])
def test_w10_json_that_is_no_graphql_answer_is_not_from_wandb(body: object) -> None:
    with LoopbackServer(answering(body)) as server:
        error = Caller(server.url).fails(NotWandb)
    assert "answered with application/json that is not from W&B" in error.cause
    assert len(server.requests) == 3


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_w22_a_redirect_is_not_followed_and_the_key_stays_here(code: int) -> None:
    with LoopbackServer(HEALTHY) as other, LoopbackServer(HEALTHY) as server:
        target = f"{other.url.replace('http://', 'http://user:password@')}/graphql?token=secret"
        server.misbehave(status(code, Location=target))
        error = Caller(server.url).fails(Redirected)
    assert str(error) == (
        f"W&B at {server.url} redirects ({code}) to {other.url}, which does not get the key: "
        "set WANDB_BASE_URL to the address of the server itself"
    )
    assert error.exit_code == ExitCode.CONFIGURATION
    assert (len(server.requests), len(other.requests)) == (1, 0)


def test_w23_a_gzip_bomb_is_given_up_at_the_cap() -> None:
    bomb = gzip.compress(b" " * 20_000_000)
    with LoopbackServer(failing(200, bomb, {"Content-Encoding": "gzip"})) as server:
        caller = Caller(server.url, policy=fast(max_decoded_bytes=100_000))
        error = caller.fails(TooLarge)
    assert str(error) == (
        f"W&B at {server.url} sent more than 100,000 bytes in one answer: "
        "ask for fewer keys, or narrow the windows"
    )
    assert error.exit_code == ExitCode.TEMPORARY
    assert caller.client.meter.bytes_decoded == 100_001
    assert len(server.requests) == 1


def test_w23_a_plain_flood_is_given_up_near_the_cap() -> None:
    flood = Response(200, b" " * 5_000_000, {"Content-Encoding": "identity"})
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(Fault(response=flood))
        caller = Caller(server.url, policy=fast(max_decoded_bytes=100_000))
        caller.fails(TooLarge)
    assert caller.client.meter.bytes_decoded < 300_000


def test_w23_an_answer_of_just_the_cap_is_read() -> None:
    size = len(json.dumps({"data": DATA}))
    with LoopbackServer(HEALTHY) as server:
        assert Caller(server.url, policy=fast(max_decoded_bytes=size)).answer().data == DATA
        Caller(server.url, policy=fast(max_decoded_bytes=size - 1)).fails(TooLarge)


UNKNOWN = 'Cannot query field "computeSeconds" on type "Run".'


@pytest.mark.parametrize("code", [200, 400, 422])
def test_w24_an_unknown_field_is_named_whatever_the_status(code: int) -> None:
    body = json.dumps({"errors": [{"message": UNKNOWN}]}).encode()
    with LoopbackServer(failing(code, body)) as server:
        error = Caller(server.url).fails(BadDocument)
    assert str(error) == (
        f"W&B at {server.url} rejected the query ({code}), {UNKNOWN}: {DOCUMENT_FIX}"
    )
    assert error.unknown == {"computeSeconds"}
    assert error.exit_code == ExitCode.CONFIGURATION
    assert len(server.requests) == 1


def test_w24_an_unknown_field_is_named_in_plain_text_too() -> None:
    with LoopbackServer(failing(400, UNKNOWN.encode())) as server:
        error = Caller(server.url).fails(BadDocument)
    assert error.unknown == {"computeSeconds"}


def test_w24_a_bad_filter_is_told_in_the_servers_words_without_the_key() -> None:
    body = json.dumps({"errors": [{"message": f"bad column\nx {CANARY}"}, {"message": "b"}]})
    with LoopbackServer(failing(400, body.encode())) as server:
        error = Caller(server.url).fails(BadDocument)
    assert error.cause == f"W&B at {server.url} rejected the query (400), bad column x ***; b"
    assert error.faults == ("bad column x ***", "b")
    assert error.unknown == frozenset()


def test_w24_an_empty_400_is_still_a_bad_document() -> None:
    with LoopbackServer(failing(400)) as server:
        error = Caller(server.url).fails(BadDocument)
    assert error.cause == f"W&B at {server.url} rejected the query (400)"


def test_retries_are_logged_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(
            status(500, json.dumps({"errors": [{"message": f"key {CANARY}"}]}).encode())
        )
        Caller(server.url).answer()
    assert f'W&B at {server.url} answered 500, "key ***"; trying again in 0.0 s' in caplog.text
    assert_without_key(caplog.text)

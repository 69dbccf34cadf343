"""The D rows (docs/RELIABILITY.md) about what Datadog answers."""

from collections.abc import Iterator

import pytest

from runmetrics.config.credentials import ApiKey
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, ExitCode
from runmetrics.logs import quoted
from runmetrics.sandbox.http import Fault, Request, Response
from runmetrics.sandbox.intake import DatadogIntake
from tests.sinks.datadog.datadog_case import (
    CANARY,
    HURRY,
    deliver,
    key,
    new_intake,
    sample,
    sink,
    status,
    ten,
    values,
)


@pytest.fixture(autouse=True)
def _no_key_in_any_output(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    caplog.set_level("DEBUG")
    yield
    out, err = capfd.readouterr()
    assert CANARY not in out + err + caplog.text


@pytest.fixture
def intake() -> Iterator[DatadogIntake]:
    with new_intake() as running:
        yield running


def test_d1_a_202_without_errors_delivers_ten_samples_in_one_post(intake: DatadogIntake) -> None:
    samples = ten()

    delivery = deliver(intake, samples)

    assert delivery.accepted == tuple(samples)
    assert (delivery.code, delivery.error, delivery.notices) == (ExitCode.OK, "", ())
    assert delivery.requests == 1
    assert delivery.bytes_sent == intake.bytes_received
    assert values(intake) == {f"wandb.m{number}": float(number) for number in range(10)}
    assert {point.unit for point in intake.points} == {"run"}
    assert intake.server.requests[0].headers["content-encoding"] == "gzip"


def test_no_samples_make_no_request(intake: DatadogIntake) -> None:
    delivery = deliver(intake, [])

    assert (delivery.code, delivery.requests) == (ExitCode.OK, 0)


def _rejects(name: str, code: int) -> Fault:
    return status(code, b'{"errors":["' + name.encode() + b' is not wanted"]}')


@pytest.mark.parametrize("code", [202, 400], ids=["d2_202_with_errors", "d3_400"])
def test_d2_d3_a_bad_series_is_found_by_halving_and_named_and_the_rest_is_delivered(
    intake: DatadogIntake, code: int
) -> None:
    def fault_for(request: Request) -> Fault | None:
        return _rejects("wandb.m7", code) if b"wandb.m7" in request.body else None

    intake.server.fault_for = fault_for

    delivery = deliver(intake, ten())

    assert delivery.code == ExitCode.PARTIAL
    assert [(drop.sample.name, drop.reason) for drop in delivery.dropped] == [
        ("wandb.m7", "rejected")
    ]
    words = '{"errors":["wandb.m7 is not wanted"]}' if code == 400 else "['wandb.m7 is not wanted']"
    assert delivery.notices == (
        f'1 sample was not sent (rejected): wandb.m7, Datadog ({code}): "{words}"',
    )
    assert sorted(values(intake)) == [f"wandb.m{number}" for number in (0, 1, 2, 3, 4, 5, 6, 8, 9)]
    # 10 -> 5 + 5 -> 2 + 3 -> 1 + 2: one post for each half of four cuts, and the first.
    assert delivery.requests <= 1 + 2 * 4


def test_d3_many_bad_series_are_searched_for_with_a_bounded_number_of_posts(
    intake: DatadogIntake,
) -> None:
    def fault_for(request: Request) -> Fault | None:
        return status(400) if b"wandb.bad" in request.body else None

    intake.server.fault_for = fault_for
    bad = [sample(f"wandb.bad{number}") for number in range(200)]

    delivery = deliver(intake, [sample("wandb.good"), *bad])

    assert (delivery.code, [one.name for one in delivery.accepted]) == (
        ExitCode.PARTIAL,
        ["wandb.good"],
    )
    assert delivery.error == (
        "Datadog finds fault with too many samples, the last time: "
        'Datadog (400): "{"errors":["no"]}": look at their names and tags'
    )
    assert len(delivery.dropped) + len(delivery.undelivered) == 200
    assert delivery.requests <= 1 + 2 * 50


TO_A_TLS_PORT = b"<html>The plain HTTP request was sent to HTTPS port</html>"
DISABLED = b'{"errors":["Payload processing temporarily disabled"]}'


@pytest.mark.parametrize(
    ("code", "body", "exit_code", "why"),
    [
        (400, TO_A_TLS_PORT, ExitCode.CONFIGURATION, quoted(TO_A_TLS_PORT)),
        (413, b"", ExitCode.CONFIGURATION, "too large"),
        (202, DISABLED, ExitCode.TEMPORARY, "\"['Payload processing temporarily disabled']\""),
        (202, b'{"status":"error"}', ExitCode.TEMPORARY, '"{"status":"error"}"'),
    ],
    ids=["d3_a_tls_port", "d7_a_proxys_limit", "d2_an_ingest_switch", "d2_an_error_status"],
)
def test_d2_d3_d7_a_refusal_of_everything_is_about_the_way_there_and_keeps_everything(
    intake: DatadogIntake, code: int, body: bytes, exit_code: ExitCode, why: str
) -> None:
    intake.server.fault_for = lambda _request: status(code, body)
    samples = [sample(f"wandb.m{number}") for number in range(18)]

    delivery = deliver(intake, samples)

    assert (delivery.dropped, delivery.code) == ((), exit_code)
    assert sorted(each.name for each in delivery.undelivered) == sorted(
        each.name for each in samples
    )
    assert delivery.error.startswith(f"Datadog ({code}) at {intake.url} took none of the samples")
    assert why in delivery.error
    assert delivery.notices == ()
    assert delivery.requests <= 12


def test_d3_a_few_bad_series_in_front_are_no_refusal_of_everything(intake: DatadogIntake) -> None:
    def fault_for(request: Request) -> Fault | None:
        return status(400) if b"wandb.bad" in request.body else None

    intake.server.fault_for = fault_for
    bad = [sample(f"wandb.bad{number}") for number in range(10)]

    delivery = deliver(intake, [*bad, *(sample(f"wandb.m{number}") for number in range(90))])

    assert [drop.sample for drop in delivery.dropped] == bad
    assert (len(delivery.accepted), delivery.error) == (90, "")


@pytest.mark.parametrize("code", [200, 202])
def test_d2_an_html_page_is_no_success(intake: DatadogIntake, code: int) -> None:
    page = Response(code, b"<html>\nPlease log in" + CANARY.encode(), {}, "text/html")
    intake.server.fault_for = lambda _request: Fault(response=page)

    delivery = deliver(intake, ten())

    assert delivery.code == ExitCode.TEMPORARY
    assert delivery.error == (
        f"Datadog at {intake.url} answered {code} text/html, which is not its acknowledgement: "
        '"<html> Please log in***": check the proxy and DD_URL'
    )
    assert (len(delivery.undelivered), delivery.requests) == (10, 6)


def test_d2_a_200_is_not_the_acknowledgement_of_a_datadog_intake(intake: DatadogIntake) -> None:
    intake.server.fault_for = lambda _request: status(200, b"{}")

    delivery = deliver(intake, ten())

    assert (delivery.code, len(delivery.undelivered)) == (ExitCode.TEMPORARY, 10)
    assert "answered 200 application/json, which is not its acknowledgement" in delivery.error


@pytest.mark.parametrize("code", [401, 403])
def test_d4_a_refused_key_is_not_tried_again(intake: DatadogIntake, code: int) -> None:
    intake.server.misbehave(status(code))

    delivery = deliver(intake, ten())

    assert delivery.code == ExitCode.REFUSED
    assert delivery.error == (
        f"Datadog refused the API key ({code}) at {intake.url}: check AWS secret datadog/api-key,"
        " and that DD_URL is the intake of your organisation"
    )
    assert (len(delivery.undelivered), delivery.requests) == (10, 1)


def test_d4_a_rotated_secret_is_read_again_once(intake: DatadogIntake) -> None:
    keys = [key("canary-of-yesterday"), key()]

    delivery = deliver(intake, ten(), find_key=lambda _deadline: keys.pop(0))

    assert (delivery.code, delivery.requests, len(intake.points)) == (ExitCode.OK, 2, 10)


def test_d4_a_secret_that_is_still_the_same_makes_no_second_request(
    intake: DatadogIntake,
) -> None:
    intake.keys = {"another"}
    reads: list[ApiKey] = []

    def read(_deadline: Deadline) -> ApiKey:
        reads.append(key())
        return reads[-1]

    delivery = deliver(intake, ten(), find_key=read)

    assert (delivery.code, delivery.requests, len(reads)) == (ExitCode.REFUSED, 1, 2)


def test_d4_no_key_to_be_found_leaves_the_samples_undelivered(intake: DatadogIntake) -> None:
    def read(_deadline: Deadline) -> ApiKey:
        raise ConfigurationError("no Datadog API key", "set DD_API_KEY")

    delivery = deliver(intake, ten(), find_key=read)

    assert delivery.code == ExitCode.CONFIGURATION
    assert delivery.error == "no Datadog API key: set DD_API_KEY"
    assert (len(delivery.undelivered), delivery.requests) == (10, 0)


@pytest.mark.parametrize(
    ("code", "what"),
    [(404, "has no metrics intake"), (405, "refuses our kind of request")],
)
def test_d5_a_404_and_its_like_are_permanent_and_say_where_to_look(
    intake: DatadogIntake, code: int, what: str
) -> None:
    intake.server.misbehave(status(code))

    delivery = deliver(intake, ten())

    assert delivery.code == ExitCode.CONFIGURATION
    assert delivery.error == (
        f"Datadog {what} ({code}) at {intake.url}: check that DD_URL is the intake of your"
        " organisation"
    )
    assert (len(delivery.undelivered), delivery.requests) == (10, 1)


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_d6_d8_d9_what_passes_is_tried_again(intake: DatadogIntake, code: int) -> None:
    intake.server.misbehave(*[status(code)] * 5)

    delivery = deliver(intake, ten())

    assert (delivery.code, delivery.requests, len(intake.points)) == (ExitCode.OK, 6, 10)


def test_d9_six_tries_are_enough(intake: DatadogIntake) -> None:
    intake.server.fault_for = lambda _request: status(503)

    delivery = deliver(intake, ten())

    assert delivery.code == ExitCode.TEMPORARY
    assert delivery.error == (
        f"Datadog is unavailable (503) at {intake.url}: the next run tries again"
    )
    assert (len(delivery.undelivered), delivery.requests) == (10, 6)


@pytest.mark.parametrize("code", [501, 505])
def test_d9_a_501_or_505_is_not_tried_again(intake: DatadogIntake, code: int) -> None:
    intake.server.misbehave(status(code))

    delivery = deliver(intake, ten())

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 1)
    assert delivery.error == (
        f"Datadog cannot serve this request ({code}) at {intake.url}: check that DD_URL is the"
        " intake of your organisation"
    )


def test_d7_a_413_is_split_until_it_fits(intake: DatadogIntake) -> None:
    def fault_for(request: Request) -> Fault | None:
        return status(413) if request.body.count(b'"metric"') > 3 else None

    intake.server.fault_for = fault_for

    delivery = deliver(intake, ten())

    assert (delivery.code, len(intake.points)) == (ExitCode.OK, 10)
    assert [post.series for post in intake.posts] == [2, 3, 2, 3]
    assert delivery.requests == 7


def test_d7_one_series_that_is_too_large_is_dropped_and_named(intake: DatadogIntake) -> None:
    def fault_for(request: Request) -> Fault | None:
        return status(413) if b"wandb.large" in request.body else None

    intake.server.fault_for = fault_for

    delivery = deliver(intake, [sample("wandb.large"), sample("wandb.small")])

    assert [drop.reason for drop in delivery.dropped] == ["too_large"]
    assert delivery.notices == ("1 sample was not sent (too_large): wandb.large, Datadog (413)",)


@pytest.mark.parametrize(
    "body",
    [b'{"errors":""}', b'{"errors":[], "x":' + b"[" * 30_000 + b"]" * 30_000 + b"}", b"[]"],
    ids=["errors that are no list", "as deep as it is long", "no object"],
)
def test_d2_an_acknowledgement_of_another_shape_is_none(intake: DatadogIntake, body: bytes) -> None:
    intake.server.misbehave(status(202, body))

    delivery = deliver(intake, ten())

    assert (delivery.code, delivery.requests) == (ExitCode.OK, 2)


def test_d1_what_else_an_acknowledgement_holds_troubles_nobody(intake: DatadogIntake) -> None:
    intake.server.misbehave(status(202, b'{"errors":[],"warnings":{"a":[1]}}'))

    delivery = deliver(intake, ten())

    assert (delivery.code, delivery.requests) == (ExitCode.OK, 1)


def test_d12_a_location_that_is_no_address_is_said(intake: DatadogIntake) -> None:
    intake.server.misbehave(status(302, Location="http://[::1"))

    delivery = deliver(intake, ten())

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 1)
    assert delivery.error == (
        f"Datadog at {intake.url} did not answer: it redirects to an unreadable address:"
        " check DD_URL and what stands between it and us (a proxy, a login page)"
    )


def test_d8_a_rate_limit_is_waited_for(intake: DatadogIntake) -> None:
    intake.server.misbehave(status(429, X_RateLimit_Reset="0.2"))

    delivery = deliver(intake, ten())

    assert (delivery.code, delivery.requests) == (ExitCode.OK, 2)


def test_d8_a_rate_limit_longer_than_the_time_left_ends_the_delivery_at_once(
    intake: DatadogIntake,
) -> None:
    intake.server.misbehave(status(429, X_RateLimit_Reset="3600"))

    delivery = deliver(intake, ten())

    assert delivery.code == ExitCode.TEMPORARY
    assert delivery.error == (
        f"Datadog limits our rate (429) at {intake.url} for 3600 s more: the next run tries again"
    )
    assert (len(delivery.undelivered), delivery.requests) == (10, 1)


def test_d14_only_the_batches_that_failed_are_left_to_send_again(intake: DatadogIntake) -> None:
    def fault_for(request: Request) -> Fault | None:
        bad = b"wandb.m7" in request.body or b"wandb.m9" in request.body
        if b"wandb.m0" in request.body and bad:
            return status(413)  # the first post is cut in two
        return status(503) if bad else None

    intake.server.fault_for = fault_for

    samples = ten()
    first = deliver(intake, samples)
    sent_before = len(intake.server.requests)
    intake.server.fault_for = lambda _request: None
    second = sink(intake).deliver(first.undelivered, Deadline(60))

    assert first.code == ExitCode.PARTIAL
    assert first.accepted == tuple(samples[:5])
    assert first.undelivered == tuple(samples[5:])
    assert first.requests == 1 + 1 + HURRY.tries
    assert second.accepted == tuple(samples[5:])
    resent = [request.body for request in intake.server.requests[sent_before:]]
    assert len(resent) == 1
    assert b"wandb.m4" not in resent[0]
    assert len(intake.points) == 10

"""O1: what the OTLP sink does with each answer of a receiver, over real sockets."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode
from runmetrics.sandbox.http import Fault, LoopbackServer, Response
from runmetrics.sinks.batches import RetryPolicy
from tests.collectors.wandb.asking import speak_tls
from tests.sinks.otlp.otlp_case import (
    CANARY,
    deliver,
    metrics,
    otlp_sink,
    partial,
    receiver,
    sample,
    samples,
    status,
)


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_o1_a_busy_receiver_gets_the_same_bytes_again(code: int) -> None:
    with receiver(status(code, Retry_After="0"), status(code)) as server:
        delivery = deliver(server.url, [sample()])

    assert (delivery.code, delivery.requests) == (ExitCode.OK, 3)
    assert delivery.accepted == (sample(),)
    assert len({request.body for request in server.requests}) == 1


def test_o1_the_wait_that_is_asked_for_is_kept() -> None:
    with receiver(status(429, Retry_After="1")) as server:
        began = time.monotonic()
        deliver(server.url, [sample()])

    assert time.monotonic() - began >= 1.0


def test_o1_a_wait_longer_than_the_run_is_not_begun() -> None:
    with receiver(status(503, Retry_After="3600")) as server:
        delivery = deliver(server.url, [sample()])

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 1)
    assert delivery.undelivered == (sample(),)
    assert delivery.error == (
        f"the OTLP receiver is unavailable (503) at {server.url}/v1/metrics:"
        " the next run tries again"
    )


def test_o1_a_receiver_that_stays_busy_leaves_everything_undelivered() -> None:
    with receiver(*[status(429)] * 4) as server:
        delivery = deliver(server.url, [sample()])

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 4)
    assert delivery.error == (
        f"the OTLP receiver limits our rate (429) at {server.url}/v1/metrics:"
        " the next run tries again"
    )


def test_o1_rejected_points_are_counted_as_dropped_with_the_receivers_words() -> None:
    with receiver(partial(2, "too old")) as server:
        delivery = deliver(server.url, samples(5))

    assert (delivery.code, delivery.requests) == (ExitCode.PARTIAL, 1)
    assert len(delivery.accepted) == 3
    assert [drop.reason for drop in delivery.dropped] == ["rejected", "rejected"]
    assert delivery.notices == (
        "the OTLP receiver rejected 2 of 5 samples, not saying which: too old",
    )


@pytest.mark.parametrize("rejected", [5, 7])
def test_o1_all_points_rejected_is_about_the_receiver_and_keeps_them(rejected: int) -> None:
    with receiver(partial(rejected, "ingest is off")) as server:
        delivery = deliver(server.url, samples(5))

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 1)
    assert (len(delivery.undelivered), delivery.dropped, delivery.notices) == (5, (), ())
    assert delivery.error == (
        f"the OTLP receiver at {server.url}/v1/metrics took none of the samples: ingest is off:"
        " see its own log"
    )


def test_o1_a_whole_request_rejected_beside_one_that_is_taken_is_dropped() -> None:
    with receiver(partial(1000, "")) as server:
        delivery = deliver(server.url, samples(1001))

    assert (delivery.code, delivery.requests) == (ExitCode.PARTIAL, 2)
    assert {drop.reason for drop in delivery.dropped} == {"rejected"}
    assert delivery.notices[0].endswith("not saying which: it does not say why")


def test_o1_a_warning_of_a_receiver_that_took_everything_is_said() -> None:
    with receiver(partial(0, f"deprecated, {'x' * 300}")) as server:
        delivery = deliver(server.url, [sample()])

    assert (delivery.code, delivery.accepted) == (ExitCode.OK, (sample(),))
    assert delivery.notices[0].startswith("the OTLP receiver warns: deprecated, xxx")
    assert len(delivery.notices[0]) < 250


def test_o1_a_partial_success_in_json_is_read_too() -> None:
    body = b'{"partialSuccess": {"rejectedDataPoints": "1", "errorMessage": "no"}}'
    answer = Fault(response=Response(200, body, content_type="application/json"))
    with receiver(answer) as server:
        delivery = deliver(server.url, samples(2))

    assert [drop.reason for drop in delivery.dropped] == ["rejected"]


def test_o1_a_bad_point_is_found_by_halving_and_named_and_the_rest_is_delivered() -> None:
    words = b"\x08\x03\x12\x0bbad request"  # a google.rpc.Status: code 3, message

    with receiver() as server:
        server.fault_for = lambda request: status(400, words) if b"m3" in request.body else None
        delivery = deliver(server.url, samples(8))

    assert (delivery.code, delivery.requests) == (ExitCode.PARTIAL, 7)
    assert [drop.sample.name for drop in delivery.dropped] == ["wandb.m3"]
    assert delivery.notices == (
        '1 sample was not sent (rejected): wandb.m3, the OTLP receiver (400): "bad request"',
    )


def test_o1_a_refusal_of_everything_is_about_the_way_there_and_keeps_everything() -> None:
    with receiver() as server:
        server.fault_for = lambda _request: status(400, b"plain HTTP to a TLS port")
        delivery = deliver(server.url, samples(18))

    assert (delivery.code, delivery.dropped) == (ExitCode.CONFIGURATION, ())
    assert len(delivery.undelivered) == 18
    assert delivery.error == (
        f"the OTLP receiver (400) at {server.url}/v1/metrics took none of the samples:"
        ' "plain HTTP to a TLS port": see what answers there (a proxy, a port that speaks TLS),'
        " and check OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    assert delivery.requests <= 12


def test_o1_what_is_too_large_is_sent_in_halves() -> None:
    with receiver(status(413), status(413)) as server:
        delivery = deliver(server.url, samples(4))

    assert (delivery.code, len(delivery.accepted)) == (ExitCode.OK, 4)
    assert [len(metrics(request)) for request in server.requests] == [4, 2, 1, 1, 2]


def test_o1_one_sample_that_is_too_large_is_dropped() -> None:
    with receiver() as server:
        server.fault_for = lambda request: status(413) if b"m0" in request.body else None
        delivery = deliver(server.url, samples(2))

    assert [drop.reason for drop in delivery.dropped] == ["too_large"]


@pytest.mark.parametrize("code", [401, 403])
def test_o1_refused_credentials_end_the_delivery(code: int) -> None:
    with receiver(status(code, CANARY.encode())) as server:
        delivery = deliver(server.url, samples(1001))

    assert (delivery.code, delivery.requests) == (ExitCode.REFUSED, 1)
    assert len(delivery.undelivered) == 1001
    assert delivery.error == (
        f"the OTLP receiver refused our credentials ({code}) at {server.url}/v1/metrics:"
        " check OTEL_EXPORTER_OTLP_HEADERS"
    )


@pytest.mark.parametrize(
    ("code", "exit_code", "cause"),
    [
        (404, ExitCode.CONFIGURATION, "has no metrics intake"),
        (415, ExitCode.CONFIGURATION, "refuses our kind of request"),
        (500, ExitCode.TEMPORARY, "cannot serve this request"),
    ],
)
def test_o1_other_answers_are_not_tried_again(code: int, exit_code: ExitCode, cause: str) -> None:
    with receiver(status(code)) as server:
        delivery = deliver(server.url, [sample()])

    assert (delivery.code, delivery.requests) == (exit_code, 1)
    assert delivery.error == (
        f"the OTLP receiver {cause} ({code}) at {server.url}/v1/metrics:"
        " check OTEL_EXPORTER_OTLP_ENDPOINT"
    )


def test_o1_a_redirect_is_not_followed_and_the_key_stays() -> None:
    with receiver() as other, receiver(status(307, Location=f"{other.url}/v1/metrics")) as server:
        delivery = deliver(server.url, [sample()])

    assert delivery.code == ExitCode.CONFIGURATION
    assert other.requests == []


def test_o1_a_page_of_a_proxy_is_no_acknowledgement() -> None:
    page = Fault(response=Response(200, b"<html>Log in</html>", content_type="text/html"))
    with receiver(*[page] * 4) as server:
        delivery = deliver(server.url, [sample()])

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 4)
    assert delivery.error == (
        f"the OTLP receiver at {server.url}/v1/metrics answered 200 text/html, which is not its"
        ' acknowledgement: "<html>Log in</html>": check the proxy and OTEL_EXPORTER_OTLP_ENDPOINT'
    )


def test_o1_nobody_there_leaves_everything_undelivered() -> None:
    with LoopbackServer(lambda _request: Response()) as server:
        url = server.url

    delivery = deliver(url, [sample()])

    assert (delivery.code, delivery.undelivered) == (ExitCode.TEMPORARY, (sample(),))
    assert (delivery.requests > 0, delivery.bytes_sent) == (True, 0)
    assert delivery.error == (
        f"the OTLP receiver at {url}/v1/metrics did not answer: the connection is refused:"
        " check OTEL_EXPORTER_OTLP_ENDPOINT, the network policy and the proxy settings"
    )


def test_o1_a_reset_after_the_body_is_sent_again() -> None:
    with receiver(Fault(reset=True, after_handling=True)) as server:
        delivery = deliver(server.url, [sample()])

    assert (delivery.code, delivery.requests) == (ExitCode.OK, 2)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(silent=True),
        Fault(response=Response(200, b"x" * 100), drip_seconds=0.05),
    ],
)
def test_o1_a_request_is_bounded_whatever_hangs(fault: Fault) -> None:
    with receiver(fault) as server:
        delivery = deliver(server.url, [sample()], TIMEOUT="0.3")

    assert (delivery.code, delivery.requests) == (ExitCode.OK, 2)


def test_the_deadline_bounds_the_delivery() -> None:
    with receiver(Fault(silent=True)) as server:
        began = time.monotonic()
        delivery = deliver(server.url, [sample()], seconds=0.5)

    assert delivery.code == ExitCode.TEMPORARY
    assert time.monotonic() - began < 9  # a request alone may take 10 s


def test_without_time_nothing_is_sent() -> None:
    with receiver() as server:
        delivery = deliver(server.url, [sample()], seconds=0)

    assert (delivery.code, server.requests) == (ExitCode.TEMPORARY, [])
    assert delivery.error == "no time was left to deliver to the OTLP receiver: raise --timeout"


def test_a_stopped_run_does_not_wait_for_its_next_try() -> None:
    deadline = Deadline(60)
    patient = RetryPolicy(first_seconds=50, most_seconds=50)
    with receiver(status(503)) as server:
        server.fault_for = lambda _request: deadline.stop(10)
        server.faults.clear()
        server.handler = lambda _request: Response(503)
        began = time.monotonic()
        url = server.url
        delivery = otlp_sink(url, {}, patient).deliver([sample()], deadline)

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 1)
    assert time.monotonic() - began < 20  # in place of 50 s


def test_a_certificate_that_the_variable_names_is_trusted(tmp_path: Path) -> None:
    with receiver() as server:
        url = speak_tls(server, tmp_path)
        delivery = deliver(url, [sample()], CERTIFICATE=str(tmp_path / "certificate.pem"))

    assert (delivery.code, delivery.requests) == (ExitCode.OK, 1)


def test_o1_an_untrusted_certificate_is_never_tried_again(tmp_path: Path) -> None:
    with receiver() as server:
        url = speak_tls(server, tmp_path)
        delivery = deliver(url, [sample()])

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 1)
    assert delivery.error == (
        f"the OTLP receiver at {url}/v1/metrics did not answer: its certificate is not trusted"
        " (self-signed certificate): if that is your server, name the file of its certificate"
        " authority in SSL_CERT_FILE"
    )


def test_a_certificate_that_cannot_be_read_is_a_fault_of_the_configuration() -> None:
    with receiver() as server:
        delivery = deliver(server.url, [sample()], CERTIFICATE="missing.pem")

    assert (delivery.code, server.requests) == (ExitCode.CONFIGURATION, [])
    assert delivery.error == (
        "a certificate for OTLP cannot be read (No such file or directory):"
        " check OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY"
    )


@pytest.mark.parametrize(
    "never_ends",
    [
        {"CERTIFICATE": "/dev/zero"},
        {"CLIENT_CERTIFICATE": "/dev/zero"},
        {"CLIENT_CERTIFICATE": os.devnull, "CLIENT_KEY": "/dev/zero"},
    ],
)
def test_a_certificate_or_key_that_never_ends_is_not_read_to_its_end(
    never_ends: dict[str, Any],
) -> None:
    with receiver() as server:
        delivery = deliver(server.url, [sample()], **never_ends)

    assert (delivery.code, server.requests) == (ExitCode.CONFIGURATION, [])
    assert delivery.error == (
        "a certificate for OTLP cannot be read (it holds more than 4,194,304 bytes):"
        " check OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY"
    )


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_what_is_sent_again_is_the_same_bytes_however_it_is_compressed(compression: str) -> None:
    with receiver(status(503)) as server:
        delivery = deliver(server.url, [sample()], COMPRESSION=compression)

    assert (delivery.code, delivery.requests) == (ExitCode.OK, 2)
    first, second = server.requests
    assert first.body_bytes_on_the_wire == second.body_bytes_on_the_wire
    assert delivery.bytes_sent == 2 * first.body_bytes_on_the_wire

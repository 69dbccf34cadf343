"""The D rows (docs/RELIABILITY.md) about the way to Datadog: resets, hangs, redirects, time."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode
from runmetrics.http import tls
from runmetrics.sandbox.http import Fault, Response
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sinks.batches import RetryPolicy
from tests.sinks.datadog.datadog_case import CANARY, HURRY, deliver, new_intake, sink, status, ten

IMPATIENT = RetryPolicy(tries=2, first_seconds=0.001, most_seconds=0.001, request_seconds=0.5)
ACKNOWLEDGED = Response(202, b'{"errors":[]}')


@pytest.fixture
def intake() -> Iterator[DatadogIntake]:
    with new_intake() as running:
        yield running


@pytest.mark.parametrize(
    ("fault", "policy"),
    [
        (Fault(reset=True, after_handling=True), HURRY),
        (Fault(silent=True, after_handling=True), IMPATIENT),
        (Fault(truncate=True, after_handling=True), HURRY),
    ],
    ids=["reset", "read_timeout", "truncated_answer"],
)
def test_d10_what_was_cut_off_after_the_body_is_sent_again_byte_for_byte(
    intake: DatadogIntake, fault: Fault, policy: RetryPolicy
) -> None:
    intake.server.misbehave(fault)

    delivery = deliver(intake, ten(), policy=policy)

    first, second = intake.server.requests
    assert (delivery.code, len(delivery.accepted)) == (ExitCode.OK, 10)
    assert first.body == second.body
    assert first.body_bytes_on_the_wire == second.body_bytes_on_the_wire
    assert len(intake.points) == 10


def test_d10_nobody_listening_is_said_with_the_fix() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with new_intake() as intake:
        delivery = sink(intake, url=url).deliver(ten(), Deadline(20))

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, HURRY.tries)
    assert delivery.bytes_sent == 0
    assert delivery.error == (
        f"Datadog at {url} did not answer: the connection is refused: check DD_URL, the network"
        " policy and the proxy settings"
    )


def test_d11_a_silent_datadog_is_given_up_at_the_total_of_a_request(
    intake: DatadogIntake,
) -> None:
    intake.server.fault_for = lambda _request: Fault(silent=True)

    delivery = deliver(intake, ten(), policy=IMPATIENT)

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 2)
    assert delivery.error.startswith(f"Datadog at {intake.url} did not answer: no ")


def test_d11_a_slow_drip_is_cut_at_the_total_of_a_request(intake: DatadogIntake) -> None:
    intake.server.fault_for = lambda _request: Fault(response=ACKNOWLEDGED, drip_seconds=2.0)
    began = time.monotonic()

    delivery = deliver(intake, ten(), policy=IMPATIENT)

    assert time.monotonic() - began < 20  # 13 bytes at 2 s, twice, are 52 s
    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 2)
    assert delivery.error.startswith(
        f"Datadog at {intake.url} did not answer: no whole answer within 0.5"
    )


def test_d11_dripping_headers_are_cut_and_leave_no_thread_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, new_intake() as intake:
        dripper = threading.Thread(target=_drip_headers, args=(listener,), daemon=True)
        dripper.start()
        before = threading.active_count()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        once = RetryPolicy(tries=1, request_seconds=0.3)
        began = time.monotonic()

        delivery = sink(intake, url=url, policy=once).deliver(ten(), Deadline(20))

        assert time.monotonic() - began < 15  # the deadline is 20 s away
        assert delivery.code == ExitCode.TEMPORARY
        dripper.join(timeout=300)
        assert not dripper.is_alive()  # it ends when our side hangs up
        _until(lambda: threading.active_count() < before)


def _drip_headers(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        try:
            for letter in b"HTTP/1.1 202 Accepted\r\nX-Slow: " + b"a" * 200:
                connection.sendall(bytes([letter]))
                time.sleep(0.05)
        except OSError:
            return


def _until(condition: object) -> None:
    assert callable(condition)
    for _ in range(100):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen within 2 s")


def test_d11_an_answer_without_end_is_cut_at_its_size(intake: DatadogIntake) -> None:
    huge = Response(202, b"[" + b" " * 100_000 + b"]")
    intake.server.fault_for = lambda _request: Fault(response=huge)

    delivery = deliver(intake, ten())

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 1)
    assert delivery.error == (
        f"Datadog at {intake.url} did not answer: its answer is larger than 65,536 bytes: check"
        " DD_URL, the network policy and the proxy settings"
    )


def test_d19_a_certificate_file_that_cannot_be_read_is_a_fault_of_the_configuration(
    intake: DatadogIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "no-such-file.pem")
    tls.cache_clear()

    delivery = sink(intake, url="https://127.0.0.1:9").deliver(ten(), Deadline(20))

    assert (delivery.code, len(delivery.undelivered)) == (ExitCode.CONFIGURATION, 10)
    assert delivery.error == (
        "the certificates named by SSL_CERT_FILE or SSL_CERT_DIR cannot be read"
        " (No such file or directory): name a readable file of PEM certificates"
    )


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_d12_a_redirect_is_not_followed_and_the_other_host_sees_nothing(
    intake: DatadogIntake, code: int
) -> None:
    with new_intake() as other:
        target = f"{other.url}/api/v2/series"
        intake.server.misbehave(status(code, Location=target))

        delivery = deliver(intake, ten())

        assert other.server.requests == []
    assert (delivery.code, delivery.requests) == (ExitCode.CONFIGURATION, 1)
    assert delivery.error == (
        f"Datadog ({code}) at {intake.url} redirects to {other.url}, which was not followed:"
        " check that DD_URL is the intake of your organisation"
    )


def test_d12_a_proxy_of_the_environment_never_sees_a_key_over_plain_http(
    intake: DatadogIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_intake() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)

        delivery = deliver(intake, ten())

        assert proxy.server.requests == []
    assert delivery.code == ExitCode.OK


def test_the_clients_own_environment_cannot_send_the_key_elsewhere(
    intake: DatadogIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DD_SITE", "datadoghq.eu")
    monkeypatch.setenv("DD_API_KEY", "canary-of-the-environment")
    monkeypatch.setenv("DD_APP_KEY", "canary-application-key")

    delivery = deliver(intake, ten())

    headers = intake.server.requests[0].headers
    assert delivery.code == ExitCode.OK
    assert headers["dd-api-key"] == CANARY
    assert "canary-application-key" not in headers.values()


def test_without_time_nothing_is_sent_and_everything_is_kept(intake: DatadogIntake) -> None:
    delivery = deliver(intake, ten(), seconds=0)

    assert (delivery.code, delivery.requests) == (ExitCode.TEMPORARY, 0)
    assert delivery.error == "no time was left to deliver to Datadog: raise --timeout"
    assert len(delivery.undelivered) == 10


def test_the_deadline_of_the_run_cuts_a_request_short(intake: DatadogIntake) -> None:
    intake.server.fault_for = lambda _request: Fault(silent=True)
    began = time.monotonic()

    delivery = deliver(intake, ten(), seconds=0.3)

    assert time.monotonic() - began < 5  # what a request alone may take
    assert delivery.code == ExitCode.TEMPORARY


@pytest.mark.parametrize("fault", [Fault(silent=True), status(503)], ids=["request", "backoff"])
def test_a_stop_cuts_a_request_and_a_backoff_to_its_grace(
    intake: DatadogIntake, fault: Fault
) -> None:
    intake.server.fault_for = lambda _request: fault
    patient = RetryPolicy(first_seconds=15, most_seconds=15)
    deadline = Deadline(60)
    threading.Timer(0.2, deadline.stop, args=(0.2,)).start()
    began = time.monotonic()

    delivery = sink(intake, policy=patient).deliver(ten(), deadline)

    assert time.monotonic() - began < 14  # neither the request nor the wait of 15 s
    assert (delivery.code, len(delivery.undelivered)) == (ExitCode.TEMPORARY, 10)


def test_a_stopped_run_still_delivers_what_it_has(intake: DatadogIntake) -> None:
    deadline = Deadline(60)
    deadline.stop(grace=10)

    delivery = sink(intake).deliver(ten(), deadline)

    assert (delivery.code, len(intake.points)) == (ExitCode.OK, 10)

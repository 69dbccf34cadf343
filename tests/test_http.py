"""One request and its answer over real sockets: whole, in time and bounded, or not at all."""

import gzip
import threading
import time
from pathlib import Path

import pytest

from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.http import Answer, NoAnswer, Request, new_tls, send, tls
from runmetrics.sandbox.http import Fault, LoopbackServer, Response
from runmetrics.transport_errors import Kind, TransportFault


def server(response: Response | None = None) -> LoopbackServer:
    return LoopbackServer(lambda _request: response or Response(200, b"{}"))


def fault_of(url: str, *, seconds: float = 5.0, most_bytes: int = 100) -> TransportFault:
    """Why there was no whole answer."""
    with pytest.raises(NoAnswer) as caught:
        send(Request(url), Deadline(20), seconds=seconds, most_bytes=most_bytes)
    return caught.value.fault


def test_an_answer_is_given_whatever_its_status_and_a_redirect_is_not_followed() -> None:
    with server() as other, server(Response(302, b"go", {"Location": other.url})) as running:
        answer = send(Request(running.url, {"X-Key": "k"}, b"body"), Deadline(20), seconds=5)

    assert (answer.status, answer.data, other.requests) == (302, b"go", [])
    assert answer.redirects_to == other.url
    (request,) = running.requests
    assert (request.method, request.body, request.headers["x-key"]) == ("POST", b"body", "k")


def test_an_answer_is_unpacked_and_bounded_as_it_is_unpacked() -> None:
    bomb = gzip.compress(b"x" * 10_000_000)
    with server(Response(200, bomb, {"Content-Encoding": "gzip"})) as running:
        assert fault_of(running.url).kind is Kind.TOO_LARGE
        with pytest.raises(NoAnswer):
            send(Request(running.url), Deadline(20), seconds=5, most_bytes=9_999_999)
        whole = send(Request(running.url), Deadline(20), seconds=5, most_bytes=10_000_000)

    assert len(whole.data) == 10_000_000


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        (Response(200, b"junk", {"Content-Encoding": "gzip"}), Fault()),
        (Response(200, b"junk", {"Content-Encoding": "br"}), Fault()),
        (Response(200, b"x" * 80), Fault(truncate=True)),
    ],
    ids=["no gzip", "an encoding that was not asked for", "half of it"],
)
def test_an_answer_that_is_not_whole_is_none(response: Response, fault: Fault) -> None:
    with server(response) as running:
        running.misbehave(fault)
        assert fault_of(running.url).kind is Kind.BROKEN_OFF


def test_a_redirect_to_no_address_is_final() -> None:
    with server(Response(302, b"", {"Location": "http://[::1"})) as running:
        fault = fault_of(running.url)

    assert (fault.kind, fault.passing) == (Kind.LOST, False)


@pytest.mark.parametrize("fault", [Fault(silent=True), Fault(drip_seconds=0.05)])
def test_whatever_hangs_is_cut_at_the_total(fault: Fault) -> None:
    with server(Response(200, b"x" * 99)) as running:
        running.misbehave(fault)
        found = fault_of(running.url, seconds=0.2)

    assert found.kind in (Kind.SLOW, Kind.NO_ANSWER)


def test_a_stop_of_the_run_cuts_a_request_to_its_grace_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    deadline = Deadline(60)
    with server() as running:
        running.misbehave(Fault(silent=True))
        running.fault_for = lambda _request: None
        stopper = threading.Timer(0.1, deadline.stop, args=(0.1,))
        stopper.start()
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="no whole answer within"):
            send(Request(running.url), deadline, seconds=60)
        assert time.monotonic() - began < 30
    left = set(threading.enumerate()) - before
    for thread in left:  # those that are just ending may end
        thread.join(10)
    assert not any(thread.is_alive() for thread in left)


def test_a_certificate_file_that_cannot_be_read_is_a_fault_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    tls.cache_clear()
    for why in ("No such file or directory", "it is not PEM"):
        with pytest.raises(ConfigurationError) as refused:
            send(Request("https://127.0.0.1:9"), Deadline(5), seconds=5)
        assert str(refused.value) == (
            f"the certificates named by SSL_CERT_FILE or SSL_CERT_DIR cannot be read ({why}): "
            "name a readable file of PEM certificates"
        )
        file.write_text("junk")


def test_a_certificate_file_that_never_ends_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/zero")
    with pytest.raises(ConfigurationError, match="it holds more than 4,194,304 bytes"):
        new_tls()


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/login", "https://a.test"),
        ("https://user:password@b.test:8443/x", "https://b.test:8443"),
        ("https://[::1]/x", "https://[::1]"),
        ("http://[::1", "an unreadable address"),
        ("http://a.test:junk", "an unreadable address"),
    ],
)
def test_a_redirect_is_shown_as_the_server_it_points_to(location: str, shown: str) -> None:
    answer = Answer(302, {"Location": location}, b"", "https://a.test/api")

    assert answer.redirects_to == shown


def test_a_redirect_without_a_location_points_nowhere() -> None:
    assert Answer(302, {}, b"", "https://a.test").redirects_to == "an unreadable address"

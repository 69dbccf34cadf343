"""The table of transport errors: complete for the httpx that is installed, and in our own words."""

import socket
import ssl
from collections.abc import Iterator

import httpx
import pytest

from runmetrics.transport_errors import KIND_OF_ERROR, Kind, transport_fault


def concrete(kind: type[httpx.TransportError]) -> Iterator[type[httpx.TransportError]]:
    """The errors that httpx raises: the leaves of its tree."""
    below = [each for each in kind.__subclasses__() if each.__module__.startswith("httpx")]
    if not below:
        yield kind
    for each in below:
        yield from concrete(each)


def test_every_transport_error_of_httpx_has_a_row_and_nothing_else_has() -> None:
    assert set(KIND_OF_ERROR) == set(concrete(httpx.TransportError))


@pytest.mark.parametrize("kind", list(concrete(httpx.TransportError)))
def test_every_transport_error_is_said_in_our_words(kind: type[httpx.TransportError]) -> None:
    fault = transport_fault(kind("http://user:password@proxy"))
    assert fault.kind is KIND_OF_ERROR[kind]
    assert fault.words.startswith(fault.kind.value)
    assert fault.kind is Kind.PROXY or "password" not in fault.words


@pytest.mark.parametrize(
    ("cause", "kind", "passing"),
    [
        (ConnectionRefusedError(), Kind.REFUSED, True),
        (socket.gaierror(), Kind.UNKNOWN_NAME, True),
        (ssl.SSLError(), Kind.NO_TLS, True),
        (ExceptionGroup("every address failed", [ConnectionRefusedError()]), Kind.REFUSED, True),
        (OSError(), Kind.BROKEN, True),
    ],
)
def test_what_the_operating_system_said_goes_before_what_httpx_says(
    cause: Exception, kind: Kind, passing: bool
) -> None:
    error = httpx.ConnectError("all attempts failed")
    error.__cause__ = cause
    fault = transport_fault(error)
    assert (fault.kind, fault.passing) == (kind, passing)


def test_a_certificate_that_is_not_trusted_says_why_and_does_not_pass() -> None:
    error = httpx.ConnectError("failed")
    error.__context__ = untrusted = ssl.SSLCertVerificationError()
    untrusted.verify_message = "self-signed certificate"
    fault = transport_fault(error)
    assert fault.words == "its certificate is not trusted (self-signed certificate)"
    assert not fault.passing


def test_a_request_that_cannot_be_sent_is_not_sent_again() -> None:
    assert not transport_fault(httpx.LocalProtocolError("illegal header")).passing

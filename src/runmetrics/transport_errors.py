"""What went wrong between us and a server where there is no answer: one table for all of httpx.

It is the table of the whole program: the official Datadog client (urllib3) and OpenTelemetry's
exporter (requests) get their transport from runmetrics/http.py and open no connection themselves.
The words are ours: httpx's own text may hold a proxy's password.
"""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import httpx

from runmetrics.logs import excerpt

_E = TypeVar("_E", bound=BaseException)
_PROXY_WORDS = 80


class Kind(Enum):
    """What happened, and how it is said."""

    NO_CONNECTION = "no connection in time"
    NO_ANSWER = "no answer in time"
    REFUSED = "the connection is refused"
    UNKNOWN_NAME = "its name is not known to DNS"
    UNTRUSTED = "its certificate is not trusted"
    NO_TLS = "it does not speak TLS as we do"
    PROXY = "the proxy refused"
    BROKEN = "the connection broke"
    UNUSABLE = "the request cannot be sent"
    LOST = "it redirects to an unreadable address"
    SLOW = "no whole answer in time"
    BROKEN_OFF = "the answer broke off"
    TOO_LARGE = "its answer is too large"


_FINAL = frozenset({Kind.UNTRUSTED, Kind.UNUSABLE, Kind.LOST, Kind.TOO_LARGE})
_BETWEEN = "check {setting} and what stands between it and us (a proxy, a login page)"
_FIXES = {
    Kind.UNKNOWN_NAME: "check {setting} and DNS on this machine",
    Kind.UNTRUSTED: "if that is your server, name the file of its certificate authority in "
    "SSL_CERT_FILE",
    Kind.NO_TLS: _BETWEEN,
    Kind.LOST: _BETWEEN,
    Kind.PROXY: "check HTTPS_PROXY and NO_PROXY",
}
_ANY_FIX = "check {setting}, the network policy and the proxy settings"


@dataclass(frozen=True, slots=True)
class TransportFault:
    """A failed request: `kind`, the same in `words`."""

    kind: Kind
    words: str

    @property
    def passing(self) -> bool:
        """Whether another try may help."""
        return self.kind not in _FINAL

    def fix(self, setting: str) -> str:
        """Return what to do about it; `setting` is the variable that holds the address."""
        return _FIXES.get(self.kind, _ANY_FIX).format(setting=setting)


KIND_OF_ERROR: dict[type[httpx.TransportError], Kind] = {
    httpx.ConnectTimeout: Kind.NO_CONNECTION,
    httpx.PoolTimeout: Kind.NO_CONNECTION,
    httpx.ReadTimeout: Kind.NO_ANSWER,
    httpx.WriteTimeout: Kind.NO_ANSWER,
    httpx.ConnectError: Kind.BROKEN,
    httpx.ReadError: Kind.BROKEN,
    httpx.WriteError: Kind.BROKEN,
    httpx.CloseError: Kind.BROKEN,
    httpx.RemoteProtocolError: Kind.BROKEN,
    httpx.ProxyError: Kind.PROXY,
    httpx.LocalProtocolError: Kind.UNUSABLE,
    httpx.UnsupportedProtocol: Kind.UNUSABLE,
}
"""Every error of httpx's transports; a more telling cause behind one goes first."""

KIND_OF_CAUSE: dict[type[Exception], Kind] = {
    ssl.SSLCertVerificationError: Kind.UNTRUSTED,
    ssl.SSLError: Kind.NO_TLS,
    socket.gaierror: Kind.UNKNOWN_NAME,
    ConnectionRefusedError: Kind.REFUSED,
    httpx.InvalidURL: Kind.LOST,  # it reads a Location that it is not to follow
}
"""What is behind an error of httpx, mostly of the operating system; the first that fits."""


def slow(seconds: float) -> TransportFault:
    """Return the fault of an answer that was not whole after so many seconds."""
    return TransportFault(Kind.SLOW, f"no whole answer within {seconds:.3g} s")


def too_large(most_bytes: int) -> TransportFault:
    """Return the fault of an answer of more bytes than are taken."""
    return TransportFault(Kind.TOO_LARGE, f"its answer is larger than {most_bytes:,} bytes")


BROKEN_OFF = TransportFault(Kind.BROKEN_OFF, Kind.BROKEN_OFF.value)


def transport_fault(error: httpx.TransportError, *, answered: bool = False) -> TransportFault:
    """Return what a failed request means; `answered`: the answer had begun."""
    if answered and not isinstance(error, httpx.TimeoutException):
        return BROKEN_OFF
    kind = KIND_OF_ERROR[type(error)]
    if kind is not Kind.PROXY:
        kind = next((k for cause, k in KIND_OF_CAUSE.items() if _behind(error, cause)), kind)
    words = kind.value
    if untrusted := _behind(error, ssl.SSLCertVerificationError):
        words = f"{words} ({untrusted.verify_message})"
    elif kind is Kind.PROXY:
        words = f'{words} ("{excerpt(str(error), _PROXY_WORDS)}")'
    return TransportFault(kind, words)


def _behind(error: BaseException, kind: type[_E]) -> _E | None:
    """Return the error of this kind behind an error: httpx and anyio wrap what the socket said."""
    return next((cause for cause in _causes(error) if isinstance(cause, kind)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    if error is None:
        return
    yield error
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _causes(part)
    yield from _causes(error.__cause__ or error.__context__)

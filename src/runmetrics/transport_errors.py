"""What went wrong between us and a server before there was an answer: one table for all of httpx.

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


@dataclass(frozen=True, slots=True)
class TransportFault:
    """A failed request: `kind`, the same in `words`, and whether another try may help."""

    kind: Kind
    words: str
    passing: bool = True


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
}
"""What the operating system said, behind an error of httpx; the first that fits."""

_FINAL = frozenset({Kind.UNTRUSTED, Kind.UNUSABLE})


def transport_fault(error: httpx.TransportError) -> TransportFault:
    """Return what a failed request means."""
    kind = KIND_OF_ERROR[type(error)]
    if kind is not Kind.PROXY:
        kind = next((k for cause, k in KIND_OF_CAUSE.items() if _behind(error, cause)), kind)
    words = kind.value
    if untrusted := _behind(error, ssl.SSLCertVerificationError):
        words = f"{words} ({untrusted.verify_message})"
    elif kind is Kind.PROXY:
        words = f'{words} ("{excerpt(str(error), _PROXY_WORDS)}")'
    return TransportFault(kind, words, kind not in _FINAL)


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

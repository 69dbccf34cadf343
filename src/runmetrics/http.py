"""One HTTP request and its answer, bounded in time and in size: no redirect, no retry.

It is asynchronous at its core, because only that can cut whatever hangs: a socket's own timeouts
are for each read, and a name look-up has none. `send` is for those who wait for their answer.
"""

import asyncio
import contextlib
import functools
import json
import os
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.logs import excerpt
from runmetrics.proxies import proxy_for
from runmetrics.small_file import read_bytes

if TYPE_CHECKING:
    import httpx

    from runmetrics.transport_errors import TransportFault

MOST_ANSWER_BYTES = 65_536
_MOST_HOST_BYTES = 200
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: `data` is its body unpacked; names of headers are found in any case.

    `url` was asked, `seconds` passed before the headers came.
    """

    status: int
    headers: Mapping[str, str]
    data: bytes
    url: str = ""
    seconds: float = 0.0

    def json_object(self) -> dict[str, Any] | None:
        """Return the body when it is a JSON object, else None."""
        try:
            found = json.loads(self.data)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    @property
    def redirects_to(self) -> str:
        """The server that a redirect points to, without user, password and path."""
        try:
            target = urlsplit(urljoin(self.url, self.headers["Location"]))
            host, port = target.hostname or "", target.port
        except (KeyError, ValueError):
            host = ""
        if not host:
            return "an unreadable address"
        shown = excerpt(f"[{host}]" if ":" in host else host, _MOST_HOST_BYTES)
        return f"{target.scheme}://{shown}{f':{port}' if port else ''}"


class NoAnswer(Exception):  # noqa: N818 - it is what happened
    """There was no whole answer, for the reason that `fault` tells."""

    def __init__(self, fault: "TransportFault") -> None:
        super().__init__(fault.words)
        self.fault = fault


@dataclass(slots=True)
class Meter:
    """Counts what came in over all requests: bytes as sent (compressed), and unpacked."""

    bytes_received: int = 0
    bytes_decoded: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    method: str = "POST"


@functools.cache
def tls() -> ssl.SSLContext:
    """Return `new_tls()`, made once: it costs some 25 ms."""
    return new_tls()


def new_tls() -> ssl.SSLContext:
    """Return verifying TLS settings, SSL_CERT_FILE and SSL_CERT_DIR honoured.

    Raises ConfigurationError for a file of certificates that cannot be read.
    """
    import httpx

    try:
        if file := os.environ.get("SSL_CERT_FILE"):
            read_bytes(Path(file))  # OpenSSL has no bound
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        why = "it is not PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(
            f"the certificates named by SSL_CERT_FILE or SSL_CERT_DIR cannot be read ({why})",
            "name a readable file of PEM certificates",
        ) from None


async def exchange(
    client: "httpx.AsyncClient", request: Request, *, seconds: float, most_bytes: int, meter: Meter
) -> Answer:
    """Return the whole answer to a request made with `client`. Raises NoAnswer."""
    import httpx

    from runmetrics import transport_errors

    began_at = time.monotonic()
    response: httpx.Response | None = None
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream(
                request.method, request.url, headers=request.headers, content=request.content
            ) as response,
        ):
            answered = time.monotonic() - began_at
            data = await _body(response, most_bytes, meter)
            return Answer(response.status_code, response.headers, data, request.url, answered)
    except TimeoutError:
        raise NoAnswer(transport_errors.slow(time.monotonic() - began_at)) from None
    except zlib.error:
        raise NoAnswer(transport_errors.BROKEN_OFF) from None
    except httpx.TransportError as error:
        answered = response is not None
        raise NoAnswer(transport_errors.transport_fault(error, answered=answered)) from error


def send(
    request: Request,
    deadline: Deadline,
    *,
    seconds: float,
    verify: ssl.SSLContext | None = None,
    most_bytes: int = MOST_ANSWER_BYTES,
) -> Answer:
    """Return the answer, if it is whole within `seconds` and before `deadline`.

    `verify` are TLS settings other than the machine's. Raises NoAnswer.
    """
    from runmetrics.event_loop import Loop

    plain = replace(request, headers={**request.headers, "Accept-Encoding": "identity"})
    # A proxy of the environment gets tunnels only: over plain http it would see the key.
    tunnels = request.url.startswith("https://")
    settings = (verify or tls()) if tunnels else False
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(_send(plain, deadline, seconds, settings, most_bytes))


async def _send(
    request: Request,
    deadline: Deadline,
    seconds: float,
    verify: ssl.SSLContext | bool,
    most_bytes: int,
) -> Answer:
    import httpx

    from runmetrics import transport_errors

    timeout = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
    proxy = proxy_for(request.url) if verify else None
    began_at = time.monotonic()
    try:
        async with (
            httpx.AsyncClient(
                verify=verify, timeout=timeout, proxy=proxy, trust_env=False
            ) as client,
            _bounded_by(deadline),
        ):
            return await exchange(
                client, request, seconds=seconds, most_bytes=most_bytes, meter=Meter()
            )
    except TimeoutError:
        raise NoAnswer(transport_errors.slow(time.monotonic() - began_at)) from None


@contextlib.asynccontextmanager
async def _bounded_by(deadline: Deadline) -> AsyncIterator[None]:
    """Raise TimeoutError at the deadline, which a stop of the run brings nearer."""
    loop = asyncio.get_running_loop()
    scope = asyncio.timeout(deadline.remaining())

    def shorten() -> None:
        with contextlib.suppress(RuntimeError):  # it ended meanwhile
            scope.reschedule(loop.time() + deadline.remaining())

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(shorten)

    forget = deadline.on_stop(wake)
    try:
        async with scope:
            yield
    finally:
        forget()


async def _body(response: "httpx.Response", most_bytes: int, meter: Meter) -> bytes:
    """Return the body unpacked; raises zlib.error, and NoAnswer over `most_bytes`.

    Unpacked here, because httpx unpacks a whole chunk at once and as often as the header says: a
    few hundred bytes could become gigabytes.
    """
    from runmetrics import transport_errors

    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("gzip", "identity"):
        raise zlib.error(f"an encoding that was not asked for: {encoding}")
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if encoding == "gzip" else None
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += unpack.decompress(chunk, most_bytes + 1 - len(body)) if unpack else chunk
            if len(body) > most_bytes:
                meter.bytes_decoded += len(body)
                body.clear()  # the error's traceback keeps this frame, and so the body, alive
                raise NoAnswer(transport_errors.too_large(most_bytes))
    finally:
        meter.bytes_received += response.num_bytes_downloaded
        meter.bytes_decoded += len(body)
    if unpack and body and not unpack.eof:
        raise zlib.error("it ends before its end")
    return bytes(body)

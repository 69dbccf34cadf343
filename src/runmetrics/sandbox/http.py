"""A loopback HTTP server that records its requests and can be told to misbehave.

Both halves of the sandbox (the W&B server and the Datadog intake) are handlers behind it. A fault
replaces or mangles the answer of one request at the level of the socket, which is where
collectors are hurt: resets, drips, truncation, redirects, statuses, junk.
"""

import gzip
import json
import socket
import struct
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

LOOPBACK = "127.0.0.1"
_DECOMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived; `body` is decoded from its content encoding."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    body_bytes_on_the_wire: int


@dataclass(frozen=True, slots=True)
class Response:
    """What a handler answers with; compressed by the server when the client accepts gzip."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Fault:
    """How one answer goes wrong. Fields combine; the default is a healthy answer.

    `response` is sent instead of asking the handler. `after_handling` asks the handler first (so
    that what was posted has been taken) and then misbehaves. `reset` closes with RST instead of
    answering; `silent` never answers; `drip_seconds` sends one byte at a time with that pause;
    `truncate` promises the whole Content-Length and sends half.
    """

    response: Response | None = None
    after_handling: bool = False
    delay_seconds: float = 0.0
    reset: bool = False
    silent: bool = False
    drip_seconds: float = 0.0
    truncate: bool = False


Handler = Callable[[Request], Response]


def json_response(status: int, document: object) -> Response:
    """Return an answer that is JSON."""
    return Response(status, json.dumps(document).encode())


def errors(status: int, *errors: object) -> Response:
    """Return a refusal as both Datadog and W&B word it: {"errors": [...]}."""
    return json_response(status, {"errors": errors})


class LoopbackServer:
    """Serves `handler` on 127.0.0.1 at a free port; use as a context manager.

    `faults` are consumed one a request, in order; None in the queue is a healthy answer.
    `fault_for` decides by request and is asked when the queue is empty. `latency_seconds` delays
    every answer; `clock` is what its Date header tells. `requests` is everything received so far;
    `bytes_sent` counts answer bodies; `most_at_once` is how many requests ever were under way.
    """

    def __init__(self, handler: Handler, *, latency_seconds: float = 0.0, port: int = 0) -> None:
        self.handler = handler
        self.latency_seconds = latency_seconds
        self.requests: list[Request] = []
        self.bytes_sent = 0
        self.most_at_once = 0
        self._under_way = 0
        self.faults: deque[Fault | None] = deque()
        self.fault_for: Callable[[Request], Fault | None] = lambda _request: None
        self.clock: Callable[[], float] = time.time
        self.closing = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class _Handler(_RequestHandler):
            server_side = outer

        self._http = _Server((LOOPBACK, port), _Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._http.server_address[1]}"

    def misbehave(self, *faults: Fault | None) -> None:
        """Queue faults for the next requests."""
        self.faults.extend(faults)

    def take(self, request: Request) -> Fault | None:
        """Record a request and say how to answer it."""
        with self._lock:
            self.requests.append(request)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            return self.faults.popleft() if self.faults else self.fault_for(request)

    def done(self) -> None:
        """Note that a request is no longer under way."""
        with self._lock:
            self._under_way -= 1

    def sent(self, size: int) -> None:
        """Count bytes of an answer's body."""
        with self._lock:
            self.bytes_sent += size

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop serving and free the port; requests that hang by a fault are let go."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)


class Served:
    """What stands behind a `server`; a context manager that serves."""

    server: LoopbackServer

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return self.server.url

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.server.__exit__()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away, as faulty or stopped ones do."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _RequestHandler(BaseHTTPRequestHandler):
    """Reads a request, asks what to do with it, and does just that to the socket."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server_side: LoopbackServer

    def log_message(self, *_args: Any) -> None:
        """Keep quiet: requests are recorded, not printed."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the Date header, by the server's clock."""
        return super().date_time_string(timestamp or self.server_side.clock())

    def _serve(self) -> None:
        request = self._read()
        server = self.server_side
        fault = server.take(request) or Fault()
        try:
            response = self._response(request, fault)
        finally:
            server.done()  # before it is sent, or the client's next request could be counted beside
        if response is None:
            self._reset()
        else:
            self._answer(response, fault)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815 - the base class's names

    def _response(self, request: Request, fault: Fault) -> Response | None:
        """Return what to answer; None where the connection is to be reset."""
        server = self.server_side
        server.closing.wait(server.latency_seconds + fault.delay_seconds)
        if fault.after_handling:
            server.handler(request)
        if fault.silent:
            server.closing.wait(600)
        if fault.reset or fault.silent:
            return None
        return fault.response or server.handler(request)

    def _read(self) -> Request:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            raw = b"".join(self._chunks())
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            body = _DECOMPRESS.get(headers.get("content-encoding", ""), bytes)(raw)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            body = b""  # no JSON: each handler refuses it
        return Request(self.command, self.path, headers, body, len(raw))

    def _chunks(self) -> Iterable[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, response: Response, fault: Fault) -> None:
        body = response.body
        headers = {"Content-Type": response.content_type, **response.headers}
        wants_gzip = "gzip" in self.headers.get("Accept-Encoding", "")
        if wants_gzip and len(body) > 512 and "Content-Encoding" not in headers:
            body = gzip.compress(body, compresslevel=6)
            headers["Content-Encoding"] = "gzip"
        self.server_side.sent(len(body))
        try:
            self.send_response(response.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self._write(body, fault)
        except OSError:
            self.close_connection = True  # the client went away, as faulty or stopped clients do

    def _write(self, body: bytes, fault: Fault) -> None:
        if fault.truncate:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif fault.drip_seconds:
            for position in range(len(body)):
                self.wfile.write(body[position : position + 1])
                self.wfile.flush()
                if self.server_side.closing.wait(fault.drip_seconds):
                    break
        else:
            self.wfile.write(body)

    def _reset(self) -> None:
        linger_off = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
        self.close_connection = True
        self.connection.close()

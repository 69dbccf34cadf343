"""The HTTP face: /metrics, /healthz, /readyz and the page at /. It reads, and changes nothing."""

import gzip
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from runmetrics.errors import ConfigurationError
from runmetrics.serve import page
from runmetrics.serve.loop import Loop
from runmetrics.sinks.prometheus.families import families_of, registry_of

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_IDLE_SECONDS = 30.0
_PLAIN = "text/plain; charset=utf-8"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers with."""

    status: HTTPStatus
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def application(loop: Loop) -> "WSGIApplication":
    """What the server runs for each request."""
    paths: dict[str, Callable[[WSGIEnvironment], Answer]] = {
        "/": lambda environ: _compressed(_page(loop), environ),
        "/metrics": lambda environ: _metrics(loop, environ),
        "/healthz": lambda _environ: _health(loop),
        "/readyz": lambda _environ: _readiness(loop),
    }

    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO") or "/"
        if path not in paths:
            answer = _said(HTTPStatus.NOT_FOUND, "not here: see /, /metrics, /healthz, /readyz")
        elif method not in ("GET", "HEAD"):
            answer = _said(HTTPStatus.METHOD_NOT_ALLOWED, "GET or HEAD", Allow="GET, HEAD")
        else:
            answer = _answered(paths[path], environ)
        headers = {
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **answer.headers,
            "Content-Length": str(len(answer.body)),
        }
        start_response(f"{answer.status.value} {answer.status.phrase}", list(headers.items()))
        return [] if method == "HEAD" else [answer.body]

    return serve


class Server:
    """Serves `loop` at `host` and `port` (0: a free one) in threads; use as a context manager.

    Raises ConfigurationError where it cannot listen.
    """

    def __init__(self, loop: Loop, host: str, port: int) -> None:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._http = _listening(family)(address, _Handler)  # type: ignore[arg-type]
        except (OSError, OverflowError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigurationError(
                f"cannot listen on {host} port {port} ({why})", "give another --host or --port"
            ) from None
        self._http.set_app(application(loop))
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.1,), name="http", daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        host, port = self._http.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)


class _Http(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Without the base class's look-up of our own name, which can take its time."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = map(str, self.server_address[:2])  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Clients that went away or fell silent are nobody's trouble."""
        error = sys.exception()
        if not isinstance(error, OSError):
            _log.error(f"a bug of the server: {type(error).__name__}: {error}", exc_info=True)


def _listening(family: int) -> type[_Http]:
    return type("_Http", (_Http,), {"address_family": family})


class _Handler(WSGIRequestHandler):
    timeout = _IDLE_SECONDS

    def log_message(self, *_arguments: Any) -> None:
        """Keep quiet: probes and scrapes would fill the log."""


def _answered(path: "Callable[[WSGIEnvironment], Answer]", environ: "WSGIEnvironment") -> Answer:
    try:
        return path(environ)
    except Exception as error:  # noqa: BLE001 - the log says it; the others are served
        _log.error(f"a bug of the page: {type(error).__name__}: {error}", exc_info=True)
        return _said(HTTPStatus.INTERNAL_SERVER_ERROR, "a bug of runmetrics: see its log")


def _metrics(loop: Loop, environ: "WSGIEnvironment") -> Answer:
    """The last snapshot, whole, in the format that the client asks for; empty before the first."""
    snapshot = loop.snapshot
    samples = snapshot.samples(loop.clock(), datetime.now(UTC)) if snapshot else ()
    registry = registry_of(families_of(samples).families)
    got: list[tuple[str, list[tuple[str, str]]]] = []
    body = make_wsgi_app(registry)(
        {**environ, "REQUEST_METHOD": "GET"}, lambda status, headers: got.append((status, headers))
    )
    ((status, headers),) = got
    return Answer(HTTPStatus(int(status.split()[0])), b"".join(body), dict(headers))


def _health(loop: Loop) -> Answer:
    if loop.alive:
        return _said(HTTPStatus.OK, "ok")
    silent = f"the loop has not moved for {loop.silent_seconds:.0f} s"
    return _said(HTTPStatus.SERVICE_UNAVAILABLE, silent)


def _readiness(loop: Loop) -> Answer:
    if loop.snapshot is None:
        return _said(HTTPStatus.SERVICE_UNAVAILABLE, "the first collection is under way")
    return _said(HTTPStatus.OK, "ok")


def _page(loop: Loop) -> Answer:
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": page.policy(),
        "Referrer-Policy": "no-referrer",
    }
    return Answer(HTTPStatus.OK, page.html(loop), headers)


def _compressed(answer: Answer, environ: "WSGIEnvironment") -> Answer:
    if "gzip" not in environ.get("HTTP_ACCEPT_ENCODING", ""):
        return answer
    headers = {**answer.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Answer(answer.status, gzip.compress(answer.body, compresslevel=5), headers)


def _said(status: HTTPStatus, words: str, **headers: str) -> Answer:
    return Answer(status, f"{words}\n".encode(), {"Content-Type": _PLAIN, **headers})

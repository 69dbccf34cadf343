"""The HTTP face: /metrics, /healthz, /readyz and the page at /. It reads, and changes nothing."""

import gzip
import ipaddress
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from prometheus_client import make_wsgi_app

from runmetrics.serve import page
from runmetrics.serve.loop import Loop
from runmetrics.sinks.prometheus.families import families_of, registry_of
from runmetrics.text import counted

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_PLAIN = "text/plain; charset=utf-8"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers with."""

    status: HTTPStatus
    body: bytes
    headers: Mapping[str, str]


def application(loop: Loop, *, local_only: bool) -> "WSGIApplication":
    """Return what the server runs for each request.

    `local_only`: it listens on loopback, so a request that names another host comes from a page
    whose name was pointed here (DNS rebinding), and gets nothing.
    """
    paths: dict[str, Callable[[WSGIEnvironment], Answer]] = {
        "/": lambda environ: _compressed(_page(loop), environ),
        "/metrics": lambda environ: _metrics(loop, environ),
        "/healthz": lambda _environ: _health(loop),
        "/readyz": lambda environ: _readiness(loop, environ),
    }

    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO") or "/"
        if local_only and not _is_local(environ.get("HTTP_HOST", "localhost")):
            answer = _said(HTTPStatus.MISDIRECTED_REQUEST, "not a name of this machine: see --host")
        elif path not in paths:
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


def _is_local(host: str) -> bool:
    """Return whether a Host header is a name that only this machine has: localhost, loopback."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def _answered(path: "Callable[[WSGIEnvironment], Answer]", environ: "WSGIEnvironment") -> Answer:
    try:
        return path(environ)
    except Exception as error:  # noqa: BLE001 - the log says it; the others are served
        _log.error(f"a bug of the page: {type(error).__name__}: {error}", exc_info=True)
        return _said(HTTPStatus.INTERNAL_SERVER_ERROR, "a bug of runmetrics: see its log")


def _metrics(loop: Loop, environ: "WSGIEnvironment") -> Answer:
    """Answer with the last snapshot, whole, in the format asked for; empty before the first."""
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


def _readiness(loop: Loop, environ: "WSGIEnvironment") -> Answer:
    """Say whether there is something to show; with ?deliveries, whether the sinks took it too.

    Only if asked: a pod that is not ready is not scraped, whatever it has to show.
    """
    if loop.snapshot is None:
        return _said(HTTPStatus.SERVICE_UNAVAILABLE, "the first collection is under way")
    behind = loop.snapshot.behind
    if behind and "deliveries" in environ.get("QUERY_STRING", "").split("&"):
        counts = ", ".join(f"{sink} {counted(n, 'sample')}" for sink, n in behind.items())
        return _said(HTTPStatus.SERVICE_UNAVAILABLE, f"not delivered: {counts}")
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

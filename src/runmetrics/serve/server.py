"""Listens and serves: waitress, with bounds on everything that a client could make grow."""

import ipaddress
import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

from waitress import wasyncore
from waitress.server import create_server

from runmetrics.errors import ConfigurationError
from runmetrics.serve.loop import Loop
from runmetrics.serve.web import application

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

MOST_CONNECTIONS = 100
"""At once; far under the usual limit on open files, of which collections need some too."""
_IDLE_SECONDS = 30
BOUNDS = {
    "connection_limit": MOST_CONNECTIONS,
    "channel_timeout": _IDLE_SECONDS,
    "cleanup_interval": 5,
    "max_request_header_size": 16_384,
    "max_request_body_size": 1024,  # nothing here takes one
    "threads": 4,
}


class Server:
    """Serves `loop` at `host` and `port` (0: a free one) in threads; use as a context manager.

    `url` is where it listens, without a slash at the end. The host `::` means all addresses of
    IPv6 and of IPv4. Raises ConfigurationError where it cannot listen.
    """

    def __init__(self, loop: Loop, host: str, port: int) -> None:
        try:
            listening = _listening(host, port)
        except (OSError, OverflowError, UnicodeError) as error:
            raise ConfigurationError(
                f"cannot listen on {host} port {port} ({_reason(error)})",
                "give another --host or --port",
            ) from None
        address, port = listening.getsockname()[:2]
        self.url = f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
        app: WSGIApplication = application(
            loop, local_only=ipaddress.ip_address(address.partition("%")[0]).is_loopback
        )
        # The log says a queue's depth for each scrape that meets another one.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._channels: dict[int, Any] = {}
        self._http = create_server(
            app,
            map=self._channels,
            sockets=[listening],
            ident="",
            asyncore_use_poll=True,
            log_socket_errors=False,
            **BOUNDS,
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def connections(self) -> int:
        """Return how many are open."""
        return len(self._http.active_channels)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._http.pull_trigger()
        self._thread.join(timeout=5)
        wasyncore.close_all(self._channels)  # not by the thread: the trigger must be there to pull
        self._http.task_dispatcher.shutdown(timeout=1)

    def _run(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=self._channels, count=1)


def _reason(error: Exception) -> str:
    """Return the system's own words, to which Python adds the address."""
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)


def _listening(host: str, port: int) -> socket.socket:
    if host == "::":
        if socket.has_dualstack_ipv6():
            return socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)
        host = "0.0.0.0"  # noqa: S104 - what was asked for, on a machine without IPv6
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address, family=family)

"""One HTTP request and its answer, bounded in time and size: no redirect, no retry."""

import contextlib
import functools
import json
import queue
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runmetrics.deadline import Deadline

if TYPE_CHECKING:
    import httpx

MOST_ANSWER_BYTES = 65_536
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the other side; names of headers in any case."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    def json_object(self) -> dict[str, Any] | None:
        """The body, when it is a JSON object."""
        try:
            found = json.loads(self.data)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


class NoAnswer(Exception):  # noqa: N818 - it is what happened
    """The request failed on its way; `passing` unless trying again is of no use."""

    def __init__(self, why: str, *, passing: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.passing = passing


@functools.cache
def tls() -> ssl.SSLContext:
    """Verifying TLS settings (SSL_CERT_FILE honoured), made once: it costs some 25 ms."""
    import httpx

    return httpx.create_ssl_context()


class Exchange:
    """One request in a thread of its own, which can be given up whatever it hangs on.

    Timeouts of sockets are per read, and name look-ups have none at all.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        verify: ssl.SSLContext,
        method: str = "POST",
        most_answer_bytes: int = MOST_ANSWER_BYTES,
    ) -> None:
        self._url, self._headers, self._content = url, headers, content
        self._verify, self._method = verify, method
        self._most_answer_bytes = most_answer_bytes
        self._outcome: queue.SimpleQueue[Answer | Exception | None] = queue.SimpleQueue()
        self._socket: socket.socket | None = None

    def within(self, seconds: float, deadline: Deadline) -> Answer:
        """The answer, if it is whole within `seconds` and before `deadline`; raises NoAnswer."""
        import httpx  # noqa: F401 - its import is no part of the request's time

        began = time.monotonic()
        threading.Thread(target=self._run, args=(seconds,), daemon=True).start()
        forget = deadline.on_stop(lambda: self._outcome.put(None))
        try:
            while True:
                left = began + seconds - time.monotonic()
                outcome = self._outcome.get(timeout=max(0.0, min(left, deadline.remaining())))
                if outcome is not None:  # None: the run is stopped, the deadline is nearer now
                    break
        except queue.Empty:
            self._cut()
            waited = time.monotonic() - began
            raise NoAnswer(f"no whole answer within {waited:.3g} s") from None
        finally:
            forget()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _run(self, seconds: float) -> None:
        try:
            self._outcome.put(self._exchange(seconds))
        except Exception as error:  # noqa: BLE001 - raised again where the answer is awaited
            self._outcome.put(error)

    def _exchange(self, seconds: float) -> Answer:
        import httpx

        timeout = httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
        # A proxy of the environment gets tunnels only: over plain http it would see the key.
        tunnels = self._url.startswith("https://")
        try:
            with (
                httpx.Client(verify=self._verify, timeout=timeout, trust_env=tunnels) as client,
                client.stream(
                    self._method,
                    self._url,
                    headers={**self._headers, "Accept-Encoding": "identity"},
                    content=self._content,
                    follow_redirects=False,
                    extensions={"trace": self._note_socket},
                ) as response,
            ):
                data = _read(response, self._most_answer_bytes)
                return Answer(response.status_code, response.headers, data)
        except httpx.HTTPError as error:
            raise _no_answer(error) from None

    def _note_socket(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _cut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # ends the thread's read, and so itself


def _read(response: "httpx.Response", most_bytes: int) -> bytes:
    data = b""
    for chunk in response.iter_raw():
        data += chunk
        if len(data) > most_bytes:
            raise NoAnswer(f"its answer is larger than {most_bytes} bytes", passing=False)
    return data


def _no_answer(error: "httpx.HTTPError") -> NoAnswer:
    """What happened, in our words: theirs may hold a proxy's password."""
    import httpx

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = (
                f"its certificate is not trusted ({cause.verify_message}; SSL_CERT_FILE names a CA)"
            )
            return NoAnswer(why, passing=False)
        if isinstance(cause, ssl.SSLError):
            return NoAnswer("TLS failed")
        if isinstance(cause, ConnectionRefusedError):
            return NoAnswer("connection refused")
        if isinstance(cause, socket.gaierror):
            return NoAnswer("its name is not known")
        if isinstance(cause, ConnectionResetError | BrokenPipeError):
            return NoAnswer("connection reset")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectTimeout):
        return NoAnswer("no connection in time")
    if isinstance(error, httpx.TimeoutException):
        return NoAnswer("no answer in time")
    if isinstance(error, httpx.ProxyError):
        return NoAnswer("the proxy refused")
    if isinstance(error, httpx.RemoteProtocolError):
        return NoAnswer("the answer broke off")
    return NoAnswer(type(error).__name__)

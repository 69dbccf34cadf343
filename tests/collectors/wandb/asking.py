"""Ways to ask a loopback server through the client, with a key that must show up nowhere."""

import asyncio
import base64
import dataclasses
import ipaddress
import json
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from runmetrics.collectors.wandb.server.answers import Answer
from runmetrics.collectors.wandb.server.client import RetryPolicy, WandbClient
from runmetrics.collectors.wandb.server.endpoint import Endpoint
from runmetrics.config.credentials import ApiKey
from runmetrics.deadline import Deadline
from runmetrics.errors import RunmetricsError
from runmetrics.sandbox.http import Fault, Handler, LoopbackServer, Request, Response

E = TypeVar("E", bound=RunmetricsError)

CANARY = "canary0123456789canary0123456789canary01"
BASIC = base64.b64encode(f"api:{CANARY}".encode()).decode()
KEY = ApiKey(SecretStr(CANARY), "WANDB_API_KEY")
DOCUMENT = "query Q($p: String!) { project(name: $p) { runCount } }"
DATA = {"project": {"runCount": 7}}
SERVER_SIDE = "see https://status.wandb.com or your own server's log; the next run may pass"
ADDRESS = "check WANDB_BASE_URL and what stands between it and us (a proxy, a login page)"
FAST = RetryPolicy(
    first_seconds=0.001,
    most_seconds=0.002,
    low_quota_pause_seconds=0.001,
    connect_timeout_seconds=1.0,
    read_timeout_seconds=2.0,
    total_timeout_seconds=3.0,
)


def fast(**changes: Any) -> RetryPolicy:
    """The policy of the tests, with some of it changed."""
    return dataclasses.replace(FAST, **changes)


class Waits(list[float]):
    """A sleep that records how long it was asked for and takes no time but on its own clock."""

    async def sleep(self, seconds: float) -> None:
        self.append(seconds)

    def clock(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=sum(self))


def answering(body: object, headers: Mapping[str, str] | None = None, status: int = 200) -> Handler:
    """A server that gives the same JSON to every request."""
    raw = json.dumps(body).encode()

    def handle(_request: Request) -> Response:
        return Response(status, raw, headers or {})

    return handle


def failing(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Handler:
    """A server that gives the same status to every request."""

    def handle(_request: Request) -> Response:
        return Response(status, body, headers or {})

    return handle


HEALTHY = answering({"data": DATA})


@dataclass
class Caller:
    """One client for one server."""

    url: str
    policy: RetryPolicy = FAST
    deadline: Deadline = field(default_factory=lambda: Deadline(60))
    key: ApiKey | None = KEY
    allow_insecure_http: bool = False
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        endpoint = Endpoint(self.url, self.key, allow_insecure_http=self.allow_insecure_http)
        self.client = WandbClient(endpoint, self.deadline, retry=self.policy, clock=self.clock)

    def answers(self, times: int = 1, **options: Any) -> list[Answer]:
        """What the server answers to the same document asked `times` times."""

        async def run() -> list[Answer]:
            async with self.client as client:
                return [
                    await client.query(DOCUMENT, {"p": "metta"}, **options) for _ in range(times)
                ]

        return asyncio.run(run())

    def answer(self, **options: Any) -> Answer:
        """What the server answers."""
        return self.answers(**options)[0]

    def fails(self, kind: type[E], **options: Any) -> E:
        """The error that the query raises, searched for the key."""
        with pytest.raises(kind) as caught:
            self.answer(**options)
        assert_without_key("".join(traceback.format_exception(caught.value)))
        assert_without_key(repr(vars(caught.value)))
        return caught.value


def assert_without_key(text: str) -> None:
    """The key is in the text neither plain nor as it is sent."""
    assert CANARY not in text
    assert BASIC not in text


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """One answer with this status; a header's name is written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(response=Response(code, body, named))


def frozen(seconds: float) -> Deadline:
    """A deadline whose clock stands still."""
    return Deadline(seconds, clock=lambda: 0.0)


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is set in the environment."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def speak_tls(server: LoopbackServer, folder: Path) -> str:
    """Have the server speak TLS with a certificate of its own (certificate.pem); its URL."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    server._http.socket = context.wrap_socket(server._http.socket, server_side=True)
    return server.url.replace("http:", "https:")


@contextmanager
def one_answer(raw: bytes) -> Iterator[int]:
    """A port where the first connection gets these bytes whatever it says."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(raw)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()

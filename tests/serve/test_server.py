"""Where the server listens, what it refuses, and what clients cannot do to it."""

import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from runmetrics.errors import ConfigurationError
from runmetrics.serve.server import BOUNDS, MOST_CONNECTIONS, Server
from tests.serve.asking import ask, serving
from tests.serve.scene import Script, outcome, sample


def test_clients_that_say_nothing_keep_nobody_waiting() -> None:
    with serving(Script(outcome(sample()))) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(20)]
        answer, _ = ask(server, "/healthz")
        for client in silent:
            client.close()

    assert answer.status == 200


def test_p3_half_open_connections_are_bounded_and_dropped_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server's own descriptors are counted: what it opens, a collection cannot."""
    monkeypatch.setitem(BOUNDS, "channel_timeout", 1)
    monkeypatch.setitem(BOUNDS, "cleanup_interval", 1)
    with serving(Script(outcome(sample()))) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        clients = [socket.create_connection((host, int(port))) for _ in range(150)]
        while server.connections < MOST_CONNECTIONS - 2:  # two of them are the server's own
            time.sleep(0.01)
        open_then = server.connections
        answer, _ = ask(server, "/healthz")  # waits until the silent ones are gone
        for client in clients:
            client.close()

    assert answer.status == 200
    assert open_then <= MOST_CONNECTIONS


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9464", 200),
        ("127.0.0.1", 200),
        ("localhost:8080", 200),  # a tunnel's own port
        ("LOCALHOST", 200),
        ("[::1]:9464", 200),
        ("evil.example:9464", 421),
        ("127.0.0.1.evil.example", 421),
        ("10.0.0.7:9464", 421),
    ],
)
def test_p4_on_loopback_only_this_machines_own_names_are_answered(host: str, status: int) -> None:
    with serving(Script(outcome(sample()))) as server:
        answer, text = ask(server, "/metrics", Host=host)

    assert answer.status == status
    assert ("a_x" in text) == (status == 200)


def test_on_all_addresses_any_name_is_answered() -> None:
    """A Service, an ingress and a probe call a pod by names that it cannot know."""
    with Server(Script().loop, "0.0.0.0", 0) as server:
        assert ask(server, "/healthz", Host="metrics.example")[0].status == 200


def test_a_request_of_many_headers_is_refused() -> None:
    with serving(Script()) as server:
        answer, _ = ask(server, "/healthz", Long="x" * 20_000)

    assert answer.status == 431


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_port_that_is_taken_is_a_fault_of_the_configuration(taken: int) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Server(Script().loop, "127.0.0.1", taken)

    assert str(refused.value) == (
        f"cannot listen on 127.0.0.1 port {taken} (Address already in use):"
        " give another --host or --port"
    )


def test_two_colons_are_all_addresses_of_both_families() -> None:
    with Server(Script().loop, "::", 0) as server:
        port = server.url.rpartition(":")[2]
        for host in ("127.0.0.1", "[::1]"):
            connection = HTTPConnection(f"{host}:{port}", timeout=300)
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            connection.close()


def test_two_colons_are_ipv4_alone_on_a_machine_without_ipv6(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with Server(Script().loop, "::", 0) as server:
        assert server.url.startswith("http://0.0.0.0:")
        assert ask(server, "/healthz")[0].status == 200


def test_it_listens_on_ipv6_too() -> None:
    with Server(Script().loop, "::1", 0) as server:
        assert server.url.startswith("http://[::1]:")
        assert ask(server, "/healthz")[0].status == 200


def test_it_ends_in_good_order_where_its_thread_sees_the_end_before_it_is_woken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Server(Script().loop, "127.0.0.1", 0) as server:
        wake = server._http.pull_trigger

        def wake_late() -> None:
            server._thread.join(10)
            wake()

        monkeypatch.setattr(server._http, "pull_trigger", wake_late)

    assert not server._thread.is_alive()

"""Faults of the connection and of time: no server, no trust, no answer, no more time, SIGTERM."""

import asyncio
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from runmetrics.collectors.wandb.server.errors import (
    OutOfTime,
    SlowAnswer,
    Stopped,
    Unreachable,
    UnusableConnection,
)
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, ExitCode
from runmetrics.sandbox.http import Fault, LoopbackServer
from tests.collectors.wandb.asking import (
    ADDRESS,
    CANARY,
    DATA,
    DOCUMENT,
    HEALTHY,
    KEY,
    SERVER_SIDE,
    Caller,
    closed_port,
    failing,
    fast,
    one_answer,
    speak_tls,
    status,
    without_proxies,
)

NETWORK = "check WANDB_BASE_URL, the network policy and the proxy settings"


def test_w6_a_refused_connection_is_tried_again() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    caller = Caller(url)
    error = caller.fails(Unreachable)
    assert str(error) == (
        f"W&B at {url} cannot be reached, the connection is refused (5 tries): {NETWORK}"
    )
    assert error.exit_code == ExitCode.TEMPORARY
    assert caller.client.requests == 5


def test_w6_a_name_that_dns_does_not_know_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    caller = Caller("https://wandb.invalid")
    error = caller.fails(Unreachable, tries=2)
    assert str(error) == (
        "W&B at https://wandb.invalid cannot be reached, its name is not known to DNS (2 tries): "
        "check WANDB_BASE_URL and DNS on this machine"
    )
    assert caller.client.requests == 2


def test_w6_a_reset_is_tried_again() -> None:
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(Fault(reset=True))
        assert Caller(server.url).answer().data == DATA
        server.fault_for = lambda _request: Fault(reset=True)
        error = Caller(server.url).fails(Unreachable)
    assert str(error) == (
        f"W&B at {server.url} cannot be reached, the connection broke (5 tries): {NETWORK}"
    )
    assert len(server.requests) == 2 + 5


def test_w6_an_untrusted_certificate_is_never_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with LoopbackServer(HEALTHY) as server:
        url = speak_tls(server, tmp_path)
        caller = Caller(url)
        error = caller.fails(Unreachable)
    assert str(error) == (
        f"W&B at {url} cannot be reached, its certificate is not trusted "
        "(self-signed certificate): if that is your server, name the file of its certificate "
        "authority in SSL_CERT_FILE"
    )
    assert caller.client.requests == 1
    assert server.requests == []


def test_w6_ssl_cert_file_makes_a_certificate_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch)
    with LoopbackServer(HEALTHY) as server:
        url = speak_tls(server, tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        assert Caller(url).answer().data == DATA
    assert len(server.requests) == 1


def test_w6_a_certificate_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "no-such-file.pem")
    error = Caller("https://wandb.invalid").fails(ConfigurationError)
    assert str(error) == (
        "the certificates named by SSL_CERT_FILE or SSL_CERT_DIR cannot be read "
        "(No such file or directory): name a readable file of PEM certificates"
    )
    assert error.exit_code == ExitCode.CONFIGURATION


def test_w6_a_server_without_tls_behind_https_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_proxies(monkeypatch)
    with LoopbackServer(HEALTHY) as server:
        url = server.url.replace("http:", "https:")
        error = Caller(url).fails(Unreachable, tries=1)
    assert str(error) == (
        f"W&B at {url} cannot be reached, it does not speak TLS as we do (1 try): {ADDRESS}"
    )


def test_w7_a_server_that_says_nothing_is_given_up() -> None:
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(Fault(silent=True), Fault(silent=True))
        error = Caller(server.url, policy=fast(read_timeout_seconds=0.2)).fails(SlowAnswer, tries=2)
    assert str(error) == f"W&B at {server.url} sent nothing for 0.2 s (2 tries): {SERVER_SIDE}"
    assert error.exit_code == ExitCode.TEMPORARY
    assert len(server.requests) == 2


def test_w7_a_connection_that_is_never_taken_is_given_up() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(deaf.getsockname())
        policy = fast(connect_timeout_seconds=0.2)
        error = Caller(url, policy=policy).fails(Unreachable, tries=1)
        for each in waiting:
            each.close()
    assert str(error) == (
        f"W&B at {url} cannot be reached, no connection within 0.2 s (1 try): {NETWORK}"
    )


def test_w8_a_slow_drip_is_cut_at_the_total_timeout() -> None:
    policy = fast(read_timeout_seconds=0.3, total_timeout_seconds=0.5)
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(Fault(drip_seconds=0.1))
        error = Caller(server.url, policy=policy).fails(SlowAnswer, tries=1)
    assert str(error) == (
        f"W&B at {server.url} did not answer in full within 0.5 s (1 try): {SERVER_SIDE}"
    )


def test_w8_no_request_goes_on_after_the_deadline() -> None:
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(Fault(silent=True))
        error = Caller(server.url, deadline=Deadline(0.3)).fails(OutOfTime)
    assert str(error) == (
        f"the time for reading W&B at {server.url} is over: raise --timeout, or ask for less"
    )
    assert error.exit_code == ExitCode.TEMPORARY


def test_w8_out_of_time_names_the_last_failure() -> None:
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(status(502), Fault(silent=True))
        error = Caller(server.url, deadline=Deadline(0.4)).fails(OutOfTime)
    assert error.cause == (
        f"the time for reading W&B at {server.url} is over; "
        f"the last try failed: W&B at {server.url} answered 502"
    )


def test_w8_after_the_deadline_no_request_is_made() -> None:
    with LoopbackServer(HEALTHY) as server:
        Caller(server.url, deadline=Deadline(0)).fails(OutOfTime)
    assert server.requests == []


def test_h3_a_sigterm_in_the_middle_of_a_fetch_ends_it() -> None:
    deadline = Deadline(60)
    before = signal.signal(signal.SIGTERM, lambda *_: deadline.stop(10))
    killer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM))
    try:
        with LoopbackServer(HEALTHY) as server:
            server.misbehave(Fault(silent=True))
            killer.start()
            error = Caller(
                server.url, policy=fast(read_timeout_seconds=30), deadline=deadline
            ).fails(Stopped)
            assert deadline.remaining() > 0  # at once, not when the grace is over
            Caller(server.url, deadline=deadline).fails(Stopped)
    finally:
        killer.join()
        signal.signal(signal.SIGTERM, before)
    assert str(error) == f"reading W&B at {server.url} was stopped by a signal"
    assert error.exit_code == ExitCode.TERMINATED
    assert len(server.requests) == 1


def test_h3_a_stop_in_the_middle_of_a_backoff_ends_it_without_another_request() -> None:
    deadline = Deadline(60)
    killer = threading.Timer(0.2, deadline.stop, (10,))
    with LoopbackServer(failing(503, headers={"Retry-After": "40"})) as server:
        killer.start()
        Caller(server.url, deadline=deadline).fails(Stopped)
    assert deadline.remaining() > 0  # at once, not when the grace is over
    killer.join()
    assert len(server.requests) == 1


def test_h3_a_stop_just_before_another_try_leaves_it_unmade() -> None:
    deadline = Deadline(60)

    async def stopped_while_asleep(_seconds: float) -> None:
        deadline.stop(10)

    with LoopbackServer(failing(500)) as server:
        caller = Caller(server.url, policy=fast(sleep=stopped_while_asleep), deadline=deadline)
        caller.fails(Stopped)
    assert caller.client.requests == 1


def test_h3_a_caller_that_cancels_is_obeyed() -> None:
    with LoopbackServer(HEALTHY) as server:
        server.misbehave(Fault(silent=True))
        caller = Caller(server.url)

        async def run() -> None:
            async with caller.client as client:
                query = asyncio.create_task(client.query(DOCUMENT))
                await asyncio.sleep(0.1)
                query.cancel()
                await query

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(run())


def test_h10_a_proxy_that_is_down_is_named_by_its_variable_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_proxies(monkeypatch)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{CANARY}@127.0.0.1:{closed_port()}")
    error = Caller("https://wandb.invalid", key=None).fails(Unreachable, tries=1)
    assert str(error) == (
        "W&B at https://wandb.invalid cannot be reached, the connection is refused, "
        f"HTTPS_PROXY is set (1 try): {NETWORK}"
    )


def test_h10_a_proxy_that_wants_a_password_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)
    with one_answer(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = Caller("https://wandb.invalid").fails(Unreachable, tries=1)
    assert str(error) == (
        "W&B at https://wandb.invalid cannot be reached, the proxy refused "
        '("407 Proxy Authentication Required"), HTTPS_PROXY is set (1 try): '
        "check HTTPS_PROXY and NO_PROXY"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", f"ftp://user:{CANARY}@proxy:1"),
        ("HTTPS_PROXY", f"http://user:{CANARY}@proxy:port"),
        ("ALL_PROXY", f"socks5://user:{CANARY}@proxy:1"),
    ],
)
def test_h10_proxy_settings_that_make_no_sense_are_named_without_their_values(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch)
    monkeypatch.setenv(name, value)
    error = Caller("https://wandb.invalid", key=KEY).fails(UnusableConnection)
    assert str(error) == (
        f"the proxy settings cannot be used ({name}): write a proxy as http://HOST:PORT"
    )
    assert error.exit_code == ExitCode.CONFIGURATION

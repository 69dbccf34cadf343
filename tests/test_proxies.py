"""Which proxy stands where: the environment's, but not for what NO_PROXY covers."""

import pytest

from runmetrics.deadline import Deadline
from runmetrics.http import NoAnswer, Request, send
from runmetrics.proxies import proxy_for
from runmetrics.transport_errors import Kind
from tests.collectors.wandb.asking import one_answer

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)


@pytest.mark.parametrize(
    ("no_proxy", "covered", "other"),
    [
        ("10.0.0.0/8", "https://10.1.2.3/x", "https://11.1.2.3"),
        ("127.0.0.0/8", "https://127.9.9.9:8443", "https://10.0.0.1"),
        ("fd00::/8", "https://[fd12::1]", "https://[fe80::1]"),
        ("::1", "https://[::1]:8443", "https://[::2]"),
        ("10.0.0.7", "https://10.0.0.7", "https://10.0.0.77"),
        ("*.lan", "https://wandb.lan", "https://wandb.lan.example"),
        (".svc", "https://wandb.default.svc", "https://xsvc"),
        ("example", "https://sub.example", "https://notexample"),
        ("WANDB.Example", "https://wandb.example", "https://datadog.example"),
        ("host:8443", "https://host:8443", "https://host"),
        ("host:443", "https://host", "https://host:8443"),
        ("https://host", "https://host", "https://other"),
        ("a, 10.0.0.0/8 ,b", "https://10.0.0.1", "https://c"),
    ],
)
def test_h10_no_proxy_covers_names_addresses_and_networks(
    no_proxy: str, covered: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(covered) is None
    assert proxy_for(other) == PROXY


def test_a_name_is_in_no_network_whatever_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    assert proxy_for("https://localhost") == PROXY


def test_a_star_covers_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    assert proxy_for("https://wandb.example") is None


def test_all_proxy_stands_in_and_a_proxy_may_lack_its_scheme(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HTTPS_PROXY")
    assert proxy_for("https://wandb.example") is None
    monkeypatch.setenv("ALL_PROXY", "proxy.example:3128")
    assert proxy_for("https://wandb.example") == PROXY


def test_h10_a_network_that_needs_no_proxy_is_not_asked_for_through_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with one_answer(b"HTTP/1.1 403 Not for you\r\n\r\n") as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
        assert kind_of_failure() is Kind.REFUSED
        monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
        assert kind_of_failure() is Kind.PROXY


def kind_of_failure() -> Kind:
    """What keeps a request from a port where nobody listens."""
    with pytest.raises(NoAnswer) as failed:
        send(Request("https://127.0.0.1:9"), Deadline(5), seconds=5)
    return failed.value.fault.kind

"""Links lead to the pages of the server that is read, by the official client's own rules."""

import pytest
from wandb.sdk.lib.wbauth.host_url import HostUrl

from runmetrics.collectors.wandb.server.pages import app_url, key_page, project_page, run_page

SERVERS = [
    "https://api.wandb.ai",
    "https://api.forge.coreweave.com",
    "https://api.qa.wandb.ai",
    "https://api.wandb.test",
    "https://api.wandb.example.com",
    "https://api.example.com/",
    "https://wandb.example.com",
    "https://wandb.example.com:8443/team",
    "http://127.0.0.1:8080",
]


@pytest.mark.parametrize("server", SERVERS)
def test_pages_are_where_the_official_client_says(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_APP_URL", raising=False)
    assert app_url(server) == HostUrl(server).app_url


def test_the_proxy_path_of_forge_leads_to_its_pages_too() -> None:
    assert app_url("https://forge.coreweave.com/api/wandb") == "https://forge.coreweave.com/wandb"


@pytest.mark.parametrize("server", SERVERS)
def test_wandb_app_url_goes_before_all_rules(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_APP_URL", "https://pages.example.com/wandb/")
    assert app_url(server, "https://pages.example.com/wandb/") == "https://pages.example.com/wandb"
    assert HostUrl(server).app_url == "https://pages.example.com/wandb"


def test_the_pages_of_a_run_a_project_and_a_key() -> None:
    app = app_url("https://api.wandb.ai")
    assert (
        run_page(app, "acme", "llm", "k3") == "https://forge.coreweave.com/wandb/acme/llm/runs/k3"
    )
    assert project_page(app, "a/b", "l m") == "https://forge.coreweave.com/wandb/a%2Fb/l%20m"
    assert key_page(app) == "https://forge.coreweave.com/wandb/authorize"

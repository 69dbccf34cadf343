"""Where people see what the API serves: the addresses of W&B's pages.

The rules are those of the official client (`wandb.util.api_to_app_url` and `wandb.sdk.lib.urls`,
0.31), written again because importing it costs most of a second; a test compares the two.
"""

from urllib.parse import quote, urlsplit

_FORGE_OF_API = {
    "api.wandb.ai": "forge.coreweave.com",
    "api.qa.wandb.ai": "qa.forge.coreweave.com",
}
"""The hosted service took the name Forge on 2026-09-30; its API answers under both."""


def app_url(api_url: str, override: str | None = None) -> str:
    """Return the root of the pages of the server at `api_url`, without a slash at the end.

    `override` is WANDB_APP_URL, for a server whose pages have an address of their own.
    """
    if override:
        return override.rstrip("/")
    host = urlsplit(api_url).hostname or ""
    for api_host, forge in _FORGE_OF_API.items():
        if host in (api_host, forge, f"api.{forge}"):
            return f"https://{forge}/wandb"
    prefix = (
        "://" if "://api.wandb." in api_url and "://api.wandb.test" not in api_url else "://app."
    )
    return api_url.replace("://api.", prefix, 1).rstrip("/")


def run_page(app: str, entity: str, project: str, run_id: str) -> str:
    """Return the page of a run; `app` is the root of the server's pages."""
    return f"{project_page(app, entity, project)}/runs/{quote(run_id, safe='')}"


def project_page(app: str, entity: str, project: str) -> str:
    """Return the page of a project; `app` is the root of the server's pages."""
    return f"{app}/{quote(entity, safe='')}/{quote(project, safe='')}"


def key_page(app: str) -> str:
    """Return the page that shows a person's API key; `app` is the root of the server's pages."""
    return f"{app}/authorize"

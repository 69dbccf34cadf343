"""The W&B server that is read, the key that it gets, and how both may be shown."""

import base64
import os
import re

import httpx

from runmetrics.collectors.wandb.server import pages
from runmetrics.collectors.wandb.server.errors import KeyRefused, NobodyLoggedIn, UnusableConnection
from runmetrics.config.addresses import is_loopback
from runmetrics.config.credentials import ApiKey
from runmetrics.config.settings import Settings

DEFAULT_BASE_URL = "https://api.wandb.ai"


class Endpoint:
    """One server and the one key that goes to it.

    Raises UnusableConnection unless the address is https, or http on loopback, where the key
    cannot be overheard; `allow_insecure_http` lets it go over plain http anywhere. `app_url` is
    the root of the server's pages where that does not follow from its address.
    """

    def __init__(
        self,
        base_url: str,
        key: ApiKey | None,
        *,
        allow_insecure_http: bool = False,
        app_url: str | None = None,
    ) -> None:
        try:
            url = httpx.URL(base_url.rstrip("/"))
        except httpx.InvalidURL:
            # the text is not shown: it may hold a password
            raise UnusableConnection(
                "the address of W&B is not a URL", "correct WANDB_BASE_URL"
            ) from None
        self.shown = f"{url.scheme}://{url.netloc.decode()}{url.path.rstrip('/')}"
        self.app_url = pages.app_url(self.shown, app_url)
        self.graphql_url = f"{self.shown}/graphql"
        self.key_source = key.source if key else None
        self.on_loopback = is_loopback(url.host)
        self._secret = key.value.get_secret_value() if key else ""
        self._basic = base64.b64encode(f"api:{self._secret}".encode()).decode()
        plain_is_fine = self.on_loopback or allow_insecure_http
        if not url.host or not (url.scheme == "https" or (url.scheme == "http" and plain_is_fine)):
            raise UnusableConnection(
                f"the address of W&B, {self.shown}, is not https",
                "set WANDB_BASE_URL to an https address, "
                "or RUNMETRICS_ALLOW_INSECURE_HTTP=true to send the key in the clear",
            )

    def __str__(self) -> str:
        return f"W&B at {self.shown}"

    @property
    def authorization(self) -> dict[str, str]:
        """Return the header that carries the key, as W&B's own client sends it; {} without one."""
        return {"Authorization": f"Basic {self._basic}"} if self._secret else {}

    def key_refused(self, how: str) -> KeyRefused:
        """Return the refusal of the key by this server; `how` it said so."""
        return KeyRefused(*self._refusal(how))

    def nobody_logged_in(self) -> NobodyLoggedIn:
        """Return the refusal that the hosted service words as status 200 without a viewer."""
        return NobodyLoggedIn(*self._refusal("it knows nobody by that key"))

    def read_as_public(self, entity: str, project: str) -> str:
        """Say that W&B does not know the key, and that the project needs none."""
        return (
            f"W&B does not accept the API key, but {entity}/{project} is public and "
            f"was read without it: renew the key at {pages.key_page(self.app_url)}"
        )

    def _refusal(self, how: str) -> tuple[str, str]:
        if self.key_source is None:
            return (
                f"{self} demands an API key ({how})",
                f"set WANDB_API_KEY to one from {pages.key_page(self.app_url)}",
            )
        return (
            f"{self} refused the API key ({how}) from {self.key_source}",
            f"make a new one at {pages.key_page(self.app_url)} and put it in the same place",
        )

    def clean(self, text: str, limit: int) -> str:
        """Return foreign text on one line, without our key, cut to `limit` characters."""
        if self._secret:
            text = text.replace(self._secret, "***").replace(self._basic, "***")
        printable = "".join(c if c.isprintable() else " " for c in text)
        return re.sub(" +", " ", printable).strip()[:limit]


def base_url_of(settings: Settings, key: ApiKey) -> str:
    """Return the server to read: the one that a key was stored for goes before the setting."""
    return key.base_url or settings.base_url or DEFAULT_BASE_URL


def proxy_variables(*names: str) -> str:
    """Return those of `names` that the environment sets, in either case; never their values."""
    spellings = [spelling for name in names for spelling in (name, name.lower())]
    return ", ".join(spelling for spelling in spellings if os.environ.get(spelling))

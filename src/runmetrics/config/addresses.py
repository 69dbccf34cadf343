"""Which addresses a key may be sent to."""

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from runmetrics.spelling import shown

ALLOW_INSECURE_HTTP = "RUNMETRICS_ALLOW_INSECURE_HTTP"

_EC2_METADATA_IPV6 = ipaddress.ip_address("fd00:ec2::254")

_FORGE_HOSTS = ("forge.coreweave.com", "qa.forge.coreweave.com")


def checked_url(url: str, *, allow_insecure_http: bool) -> str:
    """Return the base URL without a slash at its end.

    Raises ValueError with "what is wrong: what would be right" for anything but https to a host
    (http on loopback, or where it is allowed), for user names, queries and fragments, and for
    link-local and metadata addresses, however they are written. Never shows a user name.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is not a URL: write https://HOST") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user name or a password: write https://HOST without them")
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\\]", url):
        raise ValueError(f"{shown(url)} is not an https URL: write https://HOST")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("holds a query or a fragment: write https://HOST or https://HOST/PATH")
    address = numeric_address(host)
    if address is not None and is_forbidden(address):
        raise ValueError(f"{host} is a link-local or metadata address: name the real server")
    if parts.scheme == "http" and not is_loopback(host) and not allow_insecure_http:
        raise ValueError(
            f"would send the key to {host} unencrypted: "
            f"use https, or set {ALLOW_INSECURE_HTTP}=true"
        )
    return url.rstrip("/")


def wandb_server(url: str) -> str:
    """Return the address of a W&B server's API; takes what `checked_url` returns.

    The official client turns the way to the API on the host of the hosted service's pages into the
    API's own address and refuses that host else (wandb/sdk/lib/urls.py); so does this. Raises
    ValueError with the address to write for pages, and for the API's own path.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _FORGE_HOSTS:
        if parts.path == "/api/wandb":
            return f"https://api.{host}"
        raise ValueError(f"{shown(url)} is where W&B's pages are: write https://api.{host}")
    if re.fullmatch(r"(.*\.)?wandb\.ai", host) and not re.match(r"(.*\.)?api\.", host):
        raise ValueError(f"{shown(url)} is where W&B's pages are: write https://api.wandb.ai")
    return _without_path(url, r"(/api)?(/graphql)?$")


def datadog_server(url: str) -> str:
    """Return the address of a Datadog intake; takes what `checked_url` returns.

    Raises ValueError with the address to write where the API's own path stands behind it.
    """
    return _without_path(url, r"/api(/v[12](/series)?)?$")


def _without_path(url: str, path: str) -> str:
    bare = re.sub(path, "", url, count=1)
    if bare != url:
        raise ValueError(f"{shown(url)} holds the path of the API too: write {bare}")
    return url


def numeric_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that `host` spells (decimal, hexadecimal too), None for a name."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    address = ipaddress.ip_address(str(found[0][4][0]).split("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, so that nobody overhears what is sent there."""
    address = numeric_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def is_forbidden(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether no server of ours can be there: link-local (metadata), multicast, none."""
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == _EC2_METADATA_IPV6
    )

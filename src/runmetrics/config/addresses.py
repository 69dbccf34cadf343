"""Which addresses a key may be sent to, and which proxies may stand in between."""

import ipaddress
import re
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from runmetrics.spelling import shown

ALLOW_INSECURE_HTTP = "RUNMETRICS_ALLOW_INSECURE_HTTP"

_EC2_METADATA_IPV6 = ipaddress.ip_address("fd00:ec2::254")
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_NO_PROXY_ENTRY = re.compile(
    r"(\w+://)?(\*|[\w.*-]+(:\d+)?|\d+(\.\d+){3}/\d+)|[0-9a-f:.]+(/\d+)?", re.IGNORECASE
)


def checked_url(url: str, *, allow_insecure_http: bool) -> str:
    """The base URL without a slash at its end.

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
    loopback = host == "localhost" or (address is not None and address.is_loopback)
    if parts.scheme == "http" and not loopback and not allow_insecure_http:
        raise ValueError(
            f"would send the key to {host} unencrypted: "
            f"use https, or set {ALLOW_INSECURE_HTTP}=true"
        )
    return url.rstrip("/")


def numeric_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that `host` spells (decimal and hexadecimal forms too), None for a name."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    address = ipaddress.ip_address(str(found[0][4][0]).split("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def is_forbidden(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether no server of ours can be there: link-local (cloud metadata), multicast, none."""
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address == _EC2_METADATA_IPV6
    )


def proxy_faults(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the proxy variables; a proxy's user name and password stay hidden."""
    faults = []
    for variable in (*_PROXY_VARIABLES, *map(str.lower, _PROXY_VARIABLES)):
        value = environ.get(variable, "").strip()
        if value and not _is_proxy(value):
            faults.append(f"{variable}: is not an http proxy: write http://HOST:PORT or unset it")
    for variable in ("NO_PROXY", "no_proxy"):
        entries = [entry.strip() for entry in environ.get(variable, "").split(",")]
        faults += [
            f"{variable}: {shown(entry)} is neither a host, an address nor a network: "
            "write them comma-separated, IPv6 without brackets"
            for entry in entries
            if entry and not _NO_PROXY_ENTRY.fullmatch(entry)
        ]
    return faults


def _is_proxy(value: str) -> bool:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        _port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", value)
    )

"""The proxies that the environment names: whether they can be used, and which stands where.

HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY in either case, the lower one first, as curl and
Python have them. httpx's own reading takes NO_PROXY for names alone: 10.0.0.0/8 and *.lan are
passed over in silence there, and fd00::/8 raises.
"""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from runmetrics.spelling import shown

_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_NAME = re.compile(r"(?:(\w+)://)?(?:\*?\.)?([\w-]+(?:\.[\w-]+)*\.?|\*)(?::(\d+))?")


def proxy_faults(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the proxy variables, never with a proxy's user name or password."""
    faults = []
    for variable in (*_VARIABLES, *map(str.lower, _VARIABLES)):
        value = environ.get(variable, "").strip()
        if value and not _is_proxy(value):
            faults.append(f"{variable}: is not an http proxy: write http://HOST:PORT or unset it")
    for variable in ("NO_PROXY", "no_proxy"):
        faults += [
            f"{variable}: {shown(entry)} is neither a host, an address nor a network: "
            "write them comma-separated, IPv6 without brackets"
            for entry in _entries(environ.get(variable, ""))
            if _network(entry) is None and not _NAME.fullmatch(entry)
        ]
    return faults


def proxy_for(url: str) -> str | None:
    """Return the proxy to ask for `url`, or None where none is named or NO_PROXY covers it."""
    from urllib.request import getproxies

    proxies = getproxies()
    parts = urlsplit(url)
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or any(_covers(entry, url) for entry in _entries(proxies.get("no", ""))):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _covers(entry: str, url: str) -> bool:
    """Say whether an entry of NO_PROXY is about the host of `url`.

    A network covers the addresses in it (of names nobody asks what address they have), a name its
    subdomains too, with a dot or *. before it or not, as curl has it.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if (network := _network(entry)) is not None:
        address = _network(host)  # of one address
        return address is not None and address.network_address in network
    found = _NAME.fullmatch(entry)
    if found is None:
        return False
    scheme, name, port = found.groups()
    if (scheme or parts.scheme) != parts.scheme and scheme != "all":
        return False
    if port and int(port) != (parts.port or {"https": 443, "http": 80}.get(parts.scheme)):
        return False
    name = name.lower().rstrip(".")
    return name == "*" or host == name or host.endswith(f".{name}")


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def _is_proxy(value: str) -> bool:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        _port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", value)
    )

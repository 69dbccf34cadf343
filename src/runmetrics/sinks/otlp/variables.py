"""OpenTelemetry's own variables, read as its exporters read them (opentelemetry.io/docs/specs/otel,
"OpenTelemetry Protocol Exporter"): OTEL_EXPORTER_OTLP_METRICS_* goes before OTEL_EXPORTER_OTLP_*.

They are read here, because the exporters print a header that they cannot read, secret and all.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from runmetrics.config.addresses import checked_url
from runmetrics.errors import ConfigurationError
from runmetrics.logs import redact

COMPRESSIONS = ("none", "gzip", "deflate")

_DEFAULT_ENDPOINT = "http://localhost:4318"
_DEFAULT_SECONDS = 10.0
_SHORTEST_SECRET_WORD = 8  # longer than Basic and Bearer
_HEADER_NAME = r"[\w.!#$%&'*+^`|~-]+"
_PAIR = re.compile(rf"\s*(?P<name>{_HEADER_NAME})\s*=\s*(?P<value>[^;\"\\]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Variables:
    """Where to post and how: `endpoint` is the variable that `url` is from.

    `seconds` bounds one request. `certificate`, `client_certificate` and `client_key` are files.
    """

    url: str
    endpoint: str
    headers: Mapping[str, str] = field(repr=False)
    seconds: float
    compression: str
    certificate: str
    client_certificate: str
    client_key: str


def read_variables(
    environ: Mapping[str, str],
    process: Mapping[str, str] | None = None,
    *,
    allow_insecure_http: bool = False,
) -> Variables:
    """Return what the variables say; the values of headers are hidden from logs from here on.

    `process` is the environment without `.env`: its headers go to no address but its own, since
    a file that lies in a directory must not send keys anywhere. Raises ConfigurationError for what
    cannot be used, such as an address over which headers with a key must not go. No message shows
    a header.
    """
    name, text = _variable(environ, "HEADERS")
    headers = _headers(name, text)
    endpoint, address = _variable(environ, "ENDPOINT")
    if process and address and process.get(name) and not process.get(endpoint):
        raise ConfigurationError(
            f"{endpoint} in .env gets no headers from elsewhere",
            f"set {endpoint} in the environment, or {name} in .env too",
        )
    plain_is_fine = allow_insecure_http or not headers
    try:
        url = checked_url(address or _DEFAULT_ENDPOINT, allow_insecure_http=plain_is_fine)
    except ValueError as error:
        raise ConfigurationError(f"{endpoint} {error}") from None
    return Variables(
        address if "_METRICS_" in endpoint else f"{url}/v1/metrics",
        endpoint,
        headers,
        _seconds(*_variable(environ, "TIMEOUT")),
        _compression(*_variable(environ, "COMPRESSION")),
        certificate=_variable(environ, "CERTIFICATE")[1],
        client_certificate=_variable(environ, "CLIENT_CERTIFICATE")[1],
        client_key=_variable(environ, "CLIENT_KEY")[1],
    )


def read_resource(environ: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """Return who is speaking: what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say over
    `defaults`."""
    attributes = "OTEL_RESOURCE_ATTRIBUTES"
    found = {**defaults, **dict(_pairs(attributes, environ.get(attributes, "")))}
    if name := environ.get("OTEL_SERVICE_NAME"):
        found["service.name"] = name
    return found


def _variable(environ: Mapping[str, str], what: str) -> tuple[str, str]:
    """Return the variable for metrics if it is set, else the one for all signals, and its value."""
    for name in (f"OTEL_EXPORTER_OTLP_METRICS_{what}", f"OTEL_EXPORTER_OTLP_{what}"):
        if value := environ.get(name, "").strip():
            return name, value
    return name, ""


def _headers(variable: str, text: str) -> dict[str, str]:
    _hide(text)
    found = {name.lower(): value for name, value in _pairs(variable, text)}
    for number, (name, value) in enumerate(found.items(), 1):
        is_header = (
            re.fullmatch(_HEADER_NAME, name, re.ASCII) and value.isascii() and value.isprintable()
        )
        if not is_header:
            raise ConfigurationError(
                f"{variable}: pair {number} holds what no header may hold",
                "write printable ASCII characters",
            )
    return found


def _hide(text: str) -> None:
    """Hide what may be a secret, be it a pair or not: as it is written, and decoded."""
    redact.add(text)
    for pair in text.split(","):
        value = re.split("[=:]", pair, maxsplit=1)[-1].strip()
        words = re.split(r'[\s;"]+', unquote(value))
        secrets = [pair.strip(), value, unquote(value)]
        for secret in [*secrets, *(word for word in words if len(word) >= _SHORTEST_SECRET_WORD)]:
            redact.add(secret)


def _pairs(variable: str, text: str) -> Iterator[tuple[str, str]]:
    pairs = [pair for pair in text.split(",") if pair.strip()]
    for number, pair in enumerate(pairs, 1):
        found = _PAIR.fullmatch(pair)
        if found is None:
            raise ConfigurationError(
                f"{variable}: pair {number} is not name=value",
                'write name=value,name=value, and commas, semicolons, quotes and "\\" within a'
                " value as %2C, %3B, %22 and %5C",
            )
        yield unquote(found["name"]), unquote(found["value"]).strip()


def _seconds(variable: str, text: str) -> float:
    if not text:
        return _DEFAULT_SECONDS
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) or not float(text):
        raise ConfigurationError(f"{variable} {text[:80]!r} is no timeout", "write seconds")
    return float(text)


def _compression(variable: str, text: str) -> str:
    compression = text.lower() or "none"
    if compression not in COMPRESSIONS:
        fix = f"write {', '.join(COMPRESSIONS)}"
        raise ConfigurationError(f"{variable} {text[:80]!r} is no compression", fix)
    return compression

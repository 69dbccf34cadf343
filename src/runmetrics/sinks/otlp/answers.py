"""What the answers of an OTLP receiver mean (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP").

Imported where it is used, as post.py.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from google.protobuf.json_format import Parse, ParseError  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from runmetrics.errors import ConfigurationError, CredentialRefused, TemporaryError
from runmetrics.logs import excerpt
from runmetrics.sinks.datadog.answers import Faulted, Passing, quoted, reset_seconds
from runmetrics.sinks.http import Answer, NoAnswer

# The ones that the specification lets a client send again.
_PASSING = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a receiver took less: `rejected` points, and its `words` (a warning when 0)."""

    rejected: int = 0
    words: str = ""


def acknowledgement(answer: Answer, url: str) -> Acknowledgement:
    """Read a success. Raises Passing for what is no answer of an OTLP receiver."""
    kind = answer.headers.get("Content-Type", "")
    try:
        response = ExportMetricsServiceResponse()
        if "json" in kind:
            Parse(answer.data or b"{}", response, ignore_unknown_fields=True)
        else:
            response.ParseFromString(answer.data)
    except (DecodeError, ParseError, UnicodeDecodeError):
        raise Passing(
            f"the OTLP receiver at {url} answered {answer.status}"
            f" {excerpt(kind or 'without a type', 80)}, which is not its acknowledgement:"
            f" {quoted(answer.data)}",
            "check the proxy and OTEL_EXPORTER_OTLP_ENDPOINT",
        ) from None
    partial = response.partial_success
    return Acknowledgement(max(0, partial.rejected_data_points), partial.error_message)


def meaning(answer: Answer, url: str, clock: Callable[[], float] = time.time) -> Exception:
    """The error for an answer that is no success."""
    status, place = answer.status, f"({answer.status}) at {url}"
    check = "check OTEL_EXPORTER_OTLP_ENDPOINT"
    if status in _PASSING:
        after = retry_after_seconds(answer.headers.get("Retry-After"), clock())
        cause = "limits our rate" if status == 429 else "is unavailable"
        return Passing(f"the OTLP receiver {cause} {place}", "the next run tries again", after)
    if status == 400:
        return Faulted("rejected", f"the OTLP receiver (400): {quoted(_message(answer.data))}")
    if status == 413:
        return Faulted("too_large", "the OTLP receiver (413)")
    if status in (401, 403):
        return CredentialRefused(
            f"the OTLP receiver refused our credentials {place}", "check OTEL_EXPORTER_OTLP_HEADERS"
        )
    if status >= 500:
        return TemporaryError(f"the OTLP receiver cannot serve this request {place}", check)
    cause = "has no metrics intake" if status == 404 else "refuses our kind of request"
    return ConfigurationError(f"the OTLP receiver {cause} {place}", check)


def missing(failure: NoAnswer, url: str) -> Passing | TemporaryError:
    """The error for a request that got no answer."""
    cause = f"the OTLP receiver at {url} did not answer: {failure.why}"
    fix = "check the network, the proxy and OTEL_EXPORTER_OTLP_ENDPOINT"
    return Passing(cause, fix) if failure.passing else TemporaryError(cause, fix)


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """The wait that Retry-After asks for, in seconds or until a date; None where it makes no
    sense."""
    seconds = reset_seconds(header)
    if seconds is not None or not header:
        return seconds
    try:
        until = parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return None
    return reset_seconds(str(math.ceil(max(0.0, until - now))))


def _message(data: bytes) -> str | bytes:
    """The text of a google.rpc.Status, else the body as it is."""
    try:
        return Status.FromString(data).message or data
    except DecodeError:
        return data

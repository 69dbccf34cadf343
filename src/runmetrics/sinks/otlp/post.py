"""Points as the request that OpenTelemetry's protocol defines, and what became of one post of it.

Imported where it is used: protobuf costs some 60 ms.
"""

import gzip
import ssl
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.http import NoAnswer, Request, send
from runmetrics.sinks.batches import Taken
from runmetrics.sinks.otlp.answers import AnswerReader
from runmetrics.sinks.otlp.points import Point
from runmetrics.sinks.otlp.variables import Variables
from runmetrics.small_file import read_bytes

_SCOPE = InstrumentationScope(name="runmetrics", version=version("runmetrics"))


@dataclass
class Poster:
    """Posts points as `resource`, one request a call; counts what a Delivery does."""

    variables: Variables
    resource: Mapping[str, str]
    deadline: Deadline
    requests: int = 0
    bytes_sent: int = 0

    def post(self, points: Sequence[Point]) -> Taken:
        """Post once. Raises what an answer, or that there is none, means, and ConfigurationError
        for certificates that cannot be read."""
        variables, verify = self.variables, self._tls
        headers = {
            **variables.headers,
            "Content-Type": "application/x-protobuf",
            "User-Agent": f"runmetrics/{_SCOPE.version}",
        }
        content = encoded(points, self.resource)
        if variables.compression != "none":
            headers["Content-Encoding"] = variables.compression
            # without the time of day, so that what is sent again is the same bytes
            squeeze = {"gzip": lambda data: gzip.compress(data, mtime=0), "deflate": zlib.compress}
            content = squeeze[variables.compression](content)
        self.requests += 1
        request = Request(variables.url, headers, content)
        answers = AnswerReader(variables.url, variables.endpoint)
        try:
            answer = send(request, self.deadline, seconds=variables.seconds, verify=verify)
        except NoAnswer as failure:
            raise answers.missing(failure) from None
        self.bytes_sent += len(content)
        if not 200 <= answer.status < 300:
            raise answers.meaning(answer)
        return answers.taken(answer, len(points))

    @cached_property
    def _tls(self) -> ssl.SSLContext | None:
        """What OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY say, if any."""
        variables = self.variables
        if not variables.certificate and not variables.client_certificate:
            return None
        named = (variables.certificate, variables.client_certificate, variables.client_key)
        try:
            for file in filter(None, named):
                read_bytes(Path(file))  # OpenSSL has no bound
            context = ssl.create_default_context(cafile=variables.certificate or None)
            if variables.client_certificate:
                context.load_cert_chain(variables.client_certificate, variables.client_key or None)
        except OSError as error:
            why = "it is not PEM" if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigurationError(
                f"a certificate for OTLP cannot be read ({why})",
                "check OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY",
            ) from None
        return context


def encoded(points: Iterable[Point], resource: Mapping[str, str]) -> bytes:
    """Return one request: a gauge for each metric, whose points keep their own times."""
    gauges: dict[tuple[str, str, str], list[NumberDataPoint]] = {}
    for point in points:
        metric = (point.name, point.sample.description, point.unit)
        data = NumberDataPoint(
            attributes=_attributes(point.attributes),
            time_unix_nano=point.nanoseconds,
            as_double=point.value,
        )
        gauges.setdefault(metric, []).append(data)
    metrics = [
        Metric(name=name, description=description, unit=unit, gauge=Gauge(data_points=data))
        for (name, description, unit), data in gauges.items()
    ]
    scope = ScopeMetrics(scope=_SCOPE, metrics=metrics)
    speaker = Resource(attributes=_attributes(resource))
    whole = ResourceMetrics(resource=speaker, scope_metrics=[scope])
    content: bytes = ExportMetricsServiceRequest(resource_metrics=[whole]).SerializeToString()
    return content


def _attributes(pairs: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in pairs.items()]

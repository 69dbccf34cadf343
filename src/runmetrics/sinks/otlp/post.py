"""OpenTelemetry's own exporter, without what it hides: the answer.

The exporter reads its environment variables, encodes, compresses and addresses. It neither reads
partial successes nor knows our deadline, so the one adapter of its HTTP session is ours: it sends
once, keeps the answer for us, and tells the exporter that all is well. Imported where it is used:
OpenTelemetry costs some 200 ms.
"""

import contextlib
import ssl
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from requests.adapters import BaseAdapter

from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.http import Answer, NoAnswer, Request, send, tls
from runmetrics.sinks.otlp.points import Point

_SCOPE = InstrumentationScope("runmetrics", version("runmetrics"))


def resource(defaults: Mapping[str, str]) -> Resource:
    """Who is speaking: what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say, else `defaults`.

    Not `Resource.create`: its random service.instance.id would make every run new series.
    """
    return Resource(dict(defaults)).merge(OTELResourceDetector().detect())


class Poster:
    """Posts points, one request a call; counts requests and bytes."""

    def __init__(self, speaker: Resource, deadline: Deadline) -> None:
        self._resource = speaker
        self._session = requests.Session()
        self._wire = _Wire(self._session, deadline)
        self._session.mount("http://", self._wire)
        self._session.mount("https://", self._wire)
        self._session.auth = lambda request: request  # else a password of ~/.netrc would go along

    @cached_property
    def _exporter(self) -> OTLPMetricExporter:
        return OTLPMetricExporter(session=self._session)

    @property
    def requests(self) -> int:
        """Requests made."""
        return self._wire.requests

    @property
    def bytes_sent(self) -> int:
        """Bytes of the bodies sent."""
        return self._wire.bytes_sent

    def post(self, points: Sequence[Point]) -> Answer:
        """The answer, whatever it says. Raises NoAnswer, and ConfigurationError for variables
        with which nothing can be sent."""
        self._wire.outcome = None
        data = metrics_data(self._resource, points)
        # of unusable variables; newer exporters log them instead
        with contextlib.suppress(ValueError, requests.RequestException):
            self._exporter.export(data)
        outcome = self._wire.outcome
        if outcome is None:
            raise ConfigurationError(
                "OpenTelemetry's exporter did not send anything",
                "check the OTEL_EXPORTER_OTLP_ variables",
            )
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def metrics_data(speaker: Resource, points: Sequence[Point]) -> MetricsData:
    """The SDK's model of one request: gauges whose points keep their own times."""
    gauges: dict[tuple[str, str, str], list[NumberDataPoint]] = {}
    for point in points:
        metric = (point.name, point.sample.description, point.unit)
        gauges.setdefault(metric, []).append(
            NumberDataPoint(
                attributes=point.attributes,
                start_time_unix_nano=0,
                time_unix_nano=point.nanoseconds,
                value=point.value,
            )
        )
    metrics = [
        Metric(name=name, description=description, unit=unit, data=Gauge(data_points=data))
        for (name, description, unit), data in gauges.items()
    ]
    scope = ScopeMetrics(scope=_SCOPE, metrics=metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource=speaker, scope_metrics=[scope], schema_url="")])


class _Wire(BaseAdapter):
    """Sends each request once and keeps what came of it in `outcome`."""

    def __init__(self, session: requests.Session, deadline: Deadline) -> None:
        super().__init__()
        self._session = session
        self._deadline = deadline
        self.outcome: Answer | NoAnswer | ConfigurationError | None = None
        self.requests = 0
        self.bytes_sent = 0

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - the base class's, as the others
        timeout: object = None,
        verify: bool | str = True,
        cert: object = None,
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> requests.Response:
        try:
            self.outcome = self._exchange(request, timeout, verify, cert)
        except (NoAnswer, ConfigurationError) as failure:
            self.outcome = failure
        taken = requests.Response()
        taken.status_code, taken.url, taken.request = 200, request.url or "", request
        return taken

    def _exchange(
        self, request: requests.PreparedRequest, timeout: object, verify: bool | str, cert: object
    ) -> Answer:
        content = request.body if isinstance(request.body, bytes) else b""
        headers = {
            name: value if isinstance(value, str) else value.decode("latin-1")
            for name, value in request.headers.items()
        }
        if isinstance(self._session.verify, str):
            verify = self._session.verify  # requests lets REQUESTS_CA_BUNDLE win over it
        asked = Request(request.url or "", headers, content)
        settings = _tls_settings(verify, cert)
        self.requests += 1
        self.bytes_sent += len(content)
        return send(asked, self._deadline, seconds=float(str(timeout)), verify=settings)

    def close(self) -> None:
        """Nothing is kept open."""


def _tls_settings(verify: bool | str, cert: object) -> ssl.SSLContext:
    """What OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY say, else the
    machine's settings. Raises ConfigurationError for files that cannot be read."""
    try:
        if verify is True and cert is None:
            return tls()
        context = ssl.create_default_context(cafile=None if verify is True else str(verify))
        if isinstance(cert, tuple):
            context.load_cert_chain(*cert)
        elif cert is not None:
            context.load_cert_chain(str(cert))
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or "not in PEM format"
        raise ConfigurationError(
            f"a certificate for OTLP cannot be read ({why})",
            "check OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY, SSL_CERT_FILE",
        ) from None
    return context

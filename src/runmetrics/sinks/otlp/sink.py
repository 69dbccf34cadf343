"""Samples to an OpenTelemetry receiver: gauges over OTLP/HTTP, each point accounted for."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote

from runmetrics.config.addresses import checked_url
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.extras import need
from runmetrics.http import NoAnswer
from runmetrics.logs import redact
from runmetrics.model import Delivery, Sample
from runmetrics.sinks.batches import (
    DEFAULT_POLICY,
    BatchDelivery,
    Ledger,
    Refused,
    RetryPolicy,
    Taken,
    Unavailable,
)
from runmetrics.sinks.otlp import points as otlp_points
from runmetrics.sinks.otlp.points import Point

if TYPE_CHECKING:
    from runmetrics.config.settings import Settings
    from runmetrics.sinks.otlp.post import Poster

_PREFIX = "OTEL_EXPORTER_OTLP_"
_DEFAULT_ENDPOINT = "http://localhost:4318"
_MOST_POINTS = 1000  # a request; some 200 bytes each, far below the usual limits of megabytes


def metrics_url(*, allow_insecure_http: bool = False) -> str:
    """Where the exporter will post, by OpenTelemetry's own variables.

    Raises ConfigurationError for an address that is none, or over which headers with a key must
    not go. The headers' values are hidden from logs from here on.
    """
    headers = _variable("HEADERS")[1]
    for pair in headers.split(","):
        redact.add(unquote(pair.partition("=")[2]).strip())
    name, endpoint = _variable("ENDPOINT")
    try:
        url = checked_url(
            endpoint or _DEFAULT_ENDPOINT, allow_insecure_http=allow_insecure_http or not headers
        )
    except ValueError as error:
        raise ConfigurationError(f"{name} {error}") from None
    return endpoint if "_METRICS_" in name else f"{url}/v1/metrics"


def _variable(what: str) -> tuple[str, str]:
    """The variable for metrics if it is set, else the one for all signals, and its value."""
    for name in (f"{_PREFIX}METRICS_{what}", f"{_PREFIX}{what}"):
        if value := os.environ.get(name, ""):
            return name, value
    return name, ""


class OtlpSink:
    """Delivers with OpenTelemetry's exporter, configured by its own environment variables.

    `url` is for messages. `resource` are the resource's attributes where OTEL_SERVICE_NAME and
    OTEL_RESOURCE_ATTRIBUTES do not set them.
    """

    name = "otlp"

    def __init__(
        self,
        url: str,
        *,
        resource: Mapping[str, str] | None = None,
        policy: RetryPolicy = DEFAULT_POLICY,
    ) -> None:
        self._url = url
        self._resource = resource or {"service.name": "runmetrics"}
        self._policy = policy

    @classmethod
    def open(cls, settings: "Settings", deadline: Deadline) -> Self:  # noqa: ARG003 - as all sinks
        """As the environment says. Raises ConfigurationError without the extra or an address."""
        need("opentelemetry.exporter.otlp.proto.http", "otlp", "the sink otlp")
        resource = {"service.name": settings.dd_service or "runmetrics"}
        if settings.dd_version:
            resource["service.version"] = settings.dd_version
        if settings.dd_env:
            # semantic conventions 1.27 renamed it; Datadog and others read both
            resource["deployment.environment"] = settings.dd_env
            resource["deployment.environment.name"] = settings.dd_env
        return cls(metrics_url(allow_insecure_http=settings.allow_insecure_http), resource=resource)

    @staticmethod
    def preload() -> None:
        """Import what a delivery needs (some 200 ms); for a thread, while reading goes on."""
        from runmetrics.sinks.otlp import answers, post  # noqa: F401 - that they are loaded

    def check(self, deadline: Deadline) -> None:
        """Post once without any points, which leaves no trace. Raises what the answer means."""
        from runmetrics.sinks.otlp.post import Poster, resource

        try:
            self._post((), Poster(resource(self._resource), deadline))
        except Unavailable as failure:
            raise failure.error from None
        except Refused as refusal:
            raise ConfigurationError(
                f"{refusal.words} finds fault with an empty request",
                "check that OTEL_EXPORTER_OTLP_ENDPOINT is an OTLP/HTTP receiver",
            ) from None

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        """Send `samples`; what the receiver does or does not do with each is in the Delivery."""
        from runmetrics.sinks.otlp.post import Poster, resource

        prepared = otlp_points.prepare(samples)
        ledger = Ledger[Point](dropped=list(prepared.drops), notices=list(prepared.notices))
        poster = Poster(resource(self._resource), deadline)
        points = prepared.points
        starts = range(0, len(points), _MOST_POINTS)

        def post(batch: Sequence[Point]) -> Taken:
            return self._post(batch, poster)

        delivery = BatchDelivery("the OTLP receiver", post, ledger, self._policy, deadline)
        delivery.run(points[start : start + _MOST_POINTS] for start in starts)
        return ledger.closed(self.name, poster.requests, poster.bytes_sent)

    def _post(self, batch: Sequence[Point], poster: "Poster") -> Taken:
        from runmetrics.sinks.otlp.answers import AnswerReader

        answers = AnswerReader(self._url)
        try:
            answer = poster.post(batch)
        except NoAnswer as failure:
            raise answers.missing(failure) from None
        if not 200 <= answer.status < 300:
            raise answers.meaning(answer)
        return answers.taken(answer, len(batch))

"""Samples to an OpenTelemetry receiver: gauges over OTLP/HTTP, each point accounted for."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.model import Delivery, Sample
from runmetrics.plugins import Setup, Sink, need
from runmetrics.sinks.batches import (
    DEFAULT_POLICY,
    BatchDelivery,
    Refused,
    RetryPolicy,
    Unavailable,
)
from runmetrics.sinks.otlp.points import prepare
from runmetrics.sinks.otlp.variables import Variables, read_resource, read_variables

if TYPE_CHECKING:
    from runmetrics.sinks.otlp.post import Poster

_MOST_POINTS = 1000  # a request; some 200 bytes each, far below the usual limits of megabytes


class OtlpSink(Sink):
    """Delivers as OpenTelemetry's `variables` say; `resource` are the resource's attributes."""

    name = "otlp"

    def __init__(
        self,
        variables: Variables,
        *,
        resource: Mapping[str, str],
        policy: RetryPolicy = DEFAULT_POLICY,
    ) -> None:
        self._variables = variables
        self._resource = resource
        self._policy = policy

    @classmethod
    def open(cls, setup: Setup) -> Self:
        """Make it as the environment says. Raises ConfigurationError where that cannot be."""
        need("opentelemetry.proto", "otlp", "the sink otlp")
        settings = setup.settings
        resource = {"service.name": settings.dd_service or "runmetrics"}
        if settings.dd_version:
            resource["service.version"] = settings.dd_version
        if settings.dd_env:
            # semantic conventions 1.27 renamed it; Datadog and others read both
            resource["deployment.environment"] = settings.dd_env
            resource["deployment.environment.name"] = settings.dd_env
        allowed = settings.allow_insecure_http
        variables = read_variables(setup.environ, os.environ, allow_insecure_http=allowed)
        return cls(variables, resource=read_resource(setup.environ, resource))

    def preload(self) -> None:
        """Import what a delivery needs."""
        from runmetrics.sinks.otlp import post  # noqa: F401 - that it is loaded

    def check(self, deadline: Deadline) -> None:
        """Post once without any points, which leaves no trace. Raises what the answer means."""
        try:
            self._poster(deadline).post(())
        except Unavailable as failure:
            raise failure.error from None
        except Refused as refusal:
            raise ConfigurationError(
                f"{refusal.words} finds fault with an empty request",
                f"check that {self._variables.endpoint} is an OTLP/HTTP receiver",
            ) from None

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        """Send `samples`; what the receiver does or does not do with each is in the Delivery."""
        points, ledger = prepare(samples)
        poster = self._poster(deadline)
        starts = range(0, len(points), _MOST_POINTS)
        delivery = BatchDelivery("the OTLP receiver", poster.post, ledger, self._policy, deadline)
        delivery.run(points[start : start + _MOST_POINTS] for start in starts)
        return ledger.closed(self.name, poster.requests, poster.bytes_sent)

    def _poster(self, deadline: Deadline) -> "Poster":
        from runmetrics.sinks.otlp.post import Poster

        return Poster(self._variables, self._resource, deadline)

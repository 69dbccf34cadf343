"""Samples to an OpenTelemetry receiver: gauges over OTLP/HTTP, each point accounted for."""

import logging
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote

from runmetrics.config.addresses import checked_url
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, ExitCode, RunmetricsError, TemporaryError
from runmetrics.extras import need
from runmetrics.logs import excerpt, redact
from runmetrics.model import Delivery, Drop, Sample
from runmetrics.sinks.datadog.answers import Faulted, Passing
from runmetrics.sinks.datadog.sink import RetryPolicy
from runmetrics.sinks.otlp import points as otlp_points
from runmetrics.sinks.otlp.points import Point

if TYPE_CHECKING:
    from runmetrics.config.settings import Settings
    from runmetrics.sinks.otlp.answers import Acknowledgement
    from runmetrics.sinks.otlp.post import Poster

log = logging.getLogger(__name__)

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


@dataclass(slots=True)
class _Ledger:
    """Where each sample of one delivery ended."""

    accepted: list[Sample] = field(default_factory=list)
    dropped: list[Drop] = field(default_factory=list)
    undelivered: list[Sample] = field(default_factory=list)
    errors: list[RunmetricsError] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def acknowledge(self, batch: Sequence[Point], answer: "Acknowledgement") -> None:
        """A receiver that takes only a part does not say which; the last ones are counted."""
        taken = max(0, len(batch) - answer.rejected)
        self.accepted += (point.sample for point in batch[:taken])
        self.dropped += (Drop(point.sample, "rejected") for point in batch[taken:])
        if answer.rejected or answer.words:
            words = excerpt(answer.words, 200) or "it does not say why"
            count = f"rejected {answer.rejected} of {len(batch)} samples, not saying which"
            verb = count if answer.rejected else "warns"
            self.notices.append(f"the OTLP receiver {verb}: {words}")

    def drop(self, batch: Sequence[Point], fault: Faulted) -> None:
        self.dropped += (Drop(point.sample, fault.reason) for point in batch)
        noun = "sample was" if len(batch) == 1 else "samples were"
        self.notices.append(f"{len(batch)} {noun} not sent ({fault.reason}): {fault.words}")

    def keep(self, batch: Sequence[Point], error: RunmetricsError) -> None:
        self.undelivered += (point.sample for point in batch)
        if str(error) not in map(str, self.errors):
            self.errors.append(error)

    def closed(self, sink: str, requests: int, bytes_sent: int) -> Delivery:
        """The delivery: 76 when anything was taken and anything was not, else the worst cause."""
        lost = any(drop.reason != "duplicate" for drop in self.dropped)
        worst = max(self.errors, key=lambda error: error.exit_code, default=None)
        code = ExitCode.OK
        if worst or lost:
            code = worst.exit_code if worst else ExitCode.TEMPORARY
            code = ExitCode.PARTIAL if self.accepted else code
        return Delivery(
            sink=sink,
            accepted=tuple(self.accepted),
            dropped=tuple(self.dropped),
            undelivered=tuple(self.undelivered),
            error=str(worst) if worst else "",
            code=code,
            requests=requests,
            bytes_sent=bytes_sent,
            notices=(*self.notices, *(str(error) for error in self.errors if error is not worst)),
        )


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
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
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
        except Passing as failure:
            raise TemporaryError(failure.cause, failure.fix) from None
        except Faulted as fault:
            raise ConfigurationError(
                f"{fault.words} finds fault with an empty request",
                "check that OTEL_EXPORTER_OTLP_ENDPOINT is an OTLP/HTTP receiver",
            ) from None

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        """Send `samples`; what the receiver does or does not do with each is in the Delivery."""
        from runmetrics.sinks.otlp.post import Poster, resource

        prepared = otlp_points.prepare(samples)
        ledger = _Ledger(dropped=list(prepared.drops), notices=list(prepared.notices))
        poster = Poster(resource(self._resource), deadline)
        points = prepared.points
        starts = range(0, len(points), _MOST_POINTS)
        waiting = deque(points[start : start + _MOST_POINTS] for start in starts)
        tries = self._policy.tries
        while waiting:
            batch = waiting.popleft()
            try:
                ledger.acknowledge(batch, self._send(batch, poster, deadline, tries))
            except Faulted as fault:
                if fault.reason == "too_large" and len(batch) > 1:
                    middle = len(batch) // 2
                    waiting.extendleft((batch[middle:], batch[:middle]))
                else:
                    ledger.drop(batch, fault)
            except Passing as failure:
                ledger.keep(batch, TemporaryError(failure.cause, failure.fix))
                tries = 1  # one answer shows whether it is the batch or the whole receiver
            except RunmetricsError as error:
                for unsent in (batch, *waiting):
                    ledger.keep(unsent, error)
                break
        return ledger.closed(self.name, poster.requests, poster.bytes_sent)

    def _send(
        self, batch: Sequence[Point], poster: "Poster", deadline: Deadline, tries: int
    ) -> "Acknowledgement":
        """Post one batch until it is taken. Raises Faulted, Passing once the tries are used up,
        and RunmetricsError when no other batch would fare better."""
        for attempt in range(1, tries + 1):
            if not deadline.remaining():
                break
            try:
                return self._post(batch, poster)
            except Passing as failure:
                wait = self._policy.wait_seconds(attempt, failure.reset_seconds)
                if failure.reset_seconds is not None and wait > deadline.remaining():
                    raise TemporaryError(failure.cause, failure.fix) from None
                if attempt < tries:
                    log.warning("%s; next try in %.1f s", failure.cause, wait)
                if attempt == tries or not deadline.wait(wait):
                    raise
        raise TemporaryError("no time was left to deliver over OTLP", "raise --timeout")

    def _post(self, batch: Sequence[Point], poster: "Poster") -> "Acknowledgement":
        from runmetrics.sinks.http import NoAnswer
        from runmetrics.sinks.otlp import answers

        try:
            answer = poster.post(batch)
        except NoAnswer as failure:
            raise answers.missing(failure, self._url) from None
        if not 200 <= answer.status < 300:
            raise answers.meaning(answer, self._url)
        return answers.acknowledgement(answer, self._url)

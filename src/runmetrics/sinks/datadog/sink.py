"""Samples to Datadog: gauges through the official client's v2 series, each accounted for."""

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from runmetrics.config.addresses import checked_url
from runmetrics.config.rules import site as known_site
from runmetrics.deadline import Deadline
from runmetrics.errors import (
    ConfigurationError,
    CredentialRefused,
    ExitCode,
    RunmetricsError,
    TemporaryError,
)
from runmetrics.logs import redact
from runmetrics.model import Delivery, Drop, Sample
from runmetrics.sinks.datadog import series as datadog_series
from runmetrics.sinks.datadog.answers import Faulted, Passing, Reader
from runmetrics.sinks.datadog.series import Series
from runmetrics.sinks.datadog.transport import NotTaken, Transport
from runmetrics.sinks.http import NoAnswer, tls

if TYPE_CHECKING:
    from runmetrics.config.credentials import ApiKey
    from runmetrics.config.settings import Settings

log = logging.getLogger(__name__)

_MOST_CUTS = 50  # in search of bad series: a fault in every one would cost 2n posts


def intake_url(site: str, url: str | None = None, *, allow_insecure_http: bool = False) -> str:
    """Base URL of Datadog's API: of `site`, or `url` as it is.

    Raises ConfigurationError for a site that Datadog does not have and for a URL over which a
    key must not go.
    """
    setting = "DD_SITE" if url is None else "DD_URL"
    try:
        if url is None:
            return f"https://api.{known_site(site)}"
        return checked_url(url, allow_insecure_http=allow_insecure_http)
    except ValueError as error:
        raise ConfigurationError(f"{setting} {error}") from None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long: `tries` a batch, waits with full jitter, one total per request."""

    tries: int = 6
    first_seconds: float = 1.0
    most_seconds: float = 30.0
    request_seconds: float = 10.0

    def wait_seconds(self, attempt: int, reset_seconds: float | None) -> float:
        """The wait after the `attempt`-th try failed, never less than the server asked for."""
        longest = min(self.most_seconds, self.first_seconds * 2 ** (attempt - 1))
        backoff = random.uniform(0, longest)  # noqa: S311 - spreads load, guards nothing
        if reset_seconds is None:
            return backoff
        return max(backoff, reset_seconds + random.uniform(0, self.first_seconds))  # noqa: S311


def _too_much(fault: Faulted) -> TemporaryError:
    return TemporaryError(
        f"Datadog finds fault with too many series, the last time: {fault.words}",
        "look at their names and tags",
    )


@dataclass(slots=True)
class _Ledger:
    """Where each sample of one delivery ended."""

    accepted: list[Sample] = field(default_factory=list)
    dropped: list[Drop] = field(default_factory=list)
    undelivered: list[Sample] = field(default_factory=list)
    errors: list[RunmetricsError] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def accept(self, batch: Sequence[Series]) -> None:
        self.accepted += (one.sample for one in batch)

    def drop(self, one: Series, fault: Faulted) -> None:
        self.dropped.append(Drop(one.sample, fault.reason))
        self.notices.append(f"1 sample was not sent ({fault.reason}): {one.name}, {fault.words}")

    def keep(self, batch: Sequence[Series], error: RunmetricsError) -> None:
        self.undelivered += (one.sample for one in batch)
        if str(error) not in map(str, self.errors):
            self.errors.append(error)

    def closed(self, sink: str, transport: Transport) -> Delivery:
        """The delivery: 76 when anything was taken and anything was not, else the worst cause."""
        lost = [drop for drop in self.dropped if drop.reason != "duplicate"]
        worst = max(self.errors, key=lambda error: error.exit_code, default=None)
        code = ExitCode.OK
        if self.errors or lost:
            code = worst.exit_code if worst else ExitCode.TEMPORARY
            code = ExitCode.PARTIAL if self.accepted else code
        others = [str(error) for error in self.errors if error is not worst]
        return Delivery(
            sink=sink,
            accepted=tuple(self.accepted),
            dropped=tuple(self.dropped),
            undelivered=tuple(self.undelivered),
            error=str(worst) if worst else "",
            code=code,
            requests=transport.requests,
            bytes_sent=transport.bytes_sent,
            notices=(*self.notices, *others),
        )


class DatadogSink:
    """Delivers to Datadog's v2 series intake.

    `key` is the API key, or reads it: it is read again once when Datadog refuses the first one,
    which is how a rotated secret is survived. `tags` are "key:value", added to every sample that
    does not set the key itself. `clock` gives epoch seconds (UTC).
    """

    name = "datadog"
    max_age_seconds = 55 * 60.0
    """Older points wait in a spool in vain: Datadog takes them up to an hour old."""

    def __init__(
        self,
        key: "ApiKey | Callable[[], ApiKey]",
        *,
        site: str = "datadoghq.com",
        url: str | None = None,
        allow_insecure_http: bool = False,
        tags: Sequence[str] = (),
        policy: RetryPolicy = RetryPolicy(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._find_key = key
        self._key: ApiKey | None = None if callable(key) else key
        self._url = intake_url(site, url, allow_insecure_http=allow_insecure_http)
        self._reader = Reader(self._url, "DD_URL" if url else "DD_SITE")
        self._tags = tuple(tags)
        self._policy = policy
        self._clock = clock

    @classmethod
    def open(cls, settings: "Settings", deadline: Deadline) -> Self:
        """As the environment says; unified service tags go before DD_TAGS.

        The key is looked for when the first delivery needs it.
        """
        from runmetrics.config.credentials import find_datadog_key

        unified = {
            "env": settings.dd_env,
            "service": settings.dd_service,
            "version": settings.dd_version,
        }
        tags = [f"{name}:{value}" for name, value in unified.items() if value]
        tags += [text for text in settings.dd_tags if not unified.get(text.split(":")[0])]
        return cls(
            lambda: find_datadog_key(settings, deadline),
            site=settings.dd_site,
            url=settings.dd_url,
            allow_insecure_http=settings.allow_insecure_http,
            tags=tags,
        )

    @staticmethod
    def preload() -> None:
        """Import what a delivery needs (some 150 ms); for a thread, while reading goes on."""
        import httpx
        from datadog_api_client.v2.api import metrics_api  # noqa: F401 - that it is loaded

        datadog_series.payload(())
        httpx.Client(verify=tls()).close()

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        """Send `samples`; what Datadog does or does not do with each is in the Delivery."""
        prepared = datadog_series.prepare(samples, self._tags, self._clock())
        ledger = _Ledger(dropped=list(prepared.drops), notices=list(prepared.notices))
        transport = Transport(deadline, self._policy.request_seconds)
        waiting = deque(datadog_series.batches(prepared.series))
        tries, cuts_left = self._policy.tries, _MOST_CUTS
        while waiting:
            batch = waiting.popleft()
            try:
                self._send(batch, transport, deadline, tries)
            except Faulted as fault:
                if len(batch) == 1:
                    ledger.drop(batch[0], fault)
                elif fault.reason == "too_large" or cuts_left:
                    cuts_left -= fault.reason != "too_large"
                    waiting.extendleft(reversed(datadog_series.halves(batch)))
                else:
                    ledger.keep(batch, _too_much(fault))
            except Passing as failure:
                ledger.keep(batch, TemporaryError(failure.cause, failure.fix))
                tries = 1  # one answer shows whether it is the batch or all of Datadog
            except RunmetricsError as error:
                for unsent in (batch, *waiting):
                    ledger.keep(unsent, error)
                break
            else:
                ledger.accept(batch)
        return ledger.closed(self.name, transport)

    def _send(
        self, batch: Sequence[Series], transport: Transport, deadline: Deadline, tries: int
    ) -> None:
        """Post one batch until it is taken; the same bytes each time, which overwrite themselves.

        Raises Faulted, Passing once the tries are used up, and RunmetricsError when no other
        batch would fare better.
        """
        if len(batch) == 1 and not datadog_series.fits(batch):
            raise Faulted("too_large", "larger than one post may be")
        for attempt in range(1, tries + 1):
            if not deadline.remaining():
                raise TemporaryError("no time was left to deliver to Datadog", "raise --timeout")
            try:
                self._post_with_a_fresh_key(batch, transport)
            except Passing as failure:
                wait = self._policy.wait_seconds(attempt, failure.reset_seconds)
                if failure.reset_seconds is not None and wait > deadline.remaining():
                    raise TemporaryError(failure.cause, failure.fix) from None
                if attempt < tries:
                    log.warning("%s; next try in %.1f s", failure.cause, wait)
                if attempt == tries or not deadline.wait(wait):
                    raise
            else:
                return

    def _post_with_a_fresh_key(self, batch: Sequence[Series], transport: Transport) -> None:
        key = self._key or self._read_key()
        try:
            self._post(batch, transport, key)
        except CredentialRefused:
            if not callable(self._find_key):
                raise
            fresh = self._read_key()
            if fresh.value == key.value:
                raise
            self._post(batch, transport, fresh)

    def _read_key(self) -> "ApiKey":
        self._key = self._find_key() if callable(self._find_key) else self._find_key
        return self._key

    def _post(self, batch: Sequence[Series], transport: Transport, key: "ApiKey") -> None:
        from datadog_api_client import ApiClient, Configuration
        from datadog_api_client.v2.api.metrics_api import MetricsApi
        from datadog_api_client.v2.model.metric_content_encoding import MetricContentEncoding

        secret = key.value.get_secret_value()
        redact.add(secret)
        configuration = Configuration(
            host=self._url, api_key={"apiKeyAuth": secret}, compress=False, enable_retry=False
        )
        client = ApiClient(configuration)
        client.rest_client = transport
        try:
            MetricsApi(client).submit_metrics(
                datadog_series.payload(batch), content_encoding=MetricContentEncoding.GZIP
            )
        except NotTaken as refusal:
            raise self._reader.meaning(refusal.answer, key.source) from None
        except NoAnswer as failure:
            raise self._reader.missing(failure) from None

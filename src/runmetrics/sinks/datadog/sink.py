"""Samples to Datadog: gauges through the official client's v2 series, each accounted for."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from runmetrics.config.addresses import checked_url
from runmetrics.config.credentials import ApiKey, find_datadog_key
from runmetrics.config.rules import site as known_site
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, CredentialRefused
from runmetrics.http import Answer, NoAnswer, Request, send, tls
from runmetrics.logs import redact
from runmetrics.model import Delivery, Sample
from runmetrics.plugins import Setup, Sink
from runmetrics.sinks.batches import (
    DEFAULT_POLICY,
    TOO_LARGE,
    BatchDelivery,
    Ledger,
    Refused,
    RetryPolicy,
    Taken,
    Unavailable,
)
from runmetrics.sinks.datadog.answers import AnswerReader, is_acknowledged
from runmetrics.sinks.datadog.common_tags import common_tags
from runmetrics.sinks.datadog.series import Series, batches, encode, fits, payload, prepare

# All that the official client is given to read: whatever else an answer holds cannot trouble it.
_ACKNOWLEDGEMENT = Answer(202, {"Content-Type": "application/json"}, b'{"errors":[]}')


def intake_url(site: str, url: str | None = None, *, allow_insecure_http: bool = False) -> str:
    """Return the base URL of Datadog's API: of `site`, or `url` as it is.

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


class _NotTaken(Exception):  # noqa: N818 - it is what happened; the sink says what it means
    """Anything but 202 with a JSON object without errors, which alone is a success."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(slots=True)
class _Transport:
    """Stands in for `datadog_api_client.rest.RESTClientObject`; counts what a Delivery does.

    The client's own follows redirects with the key, retries by itself and cannot be cut while an
    answer drips. This one makes one request to one origin and takes one answer of a few KB, under
    one total deadline.
    """

    deadline: Deadline
    request_seconds: float
    requests: int = 0
    bytes_sent: int = 0

    def request(
        self,
        _method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Mapping[str, Any],
        **_client_options: Any,
    ) -> Answer:
        """Send once; raises _NotTaken or NoAnswer."""
        content, _ = encode(body)
        self.requests += 1
        request = Request(url, headers, content)
        answer = send(request, self.deadline, seconds=self.request_seconds)
        self.bytes_sent += len(content)
        if not is_acknowledged(answer):
            raise _NotTaken(answer)
        return _ACKNOWLEDGEMENT


def _posts(series: Sequence[Series], ledger: Ledger[Series]) -> Iterator[Sequence[Series]]:
    for batch in batches(series):
        if len(batch) == 1 and not fits(batch):
            ledger.drop(batch[0], TOO_LARGE, "larger than one post may be")
        else:
            yield batch


class DatadogSink(Sink):
    """Delivers to Datadog's v2 series intake at `url`.

    `find_key` finds the API key within a deadline: it is asked anew by each delivery that has
    something to send, and again once when Datadog refuses the key, so that a rotated one is found.
    `tags` are "key:value", added to every sample that does not set the key itself. `clock` gives
    epoch seconds (UTC).
    """

    name = "datadog"
    max_age_seconds = 55 * 60.0
    """Older points wait in a spool in vain: Datadog takes them up to an hour old."""

    def __init__(
        self,
        find_key: Callable[[Deadline], ApiKey],
        *,
        site: str = "datadoghq.com",
        url: str | None = None,
        allow_insecure_http: bool = False,
        tags: Sequence[str] = (),
        policy: RetryPolicy = DEFAULT_POLICY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._find_key = find_key
        self._key: ApiKey | None = None
        self.url = intake_url(site, url, allow_insecure_http=allow_insecure_http)
        self._answers = AnswerReader.of(self.url, url)
        self._tags = tuple(tags)
        self._policy = policy
        self._clock = clock

    @classmethod
    def open(cls, setup: Setup) -> Self:
        """Make it as the environment says."""
        settings = setup.settings
        return cls(
            lambda deadline: find_datadog_key(settings, deadline),
            site=settings.dd_site,
            url=settings.dd_url,
            allow_insecure_http=settings.allow_insecure_http,
            tags=common_tags(settings),
        )

    def preload(self) -> None:
        """Import what a delivery needs (some 150 ms)."""
        from datadog_api_client.v2.api import metrics_api  # noqa: F401 - that it is loaded

        payload(())
        tls()

    def check(self, deadline: Deadline) -> None:
        """Ask Datadog whether it knows the key (GET /api/v1/validate)."""
        key = self._key or self._read_key(deadline)
        headers = {"DD-API-KEY": key.value.get_secret_value(), "Accept": "application/json"}
        request = Request(f"{self.url}/api/v1/validate", headers, method="GET")
        try:
            answer = send(request, deadline, seconds=self._policy.request_seconds)
            if answer.status != 200 or (answer.json_object() or {}).get("valid") is not True:
                raise self._answers.meaning(answer, key.source)
        except NoAnswer as failure:
            raise self._answers.unreachable(failure) from None
        except Unavailable as failure:
            raise failure.error from None
        except Refused as refusal:
            raise ConfigurationError(
                f"{refusal.words} finds fault with the key's own check",
                f"check {self._answers.setting}",
            ) from None

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        """Send `samples`; what Datadog does or does not do with each is in the Delivery."""
        series, ledger = prepare(samples, self._tags, self._clock())
        self._key = None
        transport = _Transport(deadline, self._policy.request_seconds)

        def post(batch: Sequence[Series]) -> Taken:
            self._post_with_a_fresh_key(batch, transport, deadline)
            return Taken()

        delivery = BatchDelivery("Datadog", post, ledger, self._policy, deadline)
        delivery.run(_posts(series, ledger))
        return ledger.closed(self.name, transport.requests, transport.bytes_sent)

    def _post_with_a_fresh_key(
        self, batch: Sequence[Series], transport: _Transport, deadline: Deadline
    ) -> None:
        key = self._key or self._read_key(deadline)
        try:
            self._post(batch, transport, key)
        except CredentialRefused:
            fresh = self._read_key(deadline)
            if fresh.value == key.value:
                raise
            self._post(batch, transport, fresh)

    def _read_key(self, deadline: Deadline) -> ApiKey:
        self._key = self._find_key(deadline)
        return self._key

    def _post(self, batch: Sequence[Series], transport: _Transport, key: ApiKey) -> None:
        from datadog_api_client import ApiClient, Configuration
        from datadog_api_client.v2.api.metrics_api import MetricsApi
        from datadog_api_client.v2.model.metric_content_encoding import MetricContentEncoding

        secret = key.value.get_secret_value()
        redact.add(secret)
        configuration = Configuration(
            host=self.url, api_key={"apiKeyAuth": secret}, compress=False, enable_retry=False
        )
        client = ApiClient(configuration)
        client.rest_client = transport
        try:
            MetricsApi(client).submit_metrics(
                payload(batch), content_encoding=MetricContentEncoding.GZIP
            )
        except _NotTaken as refusal:
            raise self._answers.meaning(refusal.answer, key.source) from None
        except NoAnswer as failure:
            raise self._answers.missing(failure) from None

"""Reach a Datadog account through the official client, for what needs an application key.

Bounded as the sink is: one origin, no redirect, a total deadline for every request. What may be
asked twice (reading, replacing) is asked again when Datadog is unavailable; creating is not, as
the first try may have created.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from runmetrics.assets import Asset
from runmetrics.config.credentials import find_datadog_application_key, find_datadog_key
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, CredentialRefused, RunmetricsError, TemporaryError
from runmetrics.http import Answer, NoAnswer, Request, send
from runmetrics.logs import excerpt, quoted
from runmetrics.retry import Retries, asked_wait
from runmetrics.sinks.batches import RetryPolicy, Unavailable
from runmetrics.sinks.datadog.answers import PASSING, AnswerReader
from runmetrics.sinks.datadog.sink import intake_url

_MOST_ANSWER_BYTES = 8_388_608
_POLICY = RetryPolicy(tries=4)
_T = TypeVar("_T")


class NotThere(RunmetricsError):  # noqa: N818 - it is what happened
    """Datadog has no such thing (404)."""

    exit_code = ConfigurationError.exit_code


class Account:
    """Where dashboards, monitors and metadata are kept; `client` is the official one, bounded."""

    def __init__(
        self, settings: Settings, deadline: Deadline, policy: RetryPolicy = _POLICY
    ) -> None:
        """Open it as the settings say; raises ConfigurationError when a key is nowhere."""
        from datadog_api_client import ApiClient, Configuration

        application_key = find_datadog_application_key(settings)
        key = find_datadog_key(settings, deadline)
        self.url = intake_url(
            settings.dd_site, settings.dd_url, allow_insecure_http=settings.allow_insecure_http
        )
        self.deadline = deadline
        configuration = Configuration(
            host=self.url,
            api_key={
                "apiKeyAuth": key.value.get_secret_value(),
                "appKeyAuth": application_key.value.get_secret_value(),
            },
            compress=False,
            enable_retry=False,
        )
        self.client = ApiClient(configuration)
        sources = f"{key.source} and {application_key.source}"
        answers = AnswerReader.of(self.url, settings.dd_url)
        self.client.rest_client = _Transport(answers, sources, deadline, policy)

    def ask(self, call: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
        """Return what the official client's call answers; raises RunmetricsError, 404 NotThere."""
        from datadog_api_client.exceptions import OpenApiException

        try:
            return call(*arguments, **options)
        except OpenApiException as error:
            raise TemporaryError(
                f"Datadog at {self.url} answered what its client cannot read:"
                f" {excerpt(str(error), 200)}",
                "update datadog-api-client",
            ) from None

    def model(self, asset: Asset, kind: type[_T]) -> _T:
        """Return the document as the official client's own model.

        Raises ConfigurationError for anything in it that the model does not know.
        """
        from datadog_api_client.exceptions import OpenApiException

        what = f"Datadog's client does not take {asset.path}"
        fix = "fix the file, or export the shipped one again"
        try:
            made: _T = self.client.deserialize(json.dumps(asset.document), (kind,), True)
        except OpenApiException as error:
            raise ConfigurationError(f"{what} ({excerpt(str(error), 200)})", fix) from None
        if getattr(made, "_unparsed", False):
            raise ConfigurationError(f"{what} (something in it is not known)", fix)
        return made


class _Transport:
    """Stands in for `datadog_api_client.rest.RESTClientObject`."""

    def __init__(
        self, answers: AnswerReader, key_sources: str, deadline: Deadline, policy: RetryPolicy
    ) -> None:
        self._answers, self._key_sources = answers, key_sources
        self._deadline, self._policy = deadline, policy

    def request(
        self,
        method: str,
        url: str,
        *,
        query_params: Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str],
        body: Any = None,
        **_client_options: Any,
    ) -> Answer:
        """Ask until there is an answer or the tries are used up; raises RunmetricsError.

        Nothing is asked once the run is stopped: what is written half is for the next push.
        """
        if self._deadline.stopped:
            raise TemporaryError("stopped by a signal")
        content = b"" if body is None else json.dumps(body, allow_nan=False).encode()
        target = f"{url}?{urlencode(query_params)}" if query_params else url
        request = Request(target, headers, content, method)
        try:
            return Retries(self._policy, self._deadline).call(lambda: self._ask_once(request))
        except Unavailable as failure:
            raise failure.error from None

    def _ask_once(self, request: Request) -> Answer:
        """Return the answer; raise Unavailable where the same may be asked again."""
        repeatable = request.method != "POST"
        try:
            answer = send(
                request,
                self._deadline,
                seconds=self._policy.request_seconds,
                most_bytes=_MOST_ANSWER_BYTES,
            )
        except NoAnswer as failure:
            error = self._answers.unreachable(failure)
            raise (Unavailable(error) if failure.fault.passing and repeatable else error) from None
        if answer.status < 300 and _is_json(answer):
            return answer
        meaning = self._meaning(answer)
        if answer.status == 429 or (answer.status in PASSING and repeatable):
            raise Unavailable(meaning, asked_wait(answer.headers, "X-RateLimit-Reset"))
        raise meaning

    def _meaning(self, answer: Answer) -> RunmetricsError:
        status, place = answer.status, f"({answer.status}) at {self._answers.url}"
        right_setting = f"that {self._answers.right_setting}"
        if status in (401, 403):
            return CredentialRefused(
                f"Datadog refused the keys {place}",
                f"check that {self._key_sources} are of one organisation, that the application key"
                f" may write dashboards, monitors and metrics metadata, and {right_setting}",
            )
        if status == 404:
            return NotThere(f"Datadog has no such thing {place}", f"check {right_setting}")
        if status in PASSING:
            return TemporaryError(f"Datadog is unavailable {place}", "try again later")
        words = quoted(answer.data)
        if 400 <= status < 500:
            return ConfigurationError(f"Datadog refuses this {place}: {words}", "fix the file")
        return ConfigurationError(
            f"Datadog {place} answered something else: {words}",
            f"check the proxy and {self._answers.setting}",
        )


def _is_json(answer: Answer) -> bool:
    try:
        json.loads(answer.data)
    except (ValueError, RecursionError):
        return False
    return True

"""Check the far ends: Datadog, and the OTLP receiver and the textfile where configured."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.doctor.aws import no_key
from runmetrics.doctor.findings import Finding, broken, failed, not_asked, ok
from runmetrics.errors import ConfigurationError, ExitCode, RunmetricsError, TemporaryError
from runmetrics.model import Sample

if TYPE_CHECKING:
    from runmetrics.config.credentials import ApiKey

POINT = "runmetrics.doctor"
"""The metric of the synthetic point: its value is 1."""

_SECONDS = 10.0
_KEY, _INTAKE, _POINT = "Datadog key", "Datadog", "Datadog point"
_OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def check_datadog(settings: Settings, deadline: Deadline, *, push: bool) -> Iterator[Finding]:
    """Check the key, whether this site knows it, and with `push` send one point."""
    from runmetrics.config.credentials import find_datadog_key

    later = [_INTAKE, *[_POINT] * push]
    try:
        key = find_datadog_key(settings, deadline)
    except RunmetricsError as error:
        absent = isinstance(error, ConfigurationError) and error.faults
        if absent and (_otlp_endpoint() or settings.prometheus_textfile):
            yield from not_asked([_KEY, *later], "no key is set, and another sink is configured")
            return
        yield no_key(_KEY, error)
        yield from not_asked(later, f"first fix: {_KEY}")
        return
    yield ok(_KEY, f"from {key.source}")
    try:
        yield ok(_INTAKE, _validated(settings, key, _soon(deadline)))
    except RunmetricsError as error:
        yield failed(_INTAKE, error)
        yield from not_asked(later[1:], f"first fix: {_INTAKE}")
        return
    if push:
        yield _delivered(_POINT, "datadog", settings, deadline)


def check_otlp(settings: Settings, deadline: Deadline, *, push: bool) -> Iterator[Finding]:
    """Check whether the receiver takes a request: an empty one, or with `push` one point."""
    endpoint = _otlp_endpoint()
    if not endpoint:
        return
    step = "OTLP receiver"
    from runmetrics.sinks.otlp.sink import OtlpSink

    try:
        OtlpSink.open(settings, deadline).check(_soon(deadline))
    except RunmetricsError as error:
        yield failed(step, error)
        return
    yield ok(step, f"{endpoint} answers as one")
    if push:
        yield _delivered("OTLP point", "otlp", settings, deadline)


def check_textfile(settings: Settings, deadline: Deadline) -> Iterator[Finding]:
    """Check whether the file can be replaced; it is left alone, for what is in it is served."""
    path = settings.prometheus_textfile
    if path is None:
        return
    step = "Prometheus file"
    from runmetrics.sinks.prometheus.textfile import TextfileSink

    try:
        TextfileSink.open(settings, deadline).check()
    except RunmetricsError as error:
        yield failed(step, error)
        return
    yield ok(step, f"{path} can be written")


def _validated(settings: Settings, key: "ApiKey", deadline: Deadline) -> str:
    """Ask Datadog whether it knows the key (GET /api/v1/validate); raises what its answer means."""
    from runmetrics.http import NoAnswer, Request, send
    from runmetrics.sinks.batches import Refused, Unavailable
    from runmetrics.sinks.datadog.answers import AnswerReader
    from runmetrics.sinks.datadog.sink import intake_url

    url = intake_url(
        settings.dd_site, settings.dd_url, allow_insecure_http=settings.allow_insecure_http
    )
    reader = AnswerReader(url, "DD_URL" if settings.dd_url else "DD_SITE")
    headers = {"DD-API-KEY": key.value.get_secret_value(), "Accept": "application/json"}
    try:
        request = Request(f"{url}/api/v1/validate", headers, method="GET")
        answer = send(request, deadline, seconds=_SECONDS)
        if answer.status == 200 and (answer.json_object() or {}).get("valid") is True:
            return f"{url} accepts the key"
        raise reader.meaning(answer, key.source)
    except NoAnswer as failure:
        cause = f"Datadog at {url} did not answer: {failure.fault.words}"
        raise TemporaryError(cause, failure.fault.fix(reader.setting)) from None
    except Unavailable as failure:
        raise failure.error from None
    except Refused as refusal:
        raise ConfigurationError(
            f"{refusal.words} finds fault with the key's own check", f"check {reader.setting}"
        ) from None


def _delivered(step: str, sink: str, settings: Settings, deadline: Deadline) -> Finding:
    from runmetrics.sinks import open_sinks

    sample = Sample(POINT, 1.0, datetime.now(UTC), tags={"collector": "wandb"})
    try:
        (opened,) = open_sinks([sink], settings, deadline)
        delivery = opened.deliver([sample], _soon(deadline))
    except RunmetricsError as error:
        return failed(step, error)
    if delivery.accepted:
        return ok(step, f"{POINT} was accepted")
    text = delivery.error or "; ".join(delivery.notices)
    return broken(step, text, "", delivery.code or ExitCode.TEMPORARY)


def _soon(deadline: Deadline) -> Deadline:
    """Return a few seconds of the deadline: a person waits."""
    return deadline.reserve(max(0.0, deadline.remaining() - _SECONDS))


def _otlp_endpoint() -> str:
    return next((found for name in _OTLP_ENDPOINTS if (found := os.environ.get(name))), "")

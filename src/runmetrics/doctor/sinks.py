"""Check the far ends: Datadog, the OTLP receiver, the textfile; then tags and the spool."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from runmetrics.config.credentials import find_datadog_key
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.doctor.findings import Finding, broken, failed, not_asked, ok, warning
from runmetrics.errors import ConfigurationError, ExitCode, RunmetricsError
from runmetrics.model import Sample
from runmetrics.plugins import Setup, Sink
from runmetrics.sinks.datadog import DatadogSink
from runmetrics.sinks.datadog.common_tags import changed_tags, sent_tags
from runmetrics.sinks.otlp import OtlpSink
from runmetrics.sinks.prometheus import TextfileSink
from runmetrics.spool import Spool

POINT = "runmetrics.doctor"
"""The metric of the synthetic point: its value is 1."""

_SECONDS = 10.0
_KEY, _INTAKE, _POINT = "Datadog key", "Datadog", "Datadog point"
STEPS = (_KEY, _INTAKE)
"""Those that are asked whatever is configured."""
_OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def check_datadog(setup: Setup, deadline: Deadline, *, push: bool) -> Iterator[Finding]:
    """Check the key, whether this site knows it, and with `push` send one point."""
    later = [_INTAKE, *[_POINT] * push]
    try:
        key = find_datadog_key(setup.settings, deadline)
    except RunmetricsError as error:
        absent = isinstance(error, ConfigurationError) and error.faults
        if absent and (_otlp_endpoint(setup) or setup.settings.prometheus_textfile):
            yield from not_asked([_KEY, *later], "no key is set, and another sink is configured")
            return
        yield failed(_KEY, error)
        yield from not_asked(later, f"first fix: {_KEY}")
        return
    yield ok(_KEY, f"from {key.source}")
    try:
        sink = DatadogSink.open(setup)
        sink.check(_soon(deadline))
        yield ok(_INTAKE, f"{sink.url} accepts the key")
    except RunmetricsError as error:
        yield failed(_INTAKE, error)
        yield from not_asked(later[1:], f"first fix: {_INTAKE}")
        return
    if push:
        yield _delivered(_POINT, sink, deadline)


def check_otlp(setup: Setup, deadline: Deadline, *, push: bool) -> Iterator[Finding]:
    """Check whether the receiver takes a request: an empty one, or with `push` one point."""
    endpoint = _otlp_endpoint(setup)
    if not endpoint:
        return
    step = "OTLP receiver"
    try:
        sink = OtlpSink.open(setup)
        sink.check(_soon(deadline))
    except RunmetricsError as error:
        yield failed(step, error)
        return
    yield ok(step, f"{endpoint} answers as one")
    if push:
        yield _delivered("OTLP point", sink, deadline)


def check_textfile(setup: Setup, deadline: Deadline) -> Iterator[Finding]:
    """Check whether the file can be replaced; it is left alone, for what is in it is served."""
    path = setup.settings.prometheus_textfile
    if path is None:
        return
    step = "Prometheus file"
    try:
        TextfileSink.open(setup).check(deadline)
    except RunmetricsError as error:
        yield failed(step, error)
        return
    yield ok(step, f"{path} can be written")


def check_tags(settings: Settings) -> Iterator[Finding]:
    """Say which tags are sent, and which Datadog keeps otherwise than they are written."""
    step, changed = "Datadog tags", list(changed_tags(settings))
    yield from (warning(step, text) for text in changed)
    if not changed and (tags := sent_tags(settings)):
        yield ok(step, ", ".join(tags))


def check_spool(path: Path | None) -> Iterator[Finding]:
    """Open the spool as a run does, if there is one, and close it again."""
    if path is None:
        return
    with Spool(path) as spool:
        notices = [notice.partition(": ") for notice in spool.notices]
    if not notices:
        yield ok("spool", f"{path} can be used")
    yield from (warning("spool", cause, fix) for cause, _, fix in notices)


def _delivered(step: str, sink: Sink, deadline: Deadline) -> Finding:
    sample = Sample(POINT, 1.0, datetime.now(UTC), tags={"collector": "wandb"})
    delivery = sink.deliver([sample], _soon(deadline))
    if delivery.accepted:
        return ok(step, f"{POINT} was accepted")
    text = delivery.error or "; ".join(delivery.notices)
    return broken(step, text, "", delivery.code or ExitCode.TEMPORARY)


def _soon(deadline: Deadline) -> Deadline:
    """Return a few seconds of the deadline: a person waits."""
    return deadline.reserve(max(0.0, deadline.remaining() - _SECONDS))


def _otlp_endpoint(setup: Setup) -> str:
    return next((found for name in _OTLP_ENDPOINTS if (found := setup.environ.get(name))), "")

"""What the tests of the OTLP sink share: samples, a receiver to misbehave, a sink in a hurry."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from runmetrics.deadline import Deadline
from runmetrics.model import Delivery, Sample
from runmetrics.sandbox.http import Fault, LoopbackServer, Request, Response
from runmetrics.sinks.batches import RetryPolicy
from runmetrics.sinks.otlp import OtlpSink
from runmetrics.sinks.otlp.variables import read_variables

CANARY = "canary-0badc0ffee-otlp"
NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
NANOSECONDS = 1_772_366_400_123_456_000
HURRY = RetryPolicy(tries=4, first_seconds=0.001, most_seconds=0.002)
PROTOBUF = "application/x-protobuf"


def sample(name: str = "wandb.runs.active", value: float = 4.0, **changes: Any) -> Sample:
    return Sample(name, value, changes.pop("time", NOW), **changes)


def samples(count: int) -> list[Sample]:
    return [sample(f"wandb.m{number}", float(number)) for number in range(count)]


def accept(_request: Request) -> Response:
    """What a receiver says that took everything."""
    return Response(200, b"", content_type=PROTOBUF)


@contextmanager
def receiver(*faults: Fault | None) -> Iterator[LoopbackServer]:
    """A receiver that takes everything once its faults are used up."""
    with LoopbackServer(accept) as server:
        server.misbehave(*faults)
        yield server


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """An answer with this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(response=Response(code, body, named, content_type=PROTOBUF))


def partial(rejected: int, words: str) -> Fault:
    """A success that takes only a part."""
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = rejected
    answer.partial_success.error_message = words
    return status(200, answer.SerializeToString())


def otlp_sink(url: str, variables: Mapping[str, str], policy: RetryPolicy = HURRY) -> OtlpSink:
    """A sink that posts to `url` with the canary key; `variables` go without their prefix."""
    environ = {"ENDPOINT": url, "HEADERS": f"api-key={CANARY}", **variables}
    named = {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in environ.items()}
    return OtlpSink(read_variables(named), resource={"service.name": "here"}, policy=policy)


def deliver(
    url: str, given: Sequence[Sample], *, seconds: float = 20.0, **variables: str
) -> Delivery:
    """Deliver, and check what holds for every delivery: each sample once, the key nowhere."""
    delivery = otlp_sink(url, variables).deliver(given, Deadline(seconds))
    ends = [*delivery.accepted, *(drop.sample for drop in delivery.dropped), *delivery.undelivered]
    assert sorted(map(id, ends)) == sorted(map(id, given))
    assert CANARY not in repr(delivery)
    return delivery


def metrics(request: Request) -> list[Metric]:
    """The metrics of a request, decoded."""
    decoded = ExportMetricsServiceRequest.FromString(request.body)
    return [
        metric
        for resource in decoded.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]

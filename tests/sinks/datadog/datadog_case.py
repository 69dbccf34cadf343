"""What the tests of the Datadog sink share: samples, a sink in a hurry, and what arrived."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from runmetrics.config.credentials import ApiKey
from runmetrics.deadline import Deadline
from runmetrics.model import Delivery, Sample
from runmetrics.sandbox.http import Fault, Response
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sinks.batches import RetryPolicy
from runmetrics.sinks.datadog import DatadogSink

CANARY = "canary-0badc0ffee-datadog"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
HURRY = RetryPolicy(tries=6, first_seconds=0.001, most_seconds=0.002, request_seconds=5.0)


def new_intake() -> DatadogIntake:
    """An intake that knows the canary key and lives at NOW."""
    return DatadogIntake(keys=[CANARY], clock=NOW.timestamp)


def key(value: str = CANARY) -> ApiKey:
    return ApiKey(value=SecretStr(value), source="AWS secret datadog/api-key")


def sample(name: str = "wandb.runs.active", value: float = 4.0, **changes: Any) -> Sample:
    age = timedelta(seconds=changes.pop("age_seconds", 0))
    return Sample(name, value, changes.pop("time", NOW) - age, **changes)


def ten() -> list[Sample]:
    return [sample(f"wandb.m{number}", float(number), unit="run") for number in range(10)]


def sink(intake: DatadogIntake, **changes: Any) -> DatadogSink:
    options = {"url": intake.url, "policy": HURRY, "clock": NOW.timestamp, **changes}
    find_key = options.pop("find_key", lambda _deadline: key())
    return DatadogSink(find_key, **options)


def deliver(
    intake: DatadogIntake, samples: Sequence[Sample], *, seconds: float = 20.0, **changes: Any
) -> Delivery:
    """Deliver, and check what holds for every delivery: each sample once, the key nowhere."""
    delivery = sink(intake, **changes).deliver(samples, Deadline(seconds))
    ends = [*delivery.accepted, *(drop.sample for drop in delivery.dropped), *delivery.undelivered]
    assert sorted(map(id, ends)) == sorted(map(id, samples))
    assert delivery.requests == len(intake.server.requests)
    assert CANARY not in repr(delivery)
    return delivery


def status(code: int, body: bytes = b'{"errors":["no"]}', **headers: str) -> Fault:
    """An answer with this status in place of the intake's."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(response=Response(code, body, named))


def values(intake: DatadogIntake) -> dict[str, float]:
    """What the intake stores, by name."""
    return {point.name: point.value for point in intake.points}

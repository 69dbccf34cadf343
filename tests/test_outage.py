"""Datadog away for fifty minutes, a run every five: with a spool nothing is lost."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from runmetrics import pipeline
from runmetrics.config.credentials import ApiKey
from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode
from runmetrics.model import Collection, Sample
from runmetrics.sandbox.http import Fault, Response
from runmetrics.sandbox.intake import INTAKE_KEY, DatadogIntake
from runmetrics.sinks.batches import RetryPolicy
from runmetrics.sinks.datadog import DatadogSink
from runmetrics.spool import Spool

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
AWAY = Fault(response=Response(503))
QUICK = RetryPolicy(tries=2, first_seconds=0.001, most_seconds=0.001)


class Counting:
    """Ten samples a run, each run with values of its own."""

    name = "counting"

    def __init__(self, number: int) -> None:
        self.number = number

    def collect(self, now: datetime, deadline: Deadline) -> Collection:
        names = [f"a.metric_{index}" for index in range(10)]
        return Collection(tuple(Sample(name, 100.0 * self.number, now) for name in names))


def one_run(
    number: int, now: datetime, intake: DatadogIntake, spool: Path, *, killed: bool = False
) -> pipeline.Outcome:
    key = ApiKey(SecretStr(INTAKE_KEY), "a test")
    sink = DatadogSink(lambda _deadline: key, url=intake.url, policy=QUICK, clock=now.timestamp)
    held = Spool(spool, clock=now.timestamp)
    outcome = pipeline.run(Counting(number), [sink], now, Deadline(90), held)
    if killed:  # the kernel closes both and tidies nothing
        assert held._lock is not None
        assert held._db is not None
        held._lock.close()
        held._db.close()
    else:
        held.close()
    return outcome


def received(points: Sequence[object]) -> set[tuple[str, int, float]]:
    return {
        (point.name, int(point.timestamp), point.value)  # type: ignore[attr-defined]
        for point in points
        if point.name.startswith("a.metric_")  # type: ignore[attr-defined]
    }


def test_d13_after_fifty_minutes_every_sample_arrives_with_its_own_timestamp(
    tmp_path: Path,
) -> None:
    times = [START + timedelta(minutes=5 * number) for number in range(11)]
    with DatadogIntake(clock=lambda: times[-1].timestamp()) as intake:
        intake.server.fault_for = lambda _request: AWAY
        outcomes = [
            one_run(number, now, intake, tmp_path, killed=number == 5)
            for number, now in enumerate(times[:-1])
        ]
        assert {outcome.exit_code for outcome in outcomes} == {ExitCode.TEMPORARY}
        assert intake.points == []

        intake.server.fault_for = lambda _request: None
        last = one_run(10, times[-1], intake, tmp_path)

        assert last.exit_code == ExitCode.OK
        assert received(intake.points) == {
            (f"a.metric_{index}", int(now.timestamp()), 100.0 * number)
            for index in range(10)
            for number, now in enumerate(times)
        }

"""Collect, deliver, and the exit code that says what became of it."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runmetrics import pipeline
from runmetrics.deadline import Deadline
from runmetrics.errors import (
    ConfigurationError,
    CredentialRefused,
    ExitCode,
    RunmetricsError,
    TemporaryError,
)
from runmetrics.model import Collection, Cost, Delivery, Drop, Missing, Problem, Sample
from runmetrics.pipeline import Outcome
from runmetrics.plugins import Sink
from runmetrics.self_metrics import is_about_itself
from runmetrics.sinks.prometheus import TextfileSink
from runmetrics.spool import Spool

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE, TWO = Sample("a.one", 1.0, NOON), Sample("a.two", 2.0, NOON)
OK, BUG, TEMPORARY, PARTIAL = ExitCode.OK, ExitCode.BUG, ExitCode.TEMPORARY, ExitCode.PARTIAL
REFUSED, CONFIGURATION = ExitCode.REFUSED, ExitCode.CONFIGURATION
CAUSES = (CONFIGURATION, REFUSED, TEMPORARY, BUG)
PAIRS = list(itertools.combinations(CAUSES, 2))


def unknown(*codes: ExitCode) -> tuple[Problem, ...]:
    return tuple(Problem(("a.three",), f"because of {code}", code=code) for code in codes)


def code_of(
    *deliveries: Delivery,
    known: Sequence[Sample] = (ONE, TWO),
    problems: tuple[Problem, ...] = (),
    missing: tuple[Missing, ...] = (),
    dry_run: bool = False,
    stopped: bool = False,
) -> ExitCode:
    collection = Collection(tuple(known), missing, problems)
    return Outcome("wandb", NOON, collection, deliveries, dry_run, 1.0, stopped).exit_code


TAKEN = Delivery("datadog", accepted=(ONE, TWO))


def failed(code: ExitCode, sink: str = "datadog") -> Delivery:
    return Delivery(sink, undelivered=(ONE, TWO), error="no luck", code=code)


# exit codes of a push


def test_all_known_and_delivered_is_0() -> None:
    assert code_of(TAKEN) == OK
    assert code_of(TAKEN, Delivery("otlp", accepted=(ONE, TWO))) == OK


def test_no_data_is_no_error() -> None:
    assert code_of(TAKEN, missing=(Missing("a.three", "no runs"),)) == OK
    assert code_of(known=(), missing=(Missing("a.three", "no runs"),)) == OK


@pytest.mark.parametrize("code", CAUSES)
def test_something_unknown_and_the_rest_delivered_is_76_whatever_the_cause(code: ExitCode) -> None:
    assert code_of(TAKEN, problems=unknown(code)) == PARTIAL


@pytest.mark.parametrize("code", CAUSES)
def test_something_undelivered_and_the_rest_delivered_is_76(code: ExitCode) -> None:
    half = Delivery("datadog", (ONE,), (), (TWO,), error="no luck", code=code)

    assert code_of(half) == PARTIAL


@pytest.mark.parametrize("code", CAUSES)
def test_d18_one_sink_down_and_another_up_is_76(code: ExitCode) -> None:
    assert code_of(TAKEN, failed(code, "otlp")) == PARTIAL
    assert code_of(failed(code), Delivery("otlp", accepted=(ONE, TWO))) == PARTIAL


@pytest.mark.parametrize("code", CAUSES)
def test_nothing_delivered_is_its_cause(code: ExitCode) -> None:
    assert code_of(failed(code)) == code
    assert code_of(known=(), problems=unknown(code)) == code


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_of_several_causes_the_most_permanent_wins_78_before_77_before_75(
    one: ExitCode, other: ExitCode
) -> None:
    assert code_of(failed(one), failed(other, "otlp")) == one
    assert code_of(failed(other), failed(one, "otlp")) == one
    assert code_of(failed(other), problems=unknown(one)) == one
    assert code_of(failed(one), problems=unknown(other)) == one
    assert code_of(known=(), problems=unknown(other, one)) == one


def test_a_dropped_sample_is_76_beside_others_that_arrived() -> None:
    assert code_of(Delivery("datadog", (ONE,), (Drop(TWO, "too_old"),))) == PARTIAL


def test_only_dropped_samples_are_75() -> None:
    drops = (Drop(ONE, "too_old"), Drop(TWO, "too_old"))

    assert code_of(Delivery("datadog", dropped=drops)) == TEMPORARY


def test_a_duplicate_arrived_as_its_twin() -> None:
    assert code_of(Delivery("datadog", (ONE,), (Drop(ONE, "duplicate"),))) == OK


def test_samples_that_did_not_arrive_are_never_0_even_if_the_sink_says_so() -> None:
    assert code_of(Delivery("mine", undelivered=(ONE, TWO))) == TEMPORARY
    assert code_of(Delivery("mine", (ONE,), undelivered=(TWO,))) == PARTIAL


# exit codes of a dry run: "delivered" reads "known"


def test_a_dry_run_that_knows_everything_is_0() -> None:
    assert code_of(dry_run=True) == OK
    assert code_of(dry_run=True, missing=(Missing("a.three", "no runs"),)) == OK
    assert code_of(dry_run=True, known=()) == OK


@pytest.mark.parametrize("code", CAUSES)
def test_a_dry_run_that_knows_something_is_76_and_one_that_knows_nothing_is_its_cause(
    code: ExitCode,
) -> None:
    assert code_of(dry_run=True, problems=unknown(code)) == PARTIAL
    assert code_of(dry_run=True, problems=unknown(code), known=()) == code


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_most_permanent_cause_wins_in_a_dry_run_too(one: ExitCode, other: ExitCode) -> None:
    assert code_of(dry_run=True, known=(), problems=unknown(other, one)) == one


# SIGTERM


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("code", [None, *CAUSES])
def test_h3_a_run_that_was_stopped_is_143_whatever_it_brought(
    code: ExitCode | None, dry_run: bool
) -> None:
    problems = unknown(code) if code else ()

    assert code_of(TAKEN, problems=problems, dry_run=dry_run, stopped=True) == 143
    assert code_of(known=(), problems=problems, dry_run=dry_run, stopped=True) == 143


def test_the_codes_are_those_that_the_documentation_names() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "BUG": 1,
        "USAGE": 2,
        "TEMPORARY": 75,
        "PARTIAL": 76,
        "REFUSED": 77,
        "CONFIGURATION": 78,
        "TERMINATED": 143,
    }


# a run


class FakeCollector:
    """Brings what it is told to, and notes how much time it was given."""

    name = "fake"

    def __init__(
        self, brings: Collection | Exception, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        self.brings = brings
        self.meanwhile = meanwhile
        self.now: datetime | None = None
        self.seconds = 0.0

    def collect(self, now: datetime, deadline: Deadline) -> Collection:
        self.now, self.seconds = now, deadline.remaining()
        self.meanwhile()
        if isinstance(self.brings, Exception):
            raise self.brings
        return self.brings


class FakeSink(Sink):
    """Takes everything, or raises. `given` leaves out what is about the run itself, `itself`."""

    def __init__(self, name: str = "fake", error: RunmetricsError | None = None) -> None:
        self.name = name
        self.error = error
        self.given: list[tuple[Sample, ...]] = []
        self.itself: dict[str, float] = {}
        self.said: dict[str, float] = {}
        self.seconds = 0.0

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        self.given.append(tuple(each for each in samples if not is_about_itself(each)))
        self.itself |= {each.name: each.value for each in samples if is_about_itself(each)}
        self.said |= {each.tags["kind"]: each.value for each in samples if "kind" in each.tags}
        self.seconds = deadline.remaining()
        if self.error:
            raise self.error
        return Delivery(self.name, accepted=tuple(samples))


BOTH = Collection((ONE, TWO))


def run(collector: FakeCollector, *sinks: FakeSink, deadline: Deadline | None = None) -> Outcome:
    return pipeline.run(collector, sinks, NOON, deadline or Deadline(90))


def test_every_sink_is_given_all_samples_and_the_outcome_holds_it_all() -> None:
    collector, one, two = FakeCollector(BOTH), FakeSink("one"), FakeSink("two")

    outcome = run(collector, one, two)

    assert one.given == two.given == [(ONE, TWO)]
    assert collector.now == NOON
    assert (outcome.collector, outcome.time) == ("fake", NOON)
    assert outcome.collection == BOTH
    assert [delivery.sink for delivery in outcome.deliveries] == ["one", "two"]
    assert (outcome.dry_run, outcome.stopped, outcome.exit_code) == (False, False, OK)
    assert 0 <= outcome.seconds < 30


def test_without_a_sink_it_is_a_dry_run_with_all_the_time_for_reading() -> None:
    collector = FakeCollector(BOTH)

    outcome = run(collector)

    assert (outcome.dry_run, outcome.deliveries, outcome.exit_code) == (True, (), OK)
    assert 80 < collector.seconds <= 90


def test_twenty_seconds_are_kept_for_delivery_and_half_of_a_short_deadline() -> None:
    long, short = FakeCollector(BOTH), FakeCollector(BOTH)
    sink = FakeSink()

    run(long, sink)
    run(short, FakeSink(), deadline=Deadline(30))

    assert 60 < long.seconds <= 70
    assert 10 < short.seconds <= 15
    assert 80 < sink.seconds <= 90


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TemporaryError("W&B is away", "wait"), TEMPORARY),
        (CredentialRefused("W&B is away", "wait"), REFUSED),
        (ConfigurationError("W&B is away", "wait"), CONFIGURATION),
    ],
)
def test_a_collector_that_raises_leaves_one_problem_and_nothing_to_deliver(
    error: RunmetricsError, code: ExitCode
) -> None:
    sink = FakeSink()

    outcome = run(FakeCollector(error), sink)

    assert outcome.collection == Collection(problems=(Problem((), "W&B is away", "wait", code),))
    assert (sink.given, outcome.exit_code) == ([()], code)
    assert sink.itself["runmetrics.up"] == 0
    assert "runmetrics.data_age_seconds" not in sink.itself


def test_a_bug_of_a_collector_is_1_and_said_in_one_line() -> None:
    outcome = run(FakeCollector(KeyError("x\ny")), FakeSink())

    (problem,) = outcome.collection.problems
    assert str(problem) == (
        r"a bug of the collector fake: KeyError: 'x\ny': "
        "please report it with the output of the same command with --verbose"
    )
    assert outcome.exit_code == BUG


def test_d18_a_sink_that_raises_fails_alone() -> None:
    bad, good = FakeSink("bad", CredentialRefused("no", "renew the key")), FakeSink("good")

    outcome = run(FakeCollector(BOTH), bad, good)

    refused, taken = outcome.deliveries
    everything = (ONE, TWO, *outcome.itself)
    assert refused == Delivery(
        "bad", undelivered=everything, error="no: renew the key", code=REFUSED
    )
    assert taken == Delivery("good", accepted=everything)
    assert outcome.exit_code == PARTIAL


def test_with_nothing_known_a_sink_is_told_just_that() -> None:
    sink = FakeSink()

    assert run(FakeCollector(Collection()), sink).exit_code == OK
    assert (sink.given, sink.itself["runmetrics.metrics_known"]) == ([()], 0)


def test_what_a_run_was_is_delivered_beside_what_it_brought() -> None:
    cost = Cost(requests=2, runs_read=40)
    sink = FakeSink()

    run(FakeCollector(Collection((ONE, TWO), problems=unknown(TEMPORARY), cost=cost)), sink)

    seconds = sink.itself.pop("runmetrics.duration_seconds")
    assert sink.itself.pop("runmetrics.data_age_seconds") == seconds
    assert sink.itself == {
        "runmetrics.up": 1,
        "runmetrics.requests": 2,
        "runmetrics.runs_read": 40,
        "runmetrics.metrics_known": 2,
        "runmetrics.metrics_unknown": 1,
    }


def test_how_many_runs_were_read_is_unknown_where_the_collector_does_not_count_them() -> None:
    told = FakeSink()
    counted = FakeSink()

    run(FakeCollector(Collection((ONE,), cost=Cost(requests=2))), told)
    run(FakeCollector(Collection((ONE,), cost=Cost(requests=2) + Cost(runs_read=0))), counted)

    assert "runmetrics.runs_read" not in told.itself
    assert counted.itself["runmetrics.runs_read"] == 0


def test_what_is_said_of_the_numbers_is_a_series_for_each_kind_that_the_collector_has() -> None:
    sink = FakeSink()
    collection = Collection(
        (ONE,),
        defaults=("entity: pufferai", "project: metta"),
        remarks={"imported": 3, "hidden": 0},
    )

    run(FakeCollector(collection), sink)

    assert sink.said == {"defaults": 2, "imported": 3, "hidden": 0}


def test_a_snapshot_is_written_anew_whole_when_drops_are_to_be_told(tmp_path: Path) -> None:
    file = tmp_path / "runmetrics.prom"
    not_finite = replace(TWO, name="a.nan", value=float("nan"))

    outcome = pipeline.run(
        FakeCollector(Collection((ONE, not_finite))), [TextfileSink(file)], NOON, Deadline(90)
    )

    (delivery,) = outcome.deliveries
    written = file.read_text()
    assert ONE in delivery.accepted
    assert [drop.sample for drop in delivery.dropped] == [not_finite]
    assert 'runmetrics_up{collector="fake"} 1.0' in written
    assert (
        'runmetrics_samples_dropped{collector="fake",reason="not_finite",sink="prometheus"} 1.0'
        in written
    )


def test_dropped_samples_are_counted_by_reason_in_a_second_round() -> None:
    class Picky(FakeSink):
        def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
            taken = super().deliver(samples, deadline)
            kept = tuple(each for each in taken.accepted if each != TWO)
            drops = (Drop(TWO, "too_old"),) if TWO in samples else ()
            return replace(taken, accepted=kept, dropped=drops)

    sink = Picky()
    outcome = run(FakeCollector(BOTH), sink)

    assert sink.itself["runmetrics.samples_dropped"] == 1
    (delivery,) = outcome.deliveries
    assert delivery.accepted == (ONE, *outcome.itself)
    assert outcome.exit_code == PARTIAL


def test_a_sink_that_holds_back_is_given_its_backlog_once_and_each_sample_is_counted_once(
    tmp_path: Path,
) -> None:
    class Down(FakeSink):
        def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
            super().deliver(samples, deadline)
            waiting = tuple(each for each in samples if each != TWO)
            return Delivery(
                self.name, (), (Drop(TWO, "rejected"),), waiting, error="no", code=TEMPORARY
            )

    sink = Down()
    with Spool(tmp_path) as spool:
        outcome = pipeline.run(FakeCollector(BOTH), [sink], NOON, Deadline(90), spool)

    (delivery,) = outcome.deliveries
    assert len(sink.given) == 1
    assert delivery.undelivered == (ONE, *outcome.itself)
    assert delivery.spooled == len(delivery.undelivered)
    assert [drop.sample for drop in delivery.dropped] == [TWO]


def test_samples_about_ourselves_never_decide_the_exit_code() -> None:
    own = Sample("runmetrics.up", 1, NOON)
    mine_lost = Delivery("datadog", accepted=(ONE, TWO), undelivered=(own,), code=PARTIAL)
    mine_alone = Delivery("datadog", accepted=(own,), undelivered=(ONE, TWO), code=PARTIAL)

    assert code_of(mine_lost) == OK
    assert code_of(mine_alone) == TEMPORARY


def test_h3_a_run_stopped_while_reading_begins_no_delivery() -> None:
    deadline, sink = Deadline(90), FakeSink()

    outcome = run(FakeCollector(BOTH, lambda: deadline.stop(10)), sink, deadline=deadline)

    assert sink.given == []
    assert all(delivery.accepted == () for delivery in outcome.deliveries)
    assert (outcome.stopped, outcome.exit_code) == (True, ExitCode.TERMINATED)


def test_what_a_sink_prepares_is_ready_before_it_is_given_anything() -> None:
    class Preparing(FakeSink):
        ready: str | None = None

        def preload(self) -> None:
            self.ready = "ready"

        def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
            assert self.ready
            return super().deliver(samples, deadline)

    assert run(FakeCollector(BOTH), Preparing()).exit_code == OK


def test_what_a_sink_fails_to_prepare_is_left_to_its_delivery(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Unprepared(FakeSink):
        def preload(self) -> None:
            raise ImportError("no such module")

    assert run(FakeCollector(BOTH), Unprepared()).exit_code == OK
    assert "".join(capfd.readouterr()) == ""

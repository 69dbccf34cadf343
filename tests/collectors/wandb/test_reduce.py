"""Runs turned into numbers: the definitions, each corner with exact values by hand."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmetrics.collectors.wandb.contributions import measure
from runmetrics.collectors.wandb.groups import Series, group_tags
from runmetrics.collectors.wandb.measures import Rules, gpus
from runmetrics.collectors.wandb.metrics.catalog import (
    Aggregate,
    Condition,
    Field,
    Metric,
    load_catalog,
)
from runmetrics.collectors.wandb.metrics.language import Op
from runmetrics.collectors.wandb.reduce import by_group, percentile, reduce
from runmetrics.collectors.wandb.runs import Run, make_run
from runmetrics.collectors.wandb.selection import EVERY_RUN, Selection
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.collectors.wandb.values import Scalar
from runmetrics.config.file_settings import FileSettings
from runmetrics.errors import ExitCode

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
RULES = Rules(NOW)
WEEK, HOUR, SECOND = timedelta(days=7), timedelta(hours=1), timedelta(seconds=1)
TEN = {metric.name: metric for metric in load_catalog(None, FileSettings()).metrics}
COMPLETED, FAILED = TEN["wandb.runs.completed_7d"], TEN["wandb.runs.failed_7d"]
AVERAGE, DURATION = TEN["wandb.metrics.avg_accuracy_7d"], TEN["wandb.training.avg_duration_hours"]
UTILIZATION = TEN["wandb.training.gpu_utilization_avg"]
GPU_HOURS = TEN["wandb.training.total_gpu_hours_7d"]
SCORE = Field("summary", "score")


def run(
    run_id: str = "a",
    state: str = "finished",
    *,
    beat: datetime | None = NOW,
    hours: float = 1,
    values: Mapping[str, Scalar] = {},
    **rest: Any,
) -> Run:
    """A run that began some hours before its last heartbeat."""
    rest.setdefault("created_at", beat - hours * HOUR if beat else None)
    return Run(run_id, state=state, heartbeat_at=beat, values=values, **rest)


def scored(*scores: Scalar) -> list[Run]:
    """Runs a, b, c, ... with these values under summary.score."""
    return [run(chr(97 + at), values={"summary.score": score}) for at, score in enumerate(scores)]


def over(aggregate: str, field: Field | None = SCORE, **rest: Any) -> Metric:
    return Metric("a.b", Aggregate(aggregate), field, **rest)


def series(metric: Metric, runs: Sequence[Run], rules: Rules = RULES) -> list[Series]:
    found = reduce(metric, runs, rules)
    assert not isinstance(found, Unknown)
    return found


def only(metric: Metric, *runs: Run, rules: Rules = RULES) -> Series:
    """The one series of a metric without groups."""
    (found,) = series(metric, runs, rules)
    return found


def value(metric: Metric, *runs: Run, rules: Rules = RULES) -> float | None:
    return only(metric, *runs, rules=rules).value


# windows and states


@pytest.mark.parametrize(("seconds_inside", "counted"), [(-1, 0), (0, 1), (1, 1)])
def test_the_lower_edge_of_a_window_is_inclusive(seconds_inside: int, counted: int) -> None:
    edge = NOW - WEEK + seconds_inside * SECOND

    assert value(COMPLETED, run(beat=edge)) == counted
    assert value(COMPLETED, run(beat=None, created_at=edge)) == counted


@pytest.mark.parametrize("ahead", [SECOND, timedelta(days=400)])
def test_a_window_has_no_upper_end(ahead: timedelta) -> None:
    assert value(COMPLETED, run(beat=NOW + ahead)) == 1


def test_a_run_is_dated_by_its_heartbeat_and_only_without_one_by_its_creation() -> None:
    long_ago = NOW - 2 * WEEK

    assert value(COMPLETED, run(beat=NOW, created_at=long_ago)) == 1
    assert value(COMPLETED, run(beat=long_ago, created_at=NOW)) == 0
    assert value(FAILED, run(state="failed", beat=None, created_at=NOW)) == 1
    assert value(FAILED, run(state="failed", beat=None, created_at=None)) == 0


def test_a_window_by_creation_passes_over_older_runs_that_still_live() -> None:
    created = over("count", None, window=WEEK, window_by="created")

    assert value(created, run(created_at=NOW - WEEK)) == 1
    assert value(created, run(created_at=NOW - WEEK - SECOND)) == 0
    assert value(created, run(created_at=None)) == 0


def test_without_a_window_every_run_counts_even_one_without_any_time() -> None:
    assert value(over("count", None), run(beat=None), run("b", beat=NOW - 99 * WEEK)) == 2


def test_states_are_compared_as_they_are() -> None:
    states = ("running", "finished", "failed", "crashed", "killed", "preempted", "Failed", "")
    runs = [run(state, state) for state in states]

    assert value(COMPLETED, *runs) == 1
    assert value(FAILED, *runs) == 2
    assert value(over("count", None), *runs) == 8


# aggregates


@pytest.mark.parametrize(
    ("aggregate", "scores", "expected"),
    [
        ("sum", (1.0, 2.0, 4.5), 7.5),
        ("mean", (1.0, 2.0, 6.0), 3.0),
        ("min", (3.0, -1.0, 2.0), -1.0),
        ("max", (3.0, -1.0, 2.0), 3.0),
        ("p50", (4.0, 1.0, 3.0), 3.0),
        ("p50", (4.0, 1.0, 3.0, 2.0), 2.5),
        ("p90", tuple(float(n) for n in range(1, 12)), 10.0),
        ("p95", (0.0, 10.0), 9.5),
        ("p99", (0.0, 100.0, 200.0), 198.0),
        ("p99", (7.0,), 7.0),
        ("sum", (0.1,) * 10, 1.0),
        ("mean", (0.0,), 0.0),
        ("max", (0.0, -1.0), 0.0),
    ],
)
def test_aggregates(aggregate: str, scores: tuple[float, ...], expected: float) -> None:
    assert value(over(aggregate), *scored(*scores)) == pytest.approx(expected, rel=1e-15)


AGGREGATES = [str(each) for each in Aggregate if each is not Aggregate.COUNT]


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_what_is_not_numeric_is_passed_over(aggregate: str) -> None:
    odd: tuple[Scalar, ...] = (math.nan, math.inf, -math.inf, "0.9", "high", True, False)

    found = only(over(aggregate), *scored(0.5, *odd), run("z"))

    assert (found.value, found.known, found.selected) == (0.5, 1, 9)


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", '"NaN"', "Infinity", '"Infinity"', "-Infinity", "1e400", f"{10**400}"),
        *("true", "null", "{}", "[]", '{"max": 1}', '"0.9"'),
    ],
)
def test_from_the_wire_to_the_mean_only_finite_json_numbers_count(text: str) -> None:
    node = {"name": "b", "state": "finished", "heartbeatAt": "2026-03-08T12:00:00Z"}
    accuracy = Selection(summary_keys=frozenset({"accuracy"}))
    odd = make_run({**node, "summaryMetrics": f'{{"accuracy": {text}}}'}, accuracy, NOW)

    found = only(AVERAGE, run(values={"summary.accuracy": 0.5}), odd)

    assert (found.value, found.known, found.selected) == (0.5, 1, 2)


@pytest.mark.parametrize("aggregate", [each for each in AGGREGATES if each != "sum"])
def test_of_no_numbers_there_is_no_value(aggregate: str) -> None:
    assert value(over(aggregate)) is None
    assert value(over(aggregate), *scored("high", math.nan)) is None


def test_the_count_and_the_sum_of_no_runs_are_0_but_the_sum_of_runs_without_numbers_is_none() -> (
    None
):
    assert value(over("count", None)) == 0
    assert value(over("sum")) == 0
    assert value(over("sum"), *scored("high")) is None
    assert value(over("sum", Field("run", "gpu_utilization")), run()) is None


def test_sums_too_large_for_a_number_are_unknown_and_means_are_not() -> None:
    runs = scored(1.5e308, 1.5e308)

    assert value(over("mean"), *runs) == 1.5e308
    assert reduce(over("sum"), runs, RULES) == Unknown(
        "the values under summary.score are too large to add up",
        "leave out what cannot be right: if: {summary.score: {lt: 1000000000}}",
        ExitCode.TEMPORARY,
    )


def test_the_run_that_holds_an_extreme_is_named() -> None:
    runs = scored(1.0, 5.0, -2.0)

    assert only(over("max"), *runs).holder == runs[1]
    assert only(over("min"), *runs).holder == runs[2]
    assert only(over("mean"), *runs).holder is None


@pytest.mark.parametrize("aggregate", ["max", "min"])
def test_of_equal_extremes_the_run_created_earlier_then_the_greater_id_holds_it(
    aggregate: str,
) -> None:
    early, late = (
        [replace(each, created_at=time) for each in scored(1.0, 1.0, 1.0)]
        for time in (NOW - 2 * HOUR, NOW - HOUR)
    )

    for runs in ([late[0], early[1], late[2]], [late[2], early[1], late[0]]):
        holder = only(over(aggregate), *runs).holder
        assert holder is not None
        assert holder.id == "b"
    for runs in (early, early[::-1]):
        holder = only(over(aggregate), *runs).holder
        assert holder is not None
        assert holder.id == "c"


def latest(*runs: Run) -> tuple[float | None, str | None]:
    found = only(over("latest", Field("summary", "loss")), *runs)
    return found.value, found.holder.id if found.holder else None


def test_latest_is_the_number_of_the_run_that_beat_last_among_those_that_have_one() -> None:
    old = run("a", beat=NOW - HOUR, values={"summary.loss": 1.0})
    new = run("b", "crashed", beat=NOW, values={"summary.loss": 2.0})
    newer_without = run("c", beat=NOW + HOUR, values={"summary.loss": math.nan})

    assert latest(old, new, newer_without) == (2.0, "b")


def test_latest_needs_a_heartbeat() -> None:
    unborn = run("a", beat=None, created_at=NOW + HOUR, values={"summary.loss": 1.0})
    alive = run("b", beat=NOW - WEEK, values={"summary.loss": 2.0})

    assert latest(unborn) == (None, None)
    assert latest(unborn, alive) == (2.0, "b")


def test_a_tie_of_heartbeats_goes_to_the_later_creation_then_to_the_greater_id() -> None:
    early = run("z", hours=2, values={"summary.loss": 1.0})
    late_b = run("b", hours=1, values={"summary.loss": 2.0})
    late_a = run("a", hours=1, values={"summary.loss": 3.0})
    unknown = run("y", created_at=None, values={"summary.loss": 4.0})

    assert latest(early, late_a) == (3.0, "a")
    assert latest(late_a, late_b) == latest(late_b, late_a) == (2.0, "b")
    assert latest(unknown, early) == (1.0, "z")


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 10.0), (25, 20.0), (50, 30.0), (90, 46.0), (100, 50.0)]
)
def test_percentiles_interpolate_between_the_nearest_ranks(percent: int, expected: float) -> None:
    assert percentile([50.0, 20.0, 40.0, 10.0, 30.0], percent) == expected


# durations


def test_the_mean_duration_is_over_finished_runs_whose_duration_is_known() -> None:
    runs = [
        run("resumed", hours=100, compute_seconds=7200.0),
        run("plain", hours=4),
        run("backwards", hours=-1),
        run("unborn", beat=None, created_at=NOW),
        run("failed", "failed", hours=50),
        run("old", beat=NOW - WEEK - SECOND, hours=50),
    ]

    found = only(DURATION, *runs)

    assert (found.value, found.known, found.selected) == (3.0, 2, 4)


def test_a_duration_is_not_clipped_to_the_window() -> None:
    assert value(DURATION, run(hours=30 * 24)) == 720.0


def test_a_duration_of_nothing_is_known() -> None:
    assert value(DURATION, run(hours=0)) == 0.0


# GPUs


@pytest.mark.parametrize(
    ("each", "hours"),
    [
        (run(hours=2), 2.0),
        (run(hours=2, gpu_count=8), 16.0),
        (run(hours=100, compute_seconds=3600.0, gpu_count=4), 4.0),
        (run(hours=30 * 24), 168.0),
        (run(hours=30 * 24, gpu_count=8), 1344.0),
        (run(beat=NOW - WEEK + HOUR, hours=5, gpu_count=2), 2.0),
        (run(beat=NOW - WEEK, hours=5), 0.0),
        (run(beat=NOW + HOUR, hours=5), 5.0),
        (run(beat=NOW + HOUR, hours=30 * 24), 169.0),  # the window has no upper end
        (run(beat=None, created_at=NOW - HOUR, compute_seconds=1800.0), 0.5),
        (run(state="running", hours=3), 3.0),
        (run(hours=0), 0.0),
    ],
)
def test_gpu_hours_are_gpus_times_the_part_of_the_run_in_the_window(
    each: Run, hours: float
) -> None:
    assert value(GPU_HOURS, each) == hours


def test_an_unknown_duration_adds_nothing_and_can_be_told() -> None:
    unborn = run("b", "failed", beat=None, created_at=NOW)

    found = only(GPU_HOURS, run(hours=2), unborn)

    assert (found.value, found.known, found.selected) == (2.0, 1, 2)
    assert value(GPU_HOURS, unborn) == 0.0
    assert value(GPU_HOURS) == 0.0


def test_gpu_hours_without_a_window_are_of_the_whole_run() -> None:
    metric = over("sum", Field("run", "gpu_hours"), full_scan=True)

    assert value(metric, run(hours=1000, gpu_count=2)) == 2000.0


def test_utilization_is_the_mean_over_runs_of_the_mean_over_their_gpus() -> None:
    def node(name: str, state: str, system: str) -> Run:
        beat = "2026-03-08T11:00:00Z"
        node = {"name": name, "state": state, "heartbeatAt": beat, "systemMetrics": system}
        return make_run(node, EVERY_RUN, NOW)

    runs = [
        node("a", "finished", '{"system.gpu.0.gpu": 100, "system.gpu.1.gpu": 50}'),
        node("b", "running", '{"system.gpu.0.gpu/l:n1": 25, "system.gpu.process.0.gpu": 99}'),
        node("c", "failed", '{"system.cpu": 90}'),
    ]

    found = only(UTILIZATION, *runs)

    assert (found.value, found.known, found.selected) == (50.0, 2, 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("age_hours", 3.0), ("silent_minutes", 60.0), ("duration_hours", 2.0), ("gpus", 1.0)],
)
def test_derived_fields(name: str, expected: float) -> None:
    assert measure(Field("run", name), run(beat=NOW - HOUR, hours=2), RULES, None) == expected


@pytest.mark.parametrize("name", ["age_hours", "silent_minutes"])
def test_w19_ages_of_what_is_yet_to_be_are_0(name: str) -> None:
    assert measure(Field("run", name), run(beat=NOW + 3 * HOUR), RULES, None) == 0.0


@pytest.mark.parametrize(
    "name", ["age_hours", "silent_minutes", "duration_hours", "gpu_hours", "gpu_utilization"]
)
def test_w17_a_run_without_times_has_no_derived_numbers(name: str) -> None:
    assert measure(Field("run", name), Run("a"), RULES, None) is None


# conditions


def passes(op: Op, wanted: float | str | bool, value: Scalar | None) -> bool:
    condition = Condition(SCORE, op, wanted)
    values = {} if value is None else {"summary.score": value}
    return only(over("count", None, conditions=(condition,)), run(values=values)).value == 1


@pytest.mark.parametrize(
    ("op", "below", "equal", "above"),
    [
        *(("gt", False, False, True), ("gte", False, True, True)),
        *(("lt", True, False, False), ("lte", True, True, False)),
        *(("eq", False, True, False), ("ne", True, False, True)),
    ],
)
def test_numbers_are_compared(op: Op, below: bool, equal: bool, above: bool) -> None:
    assert [passes(op, 2.0, score) for score in (1.0, 2.0, 3.0)] == [below, equal, above]


@pytest.mark.parametrize("op", ["gt", "gte", "lt", "lte"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "3", True, None])
def test_order_holds_for_finite_numbers_only(op: Op, value: Scalar | None) -> None:
    assert not passes(op, 0.0, value)
    assert not passes(op, 2.0, value)


@pytest.mark.parametrize(
    ("wanted", "value", "same"),
    [
        *(("adam", "adam", True), ("adam", "Adam", False), (True, True, True)),
        *((True, False, False), (True, 1.0, False), (1.0, True, False), (0.0, False, False)),
        *(("1", 1.0, False), (1.0, "1", False), (1.0, math.nan, False)),
    ],
)
def test_eq_is_of_the_same_kind_and_ne_is_its_opposite(
    wanted: Scalar, value: Scalar, same: bool
) -> None:
    assert passes("eq", wanted, value) is same
    assert passes("ne", wanted, value) is not same


def test_what_is_missing_is_neither_equal_nor_unequal() -> None:
    assert not passes("eq", "adam", None)
    assert not passes("ne", "adam", None)


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        *((math.nan, {"nan", "not_finite"}), (math.inf, {"infinite", "not_finite"})),
        (-math.inf, {"infinite", "not_finite"}),
        *((0.0, {"numeric"}), ("text", set()), (True, set()), (None, {"missing"})),
    ],
)
def test_is_tells_what_cannot_be_compared(value: Scalar | None, kinds: set[str]) -> None:
    words = ("nan", "infinite", "not_finite", "numeric", "missing")

    assert {word for word in words if passes("is", word, value)} == kinds


def test_a_condition_may_be_on_a_derived_field_and_all_must_hold() -> None:
    idle = Condition(Field("run", "silent_minutes"), "gt", 30.0)
    large = Condition(Field("run", "gpus"), "gte", 8.0)
    metric = over("count", None, states=("running",), conditions=(idle, large))

    runs = [
        run("a", "running", beat=NOW - HOUR, gpu_count=8),
        run("b", "running", beat=NOW - HOUR, gpu_count=4),
        run("c", "running", beat=NOW - timedelta(minutes=30), gpu_count=8),
        run("d", "finished", beat=NOW - HOUR, gpu_count=8),
    ]

    assert [each.id for each in by_group(metric, runs, RULES)[()]] == ["a"]
    assert only(metric, *runs).selected == 1


def test_gpu_hours_in_a_condition_are_clipped_as_in_a_value() -> None:
    condition = Condition(Field("run", "gpu_hours"), "gt", 168.0)

    assert value(over("count", None, window=WEEK, conditions=(condition,)), run(hours=999)) == 0
    assert value(over("count", None, conditions=(condition,)), run(hours=999)) == 1


# groups


def groups(by: tuple[str, ...], *runs: Run) -> dict[tuple[str, ...], float | None]:
    """Number of runs by the values of their tags."""
    found = series(over("count", None, by=by), runs)
    return {tuple(each.tags.values()): each.value for each in found}


def test_groups_split_a_metric_into_series_in_the_order_of_their_tags() -> None:
    runs = [
        run("a", user="eve", group="g1", values={"summary.score": 1.0}),
        run("b", user="ada", group="g2", values={"summary.score": 2.0}),
        run("c", user="ada", group="g2", values={"summary.score": 4.0}),
    ]

    found = series(over("mean", by=("user", "group")), runs)

    assert [(dict(each.tags), each.value, each.known) for each in found] == [
        ({"user": "ada", "group": "g2"}, 3.0, 2),
        ({"user": "eve", "group": "g1"}, 1.0, 1),
    ]


@pytest.mark.parametrize(
    ("group", "rest"),
    [
        *(("user", {"user": "x"}), ("group", {"group": "x"}), ("job_type", {"job_type": "x"})),
        *(("sweep", {"sweep": "x"}), ("host", {"host": "x"}), ("gpu_type", {"gpu_type": "x"})),
        *(("tag", {"tags": ("x",)}), ("config.lr", {"values": {"config.lr": "x"}})),
    ],
)
def test_runs_without_a_group_are_under_none(group: str, rest: Any) -> None:
    assert groups((group,), run("a", **rest), run("b")) == {("x",): 1, ("none",): 1}


def test_runs_are_grouped_by_state_and_by_id() -> None:
    runs = [run("a", "failed"), run("b", "finished"), run("c", "failed")]

    assert groups(("state",), *runs) == {("failed",): 2, ("finished",): 1}
    assert groups(("run",), *runs) == {("a",): 1, ("b",): 1, ("c",): 1}


def test_a_run_with_several_tags_counts_once_under_each() -> None:
    runs = [run("a", tags=("x", "y", "x")), run("b", tags=("y",))]

    assert groups(("tag",), *runs) == {("x",): 1, ("y",): 2}
    assert groups(("tag", "state"), *runs) == {("x", "finished"): 1, ("y", "finished"): 2}


@pytest.mark.parametrize(
    ("configured", "text"),
    [
        *((True, "true"), (False, "false"), (8.0, "8"), (0.0003, "0.0003"), (1e-5, "1e-05")),
        *((-2.0, "-2"), (1234567.5, "1234567.5"), (1e300, "1e+300"), ("adam", "adam")),
        *(("", "none"), (math.nan, "nan"), (math.inf, "inf")),
    ],
)
def test_a_config_value_is_a_tag(configured: Scalar, text: str) -> None:
    assert groups(("config.lr",), run(values={"config.lr": configured})) == {(text,): 1}


def test_config_values_that_differ_little_are_groups_of_their_own() -> None:
    runs = [run("a", values={"config.lr": 0.1234567}), run("b", values={"config.lr": 0.1234568})]

    assert len(groups(("config.lr",), *runs)) == 2


def test_a_config_key_is_its_tags_name_unless_that_means_something_else() -> None:
    names = ("config.model.config.x", "config.user", "config.wandb_project", "user", "config.lr")

    (tags,) = group_tags(names, run())

    assert [key for key, _ in tags] == [
        *("model.config.x", "config_user", "config_wandb_project", "user", "lr")
    ]


def test_of_no_runs_there_are_no_groups() -> None:
    assert series(over("count", None, by=("user",)), []) == []


# what the server cannot serve


def hidden(metric: Metric, *parts: str, rules: Rules = RULES, **rest: Any) -> bool:
    """Whether a run that hides these parts makes the metric unknown."""
    return isinstance(
        reduce(metric, [run("p", unreadable=frozenset(parts), **rest)], rules), Unknown
    )


def test_w5_a_metric_that_needs_what_a_run_hides_is_unknown_and_the_run_is_named() -> None:
    poison = run("p", display_name="bad-sun-2", unreadable=frozenset({"summaryMetrics"}))

    assert reduce(AVERAGE, [run(), poison], RULES) == Unknown(
        "W&B cannot serve summaryMetrics of run p (bad-sun-2)",
        "look at the run in W&B; deleting it, or asking support@wandb.com, fixes it",
    )
    assert value(COMPLETED, run(), poison) == 2


def test_w5_a_run_outside_the_window_or_of_another_state_may_hide_what_it_likes() -> None:
    assert not hidden(AVERAGE, "summaryMetrics", beat=NOW - 2 * WEEK)
    assert not hidden(AVERAGE, "summaryMetrics", state="failed")


@pytest.mark.parametrize(
    ("field", "part"),
    [
        *(("summary.x", "summaryMetrics"), ("config.x", "config"), ("system.x", "systemMetrics")),
        *(("run.duration_hours", "computeSeconds"), ("run.gpu_hours", "computeSeconds")),
        *(("run.gpus", "runInfo"), ("run.gpus", "systemMetrics"), ("run.gpus", "config")),
        ("run.gpu_utilization", "systemMetrics"),
        *((f"run.{name}", "summaryMetrics") for name in ("duration_hours", "gpu_hours")),
    ],
)
def test_w5_each_field_needs_its_part_as_a_value_and_in_a_condition(field: str, part: str) -> None:
    asked = Field.parse(field)
    condition = Condition(asked, "is", "missing")

    assert hidden(over("sum", asked), part)
    assert hidden(over("count", None, conditions=(condition,)), part)
    assert not hidden(over("count", None), part)


def test_w5_a_length_needs_the_summary_only_where_the_exit_stands_there() -> None:
    for name in ("duration_hours", "gpu_hours"):
        metric = over("sum", Field("run", name))

        assert hidden(metric, "summaryMetrics", state="failed")
        assert not hidden(metric, "summaryMetrics", state="failed", compute_seconds=60.0)
        assert not hidden(metric, "summaryMetrics", state="crashed")


def test_w5_an_unreadable_summary_leaves_ages_and_the_latest_to_the_heartbeat() -> None:
    assert not hidden(over("sum", Field("run", "age_hours")), "summaryMetrics")
    assert not hidden(over("sum", Field("run", "silent_minutes")), "summaryMetrics")
    assert not hidden(over("latest", Field("config", "lr")), "summaryMetrics")


def test_w5_a_recorded_gpu_count_needs_the_samples_that_may_show_more_nodes() -> None:
    metric = over("sum", Field("run", "gpus"))

    assert hidden(metric, "systemMetrics", gpu_count=8)
    assert not hidden(metric, "config", gpu_count=8)


def test_w5_gpus_that_the_settings_tell_need_nothing_else() -> None:
    parts = ("config", "systemMetrics")
    metric = over("sum", Field("run", "gpus"))

    assert not hidden(metric, *parts, rules=Rules(NOW, 8.0))
    assert hidden(metric, "config", gpu_count=8, rules=Rules(NOW, "config.x"))
    known = {"config.x": 4.0}
    assert not hidden(metric, "systemMetrics", values=known, rules=Rules(NOW, "config.x"))


@pytest.mark.parametrize(
    ("group", "part"),
    [
        *(("user", "user"), ("tag", "tags"), ("job_type", "jobType"), ("sweep", "sweepName")),
        *(("gpu_type", "runInfo"), ("gpu_type", "config"), ("config.x", "config")),
    ],
)
def test_w5_a_run_that_hides_its_group_is_not_counted_under_none(group: str, part: str) -> None:
    assert hidden(over("count", None, by=(group,)), part)
    assert not hidden(over("count", None, by=("state",)), part)


# properties

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCORES = st.lists(FINITE, min_size=1, max_size=20)


@given(SCORES)
def test_means_and_percentiles_lie_between_the_least_and_the_greatest(scores: list[float]) -> None:
    runs = [run(str(at), values={"summary.score": score}) for at, score in enumerate(scores)]

    for aggregate in ("mean", "p50", "p90", "p95", "p99", "min", "max", "latest"):
        found = value(over(aggregate), *runs)
        assert found is not None
        assert min(scores) <= found <= max(scores)


@given(SCORES, st.floats(0, 100), st.floats(0, 100))
def test_a_greater_percentile_is_no_less(scores: list[float], one: float, other: float) -> None:
    assert percentile(scores, min(one, other)) <= percentile(scores, max(one, other))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.integers(1, 99))
def test_percentiles_are_those_of_the_standard_library(values: list[float], percent: int) -> None:
    expected = statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

    assert percentile(values, percent) == pytest.approx(expected, rel=1e-9, abs=1e-9)


RUNS = st.lists(
    st.builds(
        Run,
        id=st.uuids().map(str),
        state=st.sampled_from(["finished", "failed", "running"]),
        created_at=st.none() | st.floats(-1, 500).map(lambda hours: NOW - hours * HOUR),
        heartbeat_at=st.none() | st.floats(0, 500).map(lambda hours: NOW - hours * HOUR),
        compute_seconds=st.none() | st.floats(-10, 1e9),
        gpu_count=st.none() | st.integers(1, 64),
        gpus_seen=st.integers(0, 16),
    ),
    max_size=8,
)


@given(RUNS, st.sampled_from(["auto", 2.0, "config.none"]))
def test_gpu_hours_never_exceed_gpus_times_the_window(
    runs: list[Run], per_run: float | Literal["auto", "config.none"]
) -> None:
    rules = Rules(NOW, per_run)
    runs = [each for each in runs if each.last_sign is None or each.last_sign <= NOW]

    found = value(GPU_HOURS, *runs, rules=rules)

    assert found is not None
    bound = 168 * sum(gpus(each, rules) for each in runs)
    assert 0 <= found <= bound * (1 + 1e-12)


@given(RUNS)
def test_groups_that_hold_each_run_once_add_up_to_the_whole(runs: list[Run]) -> None:
    whole = value(over("count", None), *runs)

    parts = [each.value or 0 for each in series(over("count", None, by=("state", "host")), runs)]

    assert sum(parts) == whole


@given(RUNS, st.randoms())
def test_no_value_depends_on_the_order_of_the_runs(runs: list[Run], random: Any) -> None:
    shuffled = random.sample(runs, len(runs))

    for metric in TEN.values():
        if metric.window:
            assert value(metric, *runs) == value(metric, *shuffled)

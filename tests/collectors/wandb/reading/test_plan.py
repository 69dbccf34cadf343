"""A catalog compiled into the fewest reads that answer it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmetrics.collectors.wandb.fields import LIFE
from runmetrics.collectors.wandb.metrics.catalog import (
    Aggregate,
    Condition,
    Field,
    Metric,
    load_catalog,
)
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter
from runmetrics.collectors.wandb.reading.plan import (
    CountRead,
    Plan,
    RankedRead,
    ScanRead,
    compile_plan,
    field_selection,
    metric_selection,
)
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.config.file_settings import FileSettings

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
WEEK, DAY, HOUR = timedelta(days=7), timedelta(days=1), timedelta(hours=1)
ACCURACY, LOSS = Field("summary", "accuracy"), Field("summary", "loss")
TEAM = {"group": "team"}
MOST = 1.7976931348623157e308
ALL, OF_TEAM = EVERYTHING, Filter.of(TEAM)
TEN = load_catalog(None, FileSettings()).metrics


def plan_of(yaml: str, *, builtin: bool = False, gpus: str | float = "auto") -> Plan:
    """The plan for a file's metrics, with or without the ten."""
    text = f"builtin: {str(builtin).lower()}\nmetrics:\n{yaml}"
    config = parse_config(text, Path("runmetrics.yaml"))
    return compile_plan(load_catalog(config, FileSettings()).metrics, gpus)


def count(name: str, **rest: Any) -> Metric:
    return Metric(name, Aggregate.COUNT, None, **rest)


def summary(*keys: str) -> Selection:
    return Selection(summary_keys=frozenset(keys))


# the ten


def test_the_ten_cost_two_counts_one_scan_and_two_ranked_reads() -> None:
    plan = compile_plan(TEN)

    parts = frozenset({"computeSeconds", "runInfo", "systemMetrics"})
    assert plan.counts == (CountRead(ALL, ("running",)), CountRead(ALL, ()))
    selection = LIFE | Selection(parts, frozenset({"accuracy", "loss"}))
    assert plan.scans == (ScanRead(ALL, WEEK, selection),)
    assert plan.ranked == (
        RankedRead(ALL, (), ACCURACY, Aggregate.MAX),
        RankedRead(ALL, (), LOSS, Aggregate.LATEST),
    )


def test_each_of_the_ten_is_answered_by_one_of_these_reads() -> None:
    plan = compile_plan(TEN)
    running, total = plan.counts
    (week,) = plan.scans
    best, latest = plan.ranked

    assert plan.answers == {
        "wandb.runs.active": running,
        "wandb.runs.completed_7d": week,
        "wandb.runs.failed_7d": week,
        "wandb.runs.total": total,
        "wandb.metrics.best_accuracy": best,
        "wandb.metrics.latest_loss": latest,
        "wandb.metrics.avg_accuracy_7d": week,
        "wandb.training.avg_duration_hours": week,
        "wandb.training.gpu_utilization_avg": week,
        "wandb.training.total_gpu_hours_7d": week,
    }


def test_a_metric_over_the_same_window_costs_no_further_read() -> None:
    plan = plan_of("- {name: a.b, p95: summary.tokens, window: 7d, by: user}", builtin=True)

    (week,) = plan.scans
    assert "tokens" in week.selection.summary_keys
    assert "user" in week.selection.parts
    assert (len(plan.counts), len(plan.ranked)) == (2, 2)


def test_a_filter_is_the_same_whatever_the_order_of_its_keys() -> None:
    plan = plan_of(
        "- {name: a.b, count: runs, where: {x: 1, y: {$gt: 2, $lt: 3}}}\n"
        "- {name: a.c, count: runs, where: {y: {$lt: 3, $gt: 2}, x: 1}}"
    )
    assert plan.answers["a.b"] == plan.answers["a.c"]


# which read


@pytest.mark.parametrize("aggregate", ["max", "min", "latest"])
@pytest.mark.parametrize("field", ["summary.x", "config.x"])
def test_extremes_and_latest_values_without_a_window_are_ranked(aggregate: str, field: str) -> None:
    plan = plan_of(f"- {{name: a.b, {aggregate}: {field}, state: finished}}")

    source, key = field.split(".")
    read = RankedRead(ALL, ("finished",), Field(source, key), Aggregate(aggregate))  # type: ignore[arg-type]
    assert plan.ranked == (read,)
    assert plan.scans == ()


@pytest.mark.parametrize(
    "text",
    [
        "mean: summary.x",
        "count: runs",
        "max: run.duration_hours",
        "max: summary.x, by: user",
        "count: runs, if: {summary.x: {gt: 1}}",
    ],
)
def test_with_full_scan_everything_is_reduced_from_every_run(text: str) -> None:
    plan = plan_of(f"- {{name: a.b, full_scan: true, {text}}}")

    (scan,) = plan.scans
    assert scan.window is None
    assert plan.answers == {"a.b": scan}


@pytest.mark.parametrize("text", ["count: runs", "max: summary.x", "latest: summary.x"])
def test_with_a_window_everything_is_reduced_from_its_scan(text: str) -> None:
    plan = plan_of(f"- {{name: a.b, window: 24h, {text}}}")

    (scan,) = plan.scans
    assert scan.window == DAY
    assert (plan.counts, plan.ranked, plan.answers) == ((), (), {"a.b": scan})


def test_equal_reads_are_made_once() -> None:
    plan = compile_plan(
        [
            count("a", states=("failed",)),
            count("b", states=("failed",)),
            Metric("c", Aggregate.MAX, LOSS),
            Metric("d", Aggregate.MAX, LOSS),
            Metric("e", Aggregate.MIN, LOSS),
        ]
    )

    assert plan.counts == (CountRead(ALL, ("failed",)),)
    assert [read.aggregate for read in plan.ranked] == [Aggregate.MAX, Aggregate.MIN]


# scans


def test_a_narrower_window_that_asks_no_more_is_answered_by_the_wider_scan() -> None:
    plan = compile_plan(
        [
            Metric("day", Aggregate.MEAN, LOSS, window=DAY),
            Metric("week", Aggregate.MEAN, LOSS, window=WEEK),
        ]
    )

    assert plan.scans == (ScanRead(ALL, WEEK, LIFE | summary("loss")),)
    assert plan.answers["day"] == plan.answers["week"] == plan.scans[0]


def test_a_narrower_window_that_asks_more_has_its_own_scan() -> None:
    plan = compile_plan(
        [
            Metric("day", Aggregate.MEAN, LOSS, window=DAY),
            Metric("week", Aggregate.MEAN, ACCURACY, window=WEEK),
        ]
    )

    day, week = (
        ScanRead(ALL, DAY, LIFE | summary("loss")),
        ScanRead(ALL, WEEK, LIFE | summary("accuracy")),
    )
    assert plan.scans == (day, week)
    assert plan.answers == {"day": day, "week": week}


def test_a_full_scan_answers_every_window_within_it() -> None:
    plan = compile_plan(
        [
            Metric("ever", Aggregate.MEAN, LOSS, full_scan=True),
            Metric("week", Aggregate.MEAN, LOSS, window=WEEK),
        ]
    )

    assert plan.scans == (ScanRead(ALL, None, LIFE | summary("loss")),)
    assert plan.answers["week"] == plan.scans[0]


def test_different_filters_are_different_scans_and_equal_ones_are_one() -> None:
    plan = compile_plan(
        [
            count("all", window=WEEK),
            count("team", window=WEEK, where=TEAM),
            count("team too", window=WEEK, where=dict(TEAM), states=("failed",)),
        ]
    )

    assert plan.scans == (
        ScanRead(ALL, WEEK, LIFE),
        ScanRead(OF_TEAM, WEEK, LIFE),
    )
    assert plan.answers["team"] == plan.answers["team too"] == plan.scans[1]


def test_states_and_the_way_a_window_is_counted_are_told_apart_on_our_side() -> None:
    plan = plan_of(
        "- {name: a.b, count: runs, window: 7d, window_by: created}\n"
        "- {name: a.c, count: runs, window: 7d, state: killed}"
    )

    assert plan.scans == (ScanRead(ALL, WEEK, LIFE),)


def test_where_there_are_only_counts_a_scan_of_the_last_hour_bears_witness() -> None:
    plan = compile_plan([count("a")])

    assert plan.scans == (ScanRead(ALL, HOUR, Selection()),)
    assert plan.scan_of(ALL) == plan.scans[0]


@pytest.mark.parametrize("rest", [{"window": DAY, "where": TEAM}, {"full_scan": True}])
def test_a_scan_of_other_runs_or_of_every_run_is_no_such_witness(rest: Any) -> None:
    plan = compile_plan([count("a"), count("b", **rest)])

    assert plan.scans[-1] == ScanRead(ALL, HOUR, Selection())
    assert len(plan.scans) == 2


def test_without_counts_nothing_is_read_to_bear_witness() -> None:
    assert compile_plan([Metric("a", Aggregate.MAX, LOSS)]).scans == ()


def test_the_widest_window_of_a_filter_reads_what_is_ranked_under_it() -> None:
    plan = compile_plan(
        [
            Metric("latest", Aggregate.LATEST, LOSS),
            Metric("best", Aggregate.MAX, ACCURACY, where=TEAM),
            count("day", window=DAY, by=("user",)),
            count("week", window=WEEK),
            count("team", window=WEEK, where=TEAM),
        ]
    )

    assert plan.scans == (
        ScanRead(ALL, DAY, LIFE | Selection(frozenset({"user"}))),
        ScanRead(ALL, WEEK, LIFE | summary("loss")),
        ScanRead(OF_TEAM, WEEK, LIFE | summary("accuracy")),
    )
    assert plan.scan_of(ALL) == plan.scans[1]
    assert plan.scan_of(OF_TEAM) == plan.scans[2]
    assert plan.scan_of(Filter.of({"group": "other"})) is None


def test_a_narrower_scan_of_what_is_ranked_is_answered_by_the_widest_window() -> None:
    plan = compile_plan(
        [
            Metric("latest", Aggregate.LATEST, LOSS),
            Metric("day", Aggregate.MEAN, LOSS, window=DAY),
            count("week", window=WEEK),
        ]
    )

    assert plan.scans == (ScanRead(ALL, WEEK, LIFE | summary("loss")),)
    assert plan.answers["day"] == plan.scans[0]


def test_a_filter_is_counted_bare_beside_the_whole_project_to_see_whether_it_matches() -> None:
    plan = compile_plan([count("a", where=TEAM, window=WEEK), count("b", where=TEAM)])

    assert plan.counts == (CountRead(OF_TEAM, ()), CountRead(ALL, ()))
    assert compile_plan([count("a", window=WEEK)]).counts == ()


# what is read of each run


@pytest.mark.parametrize(
    ("field", "selection"),
    [
        ("summary.val/acc", summary("val/acc")),
        ("config.opt.lr", Selection(config_keys=frozenset({"opt.lr"}))),
        (
            "system.cpu",
            Selection(frozenset({"systemMetrics"}), system_keys=frozenset({"cpu"})),
        ),
        ("run.duration_hours", LIFE | Selection(frozenset({"computeSeconds"}))),
        (
            "run.gpu_hours",
            LIFE | Selection(frozenset({"computeSeconds", "runInfo", "systemMetrics"})),
        ),
        ("run.gpus", Selection(frozenset({"runInfo", "systemMetrics"}))),
        ("run.gpu_utilization", Selection(frozenset({"systemMetrics"}))),
        ("run.age_hours", LIFE),
        ("run.silent_minutes", LIFE),
    ],
)
def test_a_field_is_known_from_these_parts(field: str, selection: Selection) -> None:
    assert field_selection(Field.parse(field)) == selection


def test_a_fixed_number_of_gpus_reads_none_and_a_config_key_falls_back_on_what_is_recorded() -> (
    None
):
    hours, gpus = Field("run", "gpu_hours"), Field("run", "gpus")

    assert field_selection(gpus, 8) == Selection()
    assert field_selection(gpus, 8.0) == Selection()
    assert field_selection(hours, 8.0) == LIFE | Selection(frozenset({"computeSeconds"}))
    assert field_selection(gpus, "config.n.gpus") == Selection(
        frozenset({"runInfo", "systemMetrics"}), config_keys=frozenset({"n.gpus"})
    )


def test_conditions_and_groups_are_read_too() -> None:
    metric = Metric(
        "a",
        Aggregate.MEAN,
        LOSS,
        window=DAY,
        conditions=(
            Condition(ACCURACY, "gt", 0.5),
            Condition(Field("run", "silent_minutes"), "gt", 30.0),
        ),
        by=("user", "config.opt.name", "state", "run"),
    )

    assert metric_selection(metric) == LIFE | Selection(
        frozenset({"user"}), frozenset({"loss", "accuracy"}), frozenset({"opt.name"})
    )


@pytest.mark.parametrize(
    ("group", "part"),
    [
        *(("user", "user"), ("group", "group"), ("job_type", "jobType"), ("sweep", "sweepName")),
        *(("host", "host"), ("gpu_type", "runInfo"), ("tag", "tags")),
    ],
)
def test_a_group_is_read_from_its_part(group: str, part: str) -> None:
    assert metric_selection(count("a", by=(group,))) == LIFE | Selection(frozenset({part}))


# how it is asked


@pytest.mark.parametrize(
    ("aggregate", "field", "path", "order"),
    [
        ("max", "summary.accuracy", "summary_metrics.accuracy", "-summary_metrics.accuracy"),
        ("min", "summary.val/loss", "summary_metrics.val/loss", "+summary_metrics.val/loss"),
        ("max", "summary.a.b", "summary_metrics.a.b", "-summary_metrics.a.b"),
        ("max", "config.lr", "config.lr", "-config.lr.value"),
        ("min", "config.opt.lr", "config.opt.lr", "+config.opt.value.lr"),
        ("min", "config.a.b.c", "config.a.b.c", "+config.a.value.b.c"),
        ("latest", "summary.loss", "summary_metrics.loss", "-heartbeat_at"),
        ("latest", "config.lr", "config.lr", "-heartbeat_at"),
    ],
)
def test_a_ranked_read_has_a_camel_case_filter_and_a_snake_case_order(
    aggregate: str, field: str, path: str, order: str
) -> None:
    read = RankedRead(OF_TEAM, ("finished",), Field.parse(field), Aggregate(aggregate))

    assert read.path == path
    assert read.order == order
    assert read.base == OF_TEAM & Filter.of({"state": "finished"})
    assert read.filter == read.base & Filter.of({path: {"$gte": -MOST, "$lte": MOST}})


def test_a_count_asks_for_its_states() -> None:
    one, two = CountRead(ALL, ("running",)), CountRead(ALL, ("failed", "crashed"))

    assert CountRead(ALL, ()).filter == ALL
    assert one.filter.as_mapping() == {"state": "running"}
    assert two.filter.as_mapping() == {"state": {"$in": ["failed", "crashed"]}}
    assert CountRead(OF_TEAM, ("running",)).filter == OF_TEAM & one.filter


def test_a_scan_asks_for_a_second_more_than_its_window_in_whole_seconds_with_z() -> None:
    after = {"$gt": "2026-03-01T11:59:59Z"}
    window = Filter.of({"$or": [{"heartbeatAt": after}, {"createdAt": after}]})

    assert ScanRead(ALL, WEEK, LIFE).filter(NOON) == window
    assert ScanRead(ALL, WEEK, LIFE).filter(NOON.replace(microsecond=999_999)) == window
    assert ScanRead(OF_TEAM, WEEK, LIFE).filter(NOON) == OF_TEAM & window
    assert ScanRead(OF_TEAM, None, Selection()).filter(NOON) == OF_TEAM
    assert ScanRead(ALL, None, Selection()).filter(NOON) == ALL


def test_slices_are_cut_at_the_days_of_a_week_and_the_months_of_a_history() -> None:
    week = ScanRead(ALL, WEEK, LIFE).boundaries(NOON)
    ever = ScanRead(ALL, None, Selection()).boundaries(NOON)

    assert week == [NOON - DAY * days for days in (7, 6, 5, 4, 3, 2, 1)]
    assert (len(ever), ever[0], ever[-1]) == (24, NOON - DAY * 720, NOON - DAY * 30)


# any catalog

FIELDS = st.sampled_from(
    [
        *("summary.a", "summary.a.b", "summary.val/c", "config.lr", "config.o.p", "system.cpu"),
        *("run.gpus", "run.gpu_hours", "run.duration_hours", "run.gpu_utilization"),
    ]
).map(Field.parse)
WHERES = st.sampled_from([{}, TEAM, {"$and": [TEAM, {"tags": "x"}]}])
METRICS = st.lists(
    st.builds(
        Metric,
        name=st.uuids().map(str),
        aggregate=st.sampled_from([each for each in Aggregate if each is not Aggregate.COUNT]),
        field=FIELDS,
        window=st.sampled_from([DAY, WEEK, timedelta(days=30)]),
        where=WHERES,
        states=st.sampled_from([(), ("failed",), ("failed", "crashed")]),
        by=st.sampled_from([(), ("user",), ("tag", "config.x"), ("gpu_type",)]),
    )
    | st.builds(
        Metric,
        name=st.uuids().map(str),
        aggregate=st.sampled_from([Aggregate.MAX, Aggregate.MIN, Aggregate.LATEST]),
        field=st.sampled_from(["summary.a", "summary.val/c", "config.lr"]).map(Field.parse),
        where=WHERES,
        full_scan=st.booleans(),
    )
    | st.builds(count, name=st.uuids().map(str), where=WHERES, full_scan=st.booleans()),
    max_size=8,
)


@given(METRICS)
def test_every_metric_is_answered_by_a_read_of_the_plan_that_holds_all_it_needs(
    metrics: list[Metric],
) -> None:
    plan = compile_plan(metrics)

    for metric in metrics:
        read = plan.answers[metric.name]
        assert read in (*plan.counts, *plan.scans, *plan.ranked)
        assert read.where == Filter.of(metric.where)
        if isinstance(read, ScanRead):
            assert read.selection.covers(metric_selection(metric))
            assert read.window is None or (metric.window and read.window >= metric.window)
        else:
            assert not metric.window
            assert not metric.full_scan
            assert read.states == metric.states


@given(METRICS)
def test_no_scan_could_be_left_out(metrics: list[Metric]) -> None:
    plan = compile_plan(metrics)

    used = [plan.answers[metric.name] for metric in metrics]
    witness = [scan for scan in plan.scans if scan not in used]
    assert all(scan.window == HOUR and scan.where == ALL for scan in witness)
    assert len(witness) <= bool(plan.counts)
    assert len({(scan.where, scan.window) for scan in plan.scans}) == len(plan.scans)


@given(METRICS)
def test_no_filter_ever_holds_null(metrics: list[Metric]) -> None:
    plan = compile_plan(metrics)

    filters = [
        *(read.filter for read in plan.counts),
        *(read.filter for read in plan.ranked),
        *(scan.filter(NOON) for scan in plan.scans),
    ]
    assert all("null" not in str(each) for each in filters)

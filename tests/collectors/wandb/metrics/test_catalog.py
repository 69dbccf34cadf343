"""Metrics are data: the built-in ten, and what a user's file makes of them."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.metrics.catalog import (
    Aggregate,
    Catalog,
    Condition,
    Field,
    Metric,
    load_catalog,
)
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.config.file_settings import FileSettings
from runmetrics.config.rules import length

WEEK = timedelta(days=7)
ACCURACY = Field("summary", "accuracy")
TEN = [
    Metric("wandb.runs.active", Aggregate.COUNT, None, "", "run", ("running",)),
    Metric("wandb.runs.completed_7d", Aggregate.COUNT, None, "", "run", ("finished",), WEEK),
    Metric("wandb.runs.failed_7d", Aggregate.COUNT, None, "", "run", ("failed", "crashed"), WEEK),
    Metric("wandb.runs.total", Aggregate.COUNT, None, "", "run"),
    Metric("wandb.metrics.best_accuracy", Aggregate.MAX, ACCURACY),
    Metric("wandb.metrics.latest_loss", Aggregate.LATEST, Field("summary", "loss")),
    Metric("wandb.metrics.avg_accuracy_7d", Aggregate.MEAN, ACCURACY, "", "", ("finished",), WEEK),
    Metric(
        "wandb.training.avg_duration_hours",
        Aggregate.MEAN,
        Field("run", "duration_hours"),
        "",
        "hour",
        ("finished",),
        WEEK,
    ),
    Metric(
        "wandb.training.gpu_utilization_avg",
        Aggregate.MEAN,
        Field("run", "gpu_utilization"),
        "",
        "percent",
        (),
        WEEK,
    ),
    Metric(
        "wandb.training.total_gpu_hours_7d",
        Aggregate.SUM,
        Field("run", "gpu_hours"),
        "",
        "hour",
        (),
        WEEK,
    ),
]
NAMES = [metric.name for metric in TEN]


def catalog(text: str, *, accuracy_key: str = "accuracy", loss_key: str = "loss") -> Catalog:
    config = parse_config(text, Path("runmetrics.yaml"))
    return load_catalog(config, FileSettings(accuracy_key=accuracy_key, loss_key=loss_key))


def only(text: str) -> Metric:
    """The metric of a file whose one entry has these further lines."""
    (metric,) = catalog(f"builtin: false\nmetrics:\n- name: a.b\n  {text}").metrics
    return metric


def builtin() -> tuple[Metric, ...]:
    return load_catalog(None, FileSettings()).metrics


def test_there_are_ten_built_in_metrics_in_the_order_they_are_shown() -> None:
    assert [metric.name for metric in builtin()] == NAMES


@pytest.mark.parametrize("expected", TEN, ids=NAMES)
def test_each_built_in_metric_is_what_its_definition_says(expected: Metric) -> None:
    metric = next(each for each in builtin() if each.name == expected.name)
    assert replace(metric, description="") == replace(expected, origin="builtin.yaml", builtin=True)


@pytest.mark.parametrize("metric", builtin(), ids=NAMES)
def test_each_built_in_description_fits_a_dashboard(metric: Metric) -> None:
    """Datadog's metadata.csv takes 400 ASCII characters without a bar."""
    assert 10 < len(metric.description) <= 100
    assert metric.description.isascii()
    assert "|" not in metric.description


def test_the_summary_keys_of_the_settings_stand_for_accuracy_and_loss() -> None:
    metrics = load_catalog(
        None, FileSettings(accuracy_key="val/acc", loss_key="{accuracy}")
    ).metrics
    fields = {metric.name: str(metric.field) for metric in metrics}
    assert fields["wandb.metrics.best_accuracy"] == "summary.val/acc"
    assert fields["wandb.metrics.avg_accuracy_7d"] == "summary.val/acc"
    assert fields["wandb.metrics.latest_loss"] == "summary.{accuracy}"


def test_a_users_field_and_condition_may_use_the_settings_keys_too() -> None:
    text = """
        metrics:
        - name: a.b
          max: summary.{accuracy}.max
          window: 7d
          if: {'summary.{loss}': {lt: 1}}
    """
    metric = catalog(text, accuracy_key="acc", loss_key="l").metrics[-1]
    assert metric.field == Field("summary", "acc.max")
    assert metric.conditions == (Condition(Field("summary", "l"), "lt", 1.0),)


def test_a_users_metric_is_added_after_the_ten() -> None:
    result = catalog("metrics: [{name: a.b, count: runs}]")
    assert [metric.name for metric in result.metrics] == [*NAMES, "a.b"]
    assert result.metrics[-1] == Metric(
        "a.b", Aggregate.COUNT, None, origin="runmetrics.yaml", builtin=False
    )
    assert result.notices == ()


def test_a_metric_of_the_same_name_replaces_a_built_in_one_in_its_place_and_says_so() -> None:
    result = catalog("metrics: [{name: wandb.runs.active, count: runs, state: [running, pending]}]")
    assert [metric.name for metric in result.metrics] == NAMES
    assert result.metrics[0].states == ("running", "pending")
    assert not result.metrics[0].builtin
    assert result.notices == ("runmetrics.yaml replaces the built-in wandb.runs.active",)


def test_builtin_false_drops_the_ten() -> None:
    result = catalog("builtin: false\nmetrics: [{name: wandb.runs.active, count: runs}]")
    assert [metric.name for metric in result.metrics] == ["wandb.runs.active"]
    assert result.notices == ()


def test_single_built_in_metrics_are_dropped_by_name() -> None:
    result = catalog("drop: [wandb.runs.total, wandb.metrics.latest_loss]")
    assert len(result.metrics) == 8
    assert not {"wandb.runs.total", "wandb.metrics.latest_loss"} & {m.name for m in result.metrics}


def test_a_where_at_the_top_scopes_every_metric() -> None:
    text = """
        where: {group: prod}
        metrics:
        - {name: a.b, count: runs, where: {tags: x, state: y}}
    """
    *ten, own = catalog(text).metrics
    assert [metric.where for metric in ten] == [{"group": "prod"}] * 10
    assert own.where == {"$and": [{"group": "prod"}, {"state": "y", "tags": "x"}]}


def test_a_filter_keeps_its_json_values_and_is_written_with_its_keys_sorted() -> None:
    metric = only('count: runs\n  where: {b: null, a: {$in: [1, 2.5, "x", true]}}')
    assert metric.where == {"a": {"$in": [1, 2.5, "x", True]}, "b": None}
    assert metric.words().endswith('matching {"a": {"$in": [1, 2.5, "x", true]}, "b": null}')


def test_a_date_in_a_filter_stays_the_text_that_w_and_b_takes() -> None:
    metric = only("count: runs\n  where: {createdAt: {$gt: 2026-01-31T00:00:00Z}}")
    assert metric.where == {"createdAt": {"$gt": "2026-01-31T00:00:00Z"}}


def test_one_state_may_stand_without_a_list() -> None:
    assert only("count: runs\n  state: failed").states == ("failed",)


def test_a_window_may_count_from_the_creation_of_a_run() -> None:
    metric = only("count: runs\n  window: 24h\n  window_by: created")
    assert (metric.window, metric.window_by) == (timedelta(hours=24), "created")


def test_several_conditions_are_all_to_hold() -> None:
    metric = only(
        "count: runs\n  window: 7d\n"
        "  if: {run.silent_minutes: {gt: 30, lte: 60}, summary.loss: {is: nan},\n"
        "       config.opt: {eq: a}}"
    )
    idle = Field("run", "silent_minutes")
    assert metric.conditions == (
        Condition(idle, "gt", 30.0),
        Condition(idle, "lte", 60.0),
        Condition(Field("summary", "loss"), "is", "nan"),
        Condition(Field("config", "opt"), "eq", "a"),
    )


def test_a_split_may_name_a_config_key() -> None:
    assert only("count: runs\n  window: 7d\n  by: [user, config.model.size]").by == (
        "user",
        "config.model.size",
    )


@pytest.mark.parametrize("aggregate", list(Aggregate)[1:])
def test_every_aggregate_takes_a_field(aggregate: Aggregate) -> None:
    metric = only(f"{aggregate}: system.gpu.0.temp\n  window: 7d")
    assert (metric.aggregate, metric.field) == (aggregate, Field("system", "gpu.0.temp"))


@pytest.mark.parametrize(
    "line", ["count: runs", "min: summary.a", "max: config.a", "latest: summary.a"]
)
def test_what_the_server_can_order_needs_neither_window_nor_consent(line: str) -> None:
    assert only(f"{line}\n  state: finished\n  where: {{group: a}}").full_scan is False


def test_anything_else_over_the_whole_history_needs_consent() -> None:
    assert only("mean: summary.a\n  by: user\n  full_scan: true").full_scan is True


def test_a_state_that_is_nearly_a_known_one_gets_a_notice_and_an_unknown_one_passes() -> None:
    result = catalog("metrics:\n- name: a.b\n  count: runs\n  state: [faild, frozen, Running]")
    assert result.metrics[-1].states == ("faild", "frozen", "Running")
    assert result.notices == (
        (
            'runmetrics.yaml:4: a.b: state[0]: "faild" is no state that W&B is known to report: '
            'did you mean "failed"?'
        ),
        (
            'runmetrics.yaml:4: a.b: state[2]: "Running" is no state that W&B is known to report: '
            'did you mean "running"?'
        ),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("count: runs", "number of all runs"),
        ("count: runs\n  state: running", "number of running runs"),
        ("max: summary.acc", "greatest summary.acc of all runs"),
        (
            "mean: summary.acc\n  state: finished\n  window: 7d",
            "mean of summary.acc over finished runs whose last sign of life is within 7 days",
        ),
        (
            "p95: run.gpu_hours\n  window: 24h\n  window_by: created\n  by: [user, group]",
            "95th percentile of run.gpu_hours over runs created within 24 hours, by user and group",
        ),
        (
            (
                "count: runs\n  full_scan: true\n  where: {group: a}\n"
                "  if: {run.silent_minutes: {gt: 30}, summary.loss: {is: nan}}"
            ),
            (
                "number of runs with run.silent_minutes > 30 and summary.loss is nan "
                'matching {"group": "a"}'
            ),
        ),
        (
            "latest: summary.x\n  state: [failed, crashed]\n  window: 90s",
            (
                "latest summary.x of failed or crashed runs "
                "whose last sign of life is within 90 seconds"
            ),
        ),
    ],
)
def test_a_definition_reads_as_a_sentence(text: str, words: str) -> None:
    assert only(text).words() == words


def test_metrics_can_be_kept_in_sets() -> None:
    assert len({*builtin(), *builtin()}) == 10


@given(st.integers(1, 999_999_999), st.sampled_from("smhdw"))
def test_a_window_is_its_number_of_units_up_to_ten_years(count: int, unit: str) -> None:
    seconds = count * {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[unit]
    if seconds <= 3650 * 86_400:
        assert length(f"{count}{unit}").total_seconds() == seconds
    else:
        with pytest.raises(ValueError, match="is longer than ten years: leave it out"):
            length(f"{count}{unit}")


@given(
    st.one_of(
        st.builds(
            Field,
            st.sampled_from(["summary", "config", "system"]),
            st.text(min_size=1).filter(lambda key: key.strip() and "*" not in key),
        ),
        st.builds(Field, st.just("run"), st.sampled_from([*RUN_FIELDS])),
    )
)
def test_a_field_is_read_back_from_the_way_it_is_written(field: Field) -> None:
    assert Field.parse(str(field)) == field

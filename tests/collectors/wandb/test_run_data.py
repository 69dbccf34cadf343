"""Run data that is odd, from the wire to the metrics: what counts, and what is said of it."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from runmetrics.model import Collection
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import StoredRun
from tests.collectors.wandb.collecting import (
    BEST,
    COMPLETED,
    DURATION,
    FAILED,
    GPU_HOURS,
    LATEST,
    NOW,
    TOTAL,
    UTILIZATION,
    ago,
    collect_from,
    holder,
    missing,
    run,
    said_of_runs,
    unknown,
    values,
)

GPU = "system.gpu.0.gpu"


def note(collection: Collection, name: str) -> str:
    """What is said of a value."""
    (sample,) = [sample for sample in collection.samples if sample.name == name]
    return sample.note


def test_each_kind_of_remark_is_counted_also_where_there_is_none_so_that_no_series_vanishes() -> (
    None
):
    assert collect_from(run("own", gpu_count=1)).remarks == {
        "defaults": 0,
        "gpus_assumed": 0,
        "gpus_per_run": 0,
        "hidden": 0,
        "impossible": 0,
        "imported": 0,
        "mixed_labels": 0,
        "unpriced": 0,
    }


# runs that W&B received later than they happened


def imported(run_id: str, *, happened: timedelta, hours: float = 10, **rest: Any) -> StoredRun:
    """A finished run of so many hours that ended so long ago, and reached W&B yesterday in 5 s."""
    summary = {
        "_timestamp": (NOW - happened).timestamp(),
        "_runtime": hours * 3600 - 1,
        "_wandb": {"runtime": hours * 3600},
        **rest.pop("summary", {}),
    }
    return run(
        run_id,
        beat=ago(days=1),
        created_at=ago(days=1, seconds=5),
        compute_seconds=5,
        summary=summary,
        gpu_count=1,
        **rest,
    )


def test_runs_of_two_years_ago_that_were_imported_yesterday_are_none_of_the_week() -> None:
    collection = collect_from(
        *(imported(f"r{index}", happened=timedelta(days=730)) for index in range(3)),
        run("own", gpu_count=1),
    )

    found = values(collection)
    assert (found[COMPLETED], found[TOTAL]) == (1, 4)
    assert (found[DURATION], found[GPU_HOURS]) == (1, 1)
    assert said_of_runs(collection) == {"imported": 3}
    assert (
        "3 runs (such as r0) synced offline or imported: dated by the client's own times"
        in collection.notices
    )


def test_a_run_of_ten_hours_that_was_synced_in_5_seconds_lasted_ten_hours() -> None:
    found = values(collect_from(imported("a", happened=timedelta(days=3))))

    assert (found[COMPLETED], found[DURATION], found[GPU_HOURS]) == (1, 10, 10)


def test_gpu_hours_of_an_imported_run_are_those_of_its_own_time_in_the_window() -> None:
    ended_4_hours_into_the_window = timedelta(days=7) - timedelta(hours=4)

    found = values(collect_from(imported("a", happened=ended_4_hours_into_the_window)))

    assert found[GPU_HOURS] == 4


def test_an_imported_run_started_when_it_happened() -> None:
    yaml = """
builtin: false
metrics:
- {name: x.started, count: runs, window: 48h, window_by: created}
- {name: x.age, max: run.age_hours, window: 30d}
"""
    found = values(collect_from(imported("a", happened=timedelta(days=3)), run("b"), yaml=yaml))

    assert found["x.started"] == 1
    assert found["x.age"] == pytest.approx(3 * 24 + 10)


def test_the_latest_loss_is_not_that_of_an_old_run_that_was_imported_since() -> None:
    collection = collect_from(
        imported("old", happened=timedelta(days=730), summary={"loss": 9}),
        run("own", beat=ago(days=2), summary={"loss": 1}),
    )

    assert (values(collection)[LATEST], holder(collection, LATEST)) == (1, "own")


def test_the_latest_loss_is_found_before_the_week_of_which_only_imported_runs_are() -> None:
    collection = collect_from(
        *(
            imported(f"old{index}", happened=timedelta(days=730 + index), summary={"loss": 9})
            for index in range(3)
        ),
        run("own", beat=ago(days=40), summary={"loss": 1}),
    )

    assert (values(collection)[LATEST], holder(collection, LATEST)) == (1, "own")


def test_of_imported_runs_alone_the_latest_is_the_one_that_happened_last() -> None:
    collection = collect_from(
        imported("older", happened=timedelta(days=731), summary={"loss": 2}),
        imported("newer", happened=timedelta(days=730), summary={"loss": 1}),
    )

    assert (values(collection)[LATEST], holder(collection, LATEST)) == (1, "newer")


def test_a_host_whose_clock_is_a_day_late_imports_nothing() -> None:
    late = {"_timestamp": ago(days=2).timestamp(), "_runtime": 3600}

    collection = collect_from(run("late", summary=late, gpu_count=1))

    assert (values(collection)[COMPLETED], values(collection)[GPU_HOURS]) == (1, 1)
    assert said_of_runs(collection) == {}


def test_the_best_accuracy_is_of_imported_runs_too() -> None:
    collection = collect_from(imported("a", happened=timedelta(days=730), summary={"accuracy": 1}))

    assert values(collection)[BEST] == 1


# what cannot be


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (
            {"heartbeat_at": "9999-12-31T00:00:00Z"},
            "heartbeatAt lies more than a day ahead in 1 run (worst: 9999-12-31 in odd)",
        ),
        (
            {"compute_seconds": 1e12},
            "computeSeconds is no length of a run in 1 run (worst: 1e+12 s in odd)",
        ),
    ],
)
def test_w29_times_and_lengths_that_cannot_be_count_as_if_they_were_not_there(
    odd: Mapping[str, Any], said: str
) -> None:
    created = {"created_at": ago(hours=1)}
    stored = StoredRun("odd", **{**created, "heartbeat_at": ago(minutes=30), **odd}, gpu_count=2)

    collection = collect_from(stored, run("fine", gpu_count=1))

    hours = 0 if "heartbeat_at" in odd else 1
    assert values(collection)[GPU_HOURS] == 1 + hours
    assert f"{said}: taken as if those runs did not have it" in collection.notices
    assert collection.remarks["impossible"] == 1


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1e9, 2), (0.5, 2), ("many", 2), (True, 2), ("8", 8), (16_384, 16_384), (0, 2), (-1, 2)],
)
def test_w29_a_gpu_count_that_cannot_be_is_as_if_it_were_not_there(
    count: Any, expected: float
) -> None:
    system = {GPU: 50, "system.gpu.1.gpu": 50}

    found = values(collect_from(run("a", gpu_count=count, system_metrics=system)))

    assert found[GPU_HOURS] == expected


def test_w29_of_utilizations_that_cannot_be_the_worst_is_named() -> None:
    collection = collect_from(
        run("a", system_metrics={GPU: 25_000}, gpu_count=1),
        run("b", system_metrics={GPU: -400}, gpu_count=1),
        run("c", system_metrics={GPU: 101, "system.gpu.1.gpu": 60}, gpu_count=1),
    )

    assert values(collection)[UTILIZATION] == 60
    assert collection.notices[0] == (
        "GPU utilization is outside 0 to 100 in 3 runs (worst: 25000 in a): "
        "taken as if those runs did not have it"
    )
    assert said_of_runs(collection) == {"impossible": 3}


def test_w29_times_before_w_and_b_began_count_as_if_they_were_not_there() -> None:
    zero = "0001-01-01T00:00:00Z"  # Go's time that is none

    collection = collect_from(
        StoredRun("dead", state="failed", created_at=ago(hours=1), heartbeat_at=zero),
        StoredRun("new", state="running", created_at=ago(minutes=5), heartbeat_at=zero),
        StoredRun(
            *("old", "running"),
            created_at="1970-01-01T00:00:00Z",
            heartbeat_at=ago(minutes=1),
        ),
        yaml="packs: [health]",
    )

    found = values(collection)
    assert found[FAILED] == 1
    assert 5 <= found["wandb.health.longest_silence_minutes"] < 6
    assert "wandb.health.longest_stall_minutes" in missing(collection)
    assert (
        "heartbeatAt lies before 2016 in 2 runs (worst: 0001-01-01 in dead): "
        "taken as if those runs did not have it"
    ) in collection.notices
    assert collection.remarks["impossible"] == 3


def test_w29_a_utilization_that_cannot_be_is_none_under_its_own_key_either() -> None:
    yaml = """
metrics:
- {name: x.most, max: system.gpu.0.gpu, window: 7d}
- {name: x.over, count: runs, window: 7d, if: {system.gpu.0.gpu: {gt: 100}}}
"""
    collection = collect_from(
        run("a", system_metrics={GPU: 25_000}), run("b", system_metrics={GPU: 40}), yaml=yaml
    )

    found = values(collection)
    assert (found["x.most"], found["x.over"], found[UTILIZATION]) == (40, 0, 40)


def test_what_is_odd_about_a_run_is_said_whichever_scan_read_it_last() -> None:
    odd = run(
        *("odd", "running"),
        beat=ago(minutes=1),
        compute_seconds=1e12,
        system_metrics={GPU: 25_000, "system.gpu.0.gpu/l:n1": 50},
    )
    imported_one = imported("imported", happened=timedelta(days=3))

    alone = collect_from(odd, imported_one)
    beside = collect_from(
        *(odd, imported_one),
        yaml="""
packs: [health]
metrics: [{name: x.all, count: runs, full_scan: true, by: state, where: {state: running}}]
""",
    )

    assert alone.remarks["impossible"] == alone.remarks["mixed_labels"] == 1
    assert alone.remarks["imported"] == 1
    assert beside.remarks.items() >= alone.remarks.items()
    assert {*beside.notices} >= {*alone.notices}


def test_w5_the_hours_of_a_run_whose_nodes_cannot_be_counted_are_unknown() -> None:
    sixteen = {f"system.gpu.{gpu}.gpu/l:{node}": 90 for gpu in range(8) for node in ("n1", "n2")}

    collection = collect_from(
        run("nodes", gpu_count=8, system_metrics=sixteen),
        quirks=Quirks(unreadable={("nodes", "systemMetrics")}),
    )

    assert unknown(collection) == {GPU_HOURS, UTILIZATION}
    assert collection.problems[0].cause == "W&B cannot serve systemMetrics of run nodes (nodes)"
    assert values(collection)[DURATION] == 1


def test_w5_an_unreadable_summary_makes_lengths_unknown_and_leaves_the_counts() -> None:
    collection = collect_from(
        run("poison", gpu_count=2),
        run("fine", summary={"accuracy": 1}, gpu_count=1),
        quirks=Quirks(unreadable={("poison", "summaryMetrics")}),
    )

    found = values(collection)
    assert (found[COMPLETED], found[TOTAL]) == (2, 2)
    assert unknown(collection) >= {DURATION, GPU_HOURS}
    assert collection.problems[0].cause == (
        "W&B cannot serve summaryMetrics of run poison (poison)"
    )
    assert collection.notices == (
        "W&B cannot serve summaryMetrics in 1 run (such as poison): they count by their heartbeats",
    )


def test_a_loss_without_a_heartbeat_is_said_to_be_none_of_the_latest() -> None:
    run_without = StoredRun("a", state="failed", created_at=ago(hours=3), summary={"loss": 0.1})
    yaml = "metrics: [{name: x.latest, latest: summary.loss, window: 7d}]"

    collection = collect_from(run_without, yaml=yaml)

    assert missing(collection)[LATEST] == "no run with a heartbeat has a number under 'loss'"
    assert missing(collection)["x.latest"] == (
        "1 of 1 runs have a number under 'loss', and none of them a heartbeat"
    )


def test_hidden_runs_of_a_list_of_running_runs_are_called_running() -> None:
    collection = collect_from(
        run("seen", "running", beat=ago(minutes=1)),
        run("hidden", "running", beat=ago(minutes=1)),
        quirks=Quirks(hidden_rows={"hidden"}),
        yaml="packs: [health]",
    )

    assert (
        "W&B counts 1 running run that it does not show: sums, means and counts are of those that "
        "it shows; counts without a window may include older runs that it hides"
    ) in collection.notices


# GPUs


def hours_of(**odd: Any) -> float:
    """GPU hours of a run of one hour."""
    return values(collect_from(run("a", **odd)))[GPU_HOURS]


def test_samples_of_two_nodes_prove_a_record_of_one_node_short() -> None:
    sixteen = {f"system.gpu.{gpu}.gpu/l:{node}": 90 for gpu in range(8) for node in ("n1", "n2")}

    assert hours_of(gpu_count=8, system_metrics=sixteen) == 16
    assert hours_of(gpu_count=8, system_metrics=dict(list(sixteen.items())[::2])) == 8


@pytest.mark.parametrize("knows_run_info", [True, False])
def test_a_server_with_and_one_without_run_info_give_the_same_hours(knows_run_info: bool) -> None:
    sixteen = {f"system.gpu.{gpu}.gpu/l:{node}": 90 for gpu in range(8) for node in ("n1", "n2")}
    environments = {"w": {"gpu_count": 8, "host": "n1", "startedAt": "2026-01-01T00:00:00Z"}}
    quirks = Quirks() if knows_run_info else Quirks(unknown_fields={"runInfo"})

    collection = collect_from(
        run("a", gpu_count=8, system_metrics=sixteen, config={"_wandb": {"e": environments}}),
        quirks=quirks,
    )

    assert values(collection)[GPU_HOURS] == 16


def test_gpus_that_two_monitors_sample_count_once_and_are_said() -> None:
    both = {GPU: 90, "system.gpu.0.gpu/l:n1": 50}

    collection = collect_from(run("a", system_metrics=both))

    assert (values(collection)[GPU_HOURS], values(collection)[UTILIZATION]) == (1, 50)
    assert said_of_runs(collection) == {"mixed_labels": 1}
    assert collection.notices[0] == (
        "1 run (such as a) with GPU samples both under node labels and without: "
        "the labelled alone count"
    )


@pytest.mark.parametrize(
    ("configured", "hours"),
    [
        (16, 16),
        ("16", 16),
        ([0, 1, 2], 3),
        (0, 0),
        ("0", 0),
        (0.5, 0.5),
        (16_384, 16_384),
        (None, 8),
    ],
)
def test_the_configured_key_counts_as_a_number_text_or_a_list(
    configured: Any, hours: float
) -> None:
    collection = collect_from(
        run("a", config={"gpus": configured}, gpu_count=8), gpus_per_run="config.gpus"
    )

    assert values(collection)[GPU_HOURS] == hours
    assert said_of_runs(collection) == ({} if configured is not None else {"gpus_per_run": 1})


@pytest.mark.parametrize("configured", [-1, 16_385, "16385", [0] * 16_385])
def test_what_cannot_be_a_count_under_the_configured_key_is_as_if_it_were_not_there(
    configured: Any,
) -> None:
    collection = collect_from(
        run("a", config={"gpus": configured}, gpu_count=8), gpus_per_run="config.gpus"
    )

    assert values(collection)[GPU_HOURS] == 8
    assert said_of_runs(collection) == {"gpus_per_run": 1}


def test_runs_without_a_usable_value_under_the_key_are_counted_and_the_key_is_named() -> None:
    collection = collect_from(
        run("a", config={"gpus": "all"}, gpu_count=8),
        run("b", gpu_count=2),
        run("c", config={"gpus": 4}),
        gpus_per_run="config.gpus",
    )

    assert values(collection)[GPU_HOURS] == 8 + 2 + 4
    assert said_of_runs(collection) == {"gpus_per_run": 2}
    assert collection.notices[0] == (
        "2 runs (such as a) without a usable number under config.gpus: "
        "GPUs counted as W&B knows them"
    )


def test_a_number_that_rests_on_assumed_gpus_says_how_much_of_it() -> None:
    collection = collect_from(run("a", gpu_count=8), run("b"), run("c"))

    assert values(collection)[GPU_HOURS] == 10
    assert note(collection, GPU_HOURS) == (
        "2 of 10 hours are of 2 runs without a recorded or seen GPU, taken for one"
    )
    assert said_of_runs(collection) == {"gpus_assumed": 2}


# values over all GPUs of a run


@pytest.mark.parametrize(
    ("over", "aggregate", "expected"),
    [
        ("", "mean", (70 + 40) / 2),
        ("over_gpus: mean", "max", 70),
        ("over_gpus: max", "max", 80),
        ("over_gpus: min", "min", 40),
        ("over_gpus: sum", "sum", 60 + 80 + 40),
    ],
)
def test_a_key_of_every_gpu_is_made_one_value_a_run(
    over: str, aggregate: str, expected: float
) -> None:
    collection = collect_from(
        run("a", system_metrics={"system.gpu.0.temp": 60, "system.gpu.1.temp": 80}),
        run("b", system_metrics={"system.gpu.0.temp/l:n1": 40, "system.gpu.0.temp": 99}),
        run("c", system_metrics={"system.gpu.process.0.temp": 99, "system.gpu.0.gpu": 5}),
        yaml=f"""
builtin: false
metrics:
- name: x.temp
  {aggregate}: system.gpu.*.temp
  window: 7d
  {over}
""",
    )

    assert values(collection) == {"x.temp": expected}


def test_a_key_of_every_gpu_can_be_tested_and_a_run_without_it_has_none() -> None:
    yaml = """
builtin: false
metrics:
- {name: x.hot, count: runs, window: 7d, over_gpus: max, if: {system.gpu.*.temp: {gt: 79}}}
- {name: x.cold, count: runs, window: 7d, if: {system.gpu.*.temp: {is: missing}}}
"""
    collection = collect_from(
        run("a", system_metrics={"system.gpu.0.temp": 60, "system.gpu.1.temp": 80}),
        run("b", system_metrics={"system.gpu.0.temp": 79}),
        run("c"),
        yaml=yaml,
    )

    assert values(collection) == {"x.hot": 1, "x.cold": 1}


# keys and values


def test_a_number_logged_as_text_is_said_to_be_text() -> None:
    collection = collect_from(run("a", summary={"accuracy": "0.9"}), run("b"))

    why = missing(collection)["wandb.metrics.avg_accuracy_7d"]
    assert why == (
        "2 of 2 finished runs have no number under 'accuracy' (text in 1, such as \"0.9\")"
    )


def test_a_number_that_is_not_finite_is_said_to_be_so() -> None:
    collection = collect_from(
        run("a", summary={"accuracy": math.nan}),
        run("b", summary={"accuracy": -math.inf}),
        run("c", summary={"accuracy": "n/a"}),
        run("d"),
    )

    why = missing(collection)["wandb.metrics.avg_accuracy_7d"]
    assert why == (
        "4 of 4 finished runs have no number under 'accuracy' (NaN or an infinity in 2, "
        'text in 1, such as "n/a")'
    )


def test_a_key_with_blanks_at_its_ends_can_be_named() -> None:
    collection = collect_from(
        run("a", summary={" accuracy ": 0.5, "accuracy": 0.1}),
        yaml='builtin: false\nmetrics: [{name: x.a, max: "summary. accuracy ", window: 7d}]',
    )

    assert values(collection) == {"x.a": 0.5}


def test_a_zero_is_sent_without_a_sign() -> None:
    collection = collect_from(run("a", summary='{"accuracy": -0.0, "loss": -0.0}'))

    assert [str(values(collection)[name]) for name in (BEST, LATEST)] == ["0.0", "0.0"]
    assert unknown(collection) == set()

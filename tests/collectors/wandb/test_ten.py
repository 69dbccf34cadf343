"""The ten, exactly: each corner of the definitions, from a server to the samples."""

from datetime import timedelta

import pytest

from runmetrics.sandbox.store import StoredRun
from tests.collectors.wandb.collecting import (
    ACTIVE,
    AVERAGE,
    BEST,
    COMPLETED,
    DURATION,
    FAILED,
    GPU_HOURS,
    LATEST,
    TEN,
    TOTAL,
    UTILIZATION,
    ago,
    collect,
    collect_from,
    dull_runs,
    holder,
    missing,
    run,
    sandbox_of,
    unknown,
    values,
)


def test_an_empty_project_has_no_runs_no_gpu_hours_and_no_other_numbers() -> None:
    collection = collect_from()

    assert values(collection) == {ACTIVE: 0, COMPLETED: 0, FAILED: 0, TOTAL: 0, GPU_HOURS: 0}
    assert set(missing(collection)) == {BEST, LATEST, AVERAGE, DURATION, UTILIZATION}
    assert collection.problems == ()


def test_states_are_told_apart_and_killed_or_preempted_runs_are_neither_done_nor_failed() -> None:
    states = ("running", "finished", "failed", "crashed", "killed", "preempted", "pending", "new")
    collection = collect_from(*(run(state, state) for state in states))

    found = values(collection)
    assert (found[ACTIVE], found[COMPLETED], found[FAILED], found[TOTAL]) == (1, 1, 2, 8)


@pytest.mark.parametrize(("seconds_inside", "counted"), [(-1, 0), (0, 1), (1, 1)])
def test_the_windows_lower_edge_is_inclusive(seconds_inside: int, counted: int) -> None:
    edge = ago(days=7) + timedelta(seconds=seconds_inside)

    collection = collect_from(run("a", "finished", beat=edge), run("b", "failed", beat=edge))

    assert values(collection)[COMPLETED] == counted
    assert values(collection)[FAILED] == counted


def test_a_run_is_dated_by_its_end_not_by_its_creation() -> None:
    long_one = run("long", created_at=ago(days=30), beat=ago(days=1))
    old_one = run("old", created_at=ago(days=30), beat=ago(days=8))

    assert values(collect_from(long_one, old_one))[COMPLETED] == 1


def test_a_run_that_died_before_its_first_heartbeat_still_failed() -> None:
    collection = collect_from(StoredRun("a", "failed", created_at=ago(days=1)))

    assert values(collection)[FAILED] == 1


def test_a_heartbeat_a_little_ahead_of_our_clock_is_in_the_window() -> None:
    collection = collect_from(run("a", beat=ago(seconds=-5)))

    assert values(collection)[COMPLETED] == 1


def test_a_run_without_a_creation_time_is_kept() -> None:
    collection = collect_from(StoredRun("a", "finished", heartbeat_at=ago(hours=1)))

    assert values(collection)[COMPLETED] == 1
    assert unknown(collection) == set()


def test_the_best_accuracy_is_of_any_run_of_any_state_and_age() -> None:
    collection = collect_from(
        run("old", "crashed", beat=ago(days=300), summary={"accuracy": 0.97}),
        run("new", summary={"accuracy": 0.9}),
    )

    assert values(collection)[BEST] == 0.97
    assert holder(collection, BEST) == "old"


@pytest.mark.parametrize(
    "junk", ['"NaN"', "NaN", "Infinity", '"0.99"', "true", "null", "[1]", "{}"]
)
def test_what_is_no_finite_number_is_passed_over(junk: str) -> None:
    collection = collect_from(
        run("junk", summary=f'{{"accuracy": {junk}, "loss": {junk}}}', beat=ago(minutes=1)),
        run("good", summary={"accuracy": 0.5, "loss": 1.5}, beat=ago(hours=2)),
    )

    found = values(collection)
    assert (found[BEST], found[AVERAGE], found[LATEST]) == (0.5, 0.5, 1.5)


def test_the_average_accuracy_is_over_the_finished_runs_of_the_week_only() -> None:
    collection = collect_from(
        run("a", summary={"accuracy": 0.5}),
        run("b", summary={"accuracy": 0.75}),
        run("failed", "failed", summary={"accuracy": 0.1}),
        run("old", beat=ago(days=8), summary={"accuracy": 0.1}),
    )

    assert values(collection)[AVERAGE] == 0.625


def test_the_latest_loss_is_of_the_run_that_beat_last_among_those_with_a_loss() -> None:
    collection = collect_from(
        run("silent", "running", beat=ago(seconds=1), summary={"accuracy": 1}),
        run("latest", "running", beat=ago(minutes=1), summary={"loss": 0.25}),
        run("earlier", beat=ago(minutes=2), summary={"loss": 0.5}),
    )

    assert values(collection)[LATEST] == 0.25
    assert holder(collection, LATEST) == "latest"


def test_a_tie_of_heartbeats_goes_to_the_later_creation_then_to_the_greater_id() -> None:
    beat = ago(minutes=1)
    collection = collect_from(
        run("z", beat=beat, created_at=ago(hours=3), summary={"loss": 1}),
        run("a", beat=beat, created_at=ago(hours=2), summary={"loss": 2}),
        run("b", beat=beat, created_at=ago(hours=2), summary={"loss": 3}),
    )

    assert holder(collection, LATEST) == "b"


def test_the_latest_loss_may_be_a_year_old() -> None:
    collection = collect_from(
        run("old", beat=ago(days=200), summary={"loss": 0.5}),
        run("older", beat=ago(days=300), summary={"loss": 0.25}),
        run("new", beat=ago(hours=1)),
    )

    assert values(collection)[LATEST] == 0.5
    assert holder(collection, LATEST) == "old"


def test_a_duration_is_the_time_computed_without_the_idle_gaps_of_a_resumed_run() -> None:
    resumed = run("a", created_at=ago(hours=50), beat=ago(hours=1), compute_seconds=2 * 3600)
    plain = run("b", created_at=ago(hours=5), beat=ago(hours=1), compute_seconds=0)
    backwards = run("c", created_at=ago(hours=1), beat=ago(hours=2))

    collection = collect_from(resumed, plain, backwards)

    assert values(collection)[DURATION] == 3.0  # of 2 h and 4 h; c's is unknown
    (sample,) = [each for each in collection.samples if each.name == DURATION]
    assert (sample.runs, sample.note) == (2, "1 of 3 finished runs have no known duration")


def test_utilization_is_averaged_over_a_runs_gpus_first_then_over_runs() -> None:
    two = {"system.gpu.0.gpu": 100, "system.gpu.1.gpu": 50, "system.gpu.process.0.gpu": 3}
    one = {"system.gpu.0.gpu": 25, "system.cpu": 99}
    nodes = {"system.gpu.0.gpu/l:rank-0": 40, "system.gpu.0.gpu/l:rank-1": 60}

    collection = collect_from(
        run("two", system_metrics=two),
        run("one", "failed", system_metrics=one),
        run("nodes", "running", system_metrics=nodes),
        run("none"),
        run("old", beat=ago(days=8), system_metrics={"system.gpu.0.gpu": 1}),
    )

    assert values(collection)[UTILIZATION] == 50.0  # of 75, 25 and 50


def test_gpu_hours_count_the_part_of_each_run_that_lies_in_the_week_times_its_gpus() -> None:
    collection = collect_from(
        run("recorded", gpu_count=8, compute_seconds=3600),
        run("seen", "crashed", system_metrics={"system.gpu.0.temp": 1, "system.gpu.1.temp": 1}),
        run("cpu only", "killed"),
        run("straddling", gpu_count=2, created_at=ago(days=9), beat=ago(days=6)),
        run("old", gpu_count=8, beat=ago(days=8)),
    )

    # 8 x 1 h, 2 x 1 h, 1 x 1 h, and of three days only the one inside: 2 x 24 h
    assert values(collection)[GPU_HOURS] == 8 + 2 + 1 + 48


def test_gpus_per_run_may_be_a_fixed_number_or_a_config_key() -> None:
    runs = [run("a", gpu_count=8), run("b", config={"world_size": 16})]

    assert values(collect_from(*runs, gpus_per_run=4.0))[GPU_HOURS] == 8
    assert values(collect_from(*runs, gpus_per_run="config.world_size"))[GPU_HOURS] == 8 + 16


def test_other_summary_keys_may_stand_for_accuracy_and_loss() -> None:
    runs = [run("a", summary={"val/acc": 0.5, "train": {"loss": 2}})]

    found = values(collect_from(*runs, accuracy_key="val/acc", loss_key="train.loss"))

    assert (found[BEST], found[AVERAGE], found[LATEST]) == (0.5, 0.5, 2)


def test_what_is_missing_is_said_with_the_keys_that_are_logged_instead() -> None:
    collection = collect_from(
        run("a", summary={"accuracy": 0.5}), run("b", summary={"val/accuracy": 0.7})
    )

    (average,) = [each for each in collection.samples if each.name == AVERAGE]
    assert average.note == (
        "1 of 2 finished runs have no number under 'accuracy'; similar keys in use: 'val/accuracy'"
    )


def test_runs_that_never_logged_cost_no_request_more_where_similar_keys_are_looked_up() -> None:
    with sandbox_of(run("a", summary=None), run("b", "failed", summary=None)) as sandbox:
        collection = collect(sandbox)

    assert unknown(collection) == set()
    assert collection.cost.requests == 3


def test_samples_are_stamped_with_now_and_tagged_by_project() -> None:
    collection = collect_from(run("a"))

    for sample in collection.samples:
        assert sample.time == ago()
        assert sample.tags == {"wandb_entity": "e", "wandb_project": "p", "collector": "wandb"}
    assert tuple(sample.name for sample in collection.samples) == tuple(
        name for name in TEN if name in values(collection)
    )


def test_a_page_of_runs_in_the_window_costs_two_requests_whatever_the_history() -> None:
    history = [run(f"old{i:05}", beat=ago(days=30, minutes=i)) for i in range(3000)]
    lately = list(dull_runs(1000, summary={"accuracy": 0.5, "loss": 1}))

    with sandbox_of(*history, *lately) as sandbox:
        collection = collect(sandbox)

    assert values(collection)[TOTAL] == 4000
    assert values(collection)[COMPLETED] == 1000
    assert collection.cost.requests == 2


def test_a_window_of_three_pages_is_exact_and_costs_six_requests_at_most() -> None:
    runs = list(dull_runs(2500, summary={"accuracy": 0.5, "loss": 1}, compute_seconds=36))

    with sandbox_of(*runs) as sandbox:
        collection = collect(sandbox)

    found = values(collection)
    assert (found[COMPLETED], found[AVERAGE]) == (2500, 0.5)
    assert found[GPU_HOURS] == pytest.approx(25, abs=1e-9)
    assert collection.cost.requests <= 6

"""Proof before trust: under each quirk the numbers are right, or unknown and said."""

from datetime import UTC, datetime

import pytest

from runmetrics.errors import ExitCode
from runmetrics.sandbox.quirks import ALWAYS, Quirks
from runmetrics.sandbox.store import StoredRun
from tests.collectors.wandb.collecting import (
    ACTIVE,
    AVERAGE,
    BEST,
    COMPLETED,
    GPU_HOURS,
    LAG,
    LATEST,
    TOTAL,
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

HIDDEN = (
    "W&B counts {} of the last 7 days that it does not show: sums, means and counts are of those "
    "that it shows; counts without a window may include older runs that it hides"
)


def scored(name: str, accuracy: object, days: float = 30) -> StoredRun:
    """An old run with this accuracy in its summary."""
    return run(name, beat=ago(days=days), summary={"accuracy": accuracy})


def test_an_ignored_order_is_climbed_by_the_filter_and_costs_no_full_scan() -> None:
    runs = [scored(f"r{i}", i / 3000, days=10 + i / 100) for i in range(3000)]

    with sandbox_of(*runs, quirks=Quirks(orders_ignored=frozenset({"*"}))) as sandbox:
        collection = collect(sandbox, yaml="drop: [wandb.metrics.latest_loss]\n")

    assert values(collection)[BEST] == 2999 / 3000
    assert collection.cost.requests <= 5


def test_strings_that_rank_above_numbers_do_not_win_and_do_not_hide_the_winner() -> None:
    strings = [scored(f"s{i}", "NaN") for i in range(60)]
    quirks = Quirks(strings_above_numbers=True)

    collection = collect_from(*strings, scored("good", 0.5), scored("best", 0.75), quirks=quirks)

    assert values(collection)[BEST] == 0.75
    assert holder(collection, BEST) == "best"


def test_more_strings_above_than_a_page_holds_are_read_past() -> None:
    strings = [scored(f"s{i}", "diverged") for i in range(1100)]
    quirks = Quirks(strings_above_numbers=True)

    collection = collect_from(*strings, scored("best", 0.75), quirks=quirks)

    assert values(collection)[BEST] == 0.75


def test_booleans_that_count_as_numbers_do_not_win() -> None:
    collection = collect_from(
        scored("yes", True), scored("best", 0.75), quirks=Quirks(booleans_as_numbers=True)
    )

    assert values(collection)[BEST] == 0.75


def test_runs_without_the_value_may_come_first() -> None:
    bare = [run(f"bare{i}", beat=ago(days=20)) for i in range(100)]

    collection = collect_from(*bare, scored("best", 0.75), quirks=Quirks(missing_first=True))

    assert values(collection)[BEST] == 0.75


def test_a_key_with_a_slash_that_cannot_be_filtered_is_read_in_full() -> None:
    runs = [run(f"r{i}", beat=ago(days=30), summary={"val/acc": i / 10}) for i in range(5)]
    quirks = Quirks(slashed_keys_not_filterable=True)

    collection = collect_from(*runs, quirks=quirks, accuracy_key="val/acc")

    assert values(collection)[BEST] == 0.4
    assert holder(collection, BEST) == "r4"


def test_a_nested_key_that_cannot_be_filtered_is_read_in_full() -> None:
    runs = [run(f"r{i}", beat=ago(days=30), summary={"val": {"acc": i / 10}}) for i in range(5)]
    quirks = Quirks(slashed_keys_not_filterable=True)

    collection = collect_from(*runs, quirks=quirks, accuracy_key="val.acc")

    assert values(collection)[BEST] == 0.4


def test_a_key_that_differs_in_case_is_another_key() -> None:
    collection = collect_from(
        run("other", beat=ago(days=30), summary={"Accuracy": 0.99}),
        scored("best", 0.75),
        quirks=Quirks(keys_without_case=True),
    )

    assert values(collection)[BEST] == 0.75
    assert holder(collection, BEST) == "best"


def test_a_run_that_logs_a_key_in_two_cases_is_judged_by_the_exact_one() -> None:
    collection = collect_from(
        run("both", beat=ago(days=30), summary={"Accuracy": 0.1, "accuracy": 0.9}),
        run("other", beat=ago(days=30), summary={"ACCURACY": 0.5}),
        scored("good", 0.75),
        quirks=Quirks(keys_without_case=True),
    )

    assert values(collection)[BEST] == 0.9


def test_w15_counts_that_lag_behind_the_runs_are_not_believed() -> None:
    collection = collect_from(
        run("new", "running", beat=ago(seconds=20), created_at=ago(minutes=1)),
        run("done", beat=ago(days=2), summary={"accuracy": 0.5}),
        quirks=Quirks(counts_lag_seconds=LAG),
    )

    assert {ACTIVE, TOTAL, COMPLETED} <= unknown(collection)
    assert ACTIVE not in values(collection)
    assert TOTAL not in values(collection)
    (problem,) = {str(each) for each in collection.problems}
    assert problem == (
        "W&B counts 1 runs before and 1 after, but 2 could be read, twice: its index may lag "
        "behind its runs for some minutes; the next collection tries again"
    )


def test_counts_of_states_that_lag_are_asked_for_again_and_then_unknown() -> None:
    with sandbox_of(run("a", "running", beat=ago(minutes=2)), run("b")) as sandbox:
        sandbox.quirks = Quirks(counts_from=sandbox.store.copy())
        sandbox.store.run("e", "p", "a").state = "failed"
        collection = collect(sandbox)

    assert unknown(collection) == {ACTIVE}
    assert values(collection)[TOTAL] == 2


def test_w15_deleted_runs_that_are_still_counted_are_said_and_left_out() -> None:
    with sandbox_of(run("a"), run("b")) as sandbox:
        sandbox.quirks = Quirks(counts_from=sandbox.store.copy())
        sandbox.store.remove("e", "p", "a")
        collection = collect(sandbox)

    assert (values(collection)[TOTAL], values(collection)[COMPLETED]) == (1, 1)
    assert collection.notices == (HIDDEN.format("1 run"),)


def test_counts_alone_are_held_against_the_runs_that_moved_lately() -> None:
    yaml = """
builtin: false
metrics:
  - {name: my.total, count: runs}
  - {name: my.active, count: runs, state: running}
"""
    runs = [run("a", "running", beat=ago(seconds=20)), run("b", beat=ago(days=3))]

    assert values(collect_from(*runs, yaml=yaml)) == {"my.total": 2, "my.active": 1}
    lagging = collect_from(*runs, yaml=yaml, quirks=Quirks(counts_lag_seconds=LAG))
    assert values(lagging) == {}
    assert unknown(lagging) == {"my.total", "my.active"}


@pytest.mark.parametrize("empty_pages", [1, ALWAYS])
def test_an_empty_page_with_a_next_one_is_read_again_and_never_silently_cut(
    empty_pages: int,
) -> None:
    runs = list(dull_runs(3))

    collection = collect_from(*runs, quirks=Quirks(empty_pages=empty_pages))

    assert values(collection).get(COMPLETED, 3) == 3
    assert empty_pages == 1 or COMPLETED in unknown(collection)


@pytest.mark.parametrize("pages", [1, 2])
def test_an_empty_page_with_a_next_one_is_no_proof_that_nobody_has_a_number(pages: int) -> None:
    yaml = "builtin: false\nmetrics: [{name: m.best, max: summary.accuracy}]\n"

    collection = collect_from(
        run("a", beat=ago(minutes=5), summary={"accuracy": 0.9}),
        quirks=Quirks(empty_pages=pages, counts_lag_seconds=LAG),
        yaml=yaml,
    )

    assert collection.missing == ()
    assert unknown(collection) == {"m.best"}


def test_a_project_without_any_accuracy_has_none_and_costs_no_full_scan() -> None:
    with sandbox_of(*dull_runs(10, summary={"loss": 1})) as sandbox:
        collection = collect(sandbox)

    assert missing(collection)[BEST] == "no run has a number under 'accuracy'"
    assert collection.cost.requests <= 3


def test_a_server_that_gives_small_pages_is_read_to_the_end() -> None:
    with sandbox_of(*dull_runs(250, summary={"accuracy": 0.5}), page_cap=100) as sandbox:
        collection = collect(sandbox)

    assert values(collection)[COMPLETED] == 250
    assert values(collection)[AVERAGE] == 0.5


def test_the_latest_loss_of_old_runs_survives_an_ignored_order() -> None:
    losses = [run(f"r{i}", beat=ago(days=10 + i), summary={"loss": i}) for i in range(120)]

    collection = collect_from(*losses, quirks=Quirks(orders_ignored=frozenset({"*"})))

    assert values(collection)[LATEST] == 0
    assert values(collection)[GPU_HOURS] == 0


def test_w16_a_run_that_slips_onto_the_next_page_is_counted_once() -> None:
    """An old run that beats again enters the window ahead of all others, and shifts them by one."""
    with sandbox_of(run("old", beat=ago(days=20)), *dull_runs(9), page_cap=4) as sandbox:

        def resume(request: int) -> None:
            if request == 2:
                sandbox.store.run("e", "p", "old").heartbeat_at = datetime.now(UTC)

        sandbox.before_request = resume
        collection = collect(sandbox)

    assert values(collection)[COMPLETED] == 10
    assert unknown(collection) == set()


def test_a_run_whose_summary_is_junk_does_not_end_the_proof() -> None:
    collection = collect_from(
        run("junk", summary="{not json", beat=ago(days=2)), scored("best", 0.75)
    )

    assert values(collection)[BEST] == 0.75
    (notice,) = collection.notices
    assert notice == (
        "summaryMetrics is not a JSON object in 1 run (such as junk): "
        "taken as if those runs did not have it"
    )


def test_a_filter_that_the_server_refuses_costs_its_own_metric_alone() -> None:
    yaml = "metrics:\n  - {name: my.odd, count: runs, where: {nonsense: 1}}\n"

    collection = collect_from(run("a"), yaml=yaml)

    assert unknown(collection) == {"my.odd"}
    assert values(collection)[TOTAL] == 1
    (problem,) = collection.problems
    assert problem.code == ExitCode.CONFIGURATION

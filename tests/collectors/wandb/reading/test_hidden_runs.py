"""Runs that W&B counts and does not show: what rests on one run, or on ranks, is unknown (W26)."""

import pytest

from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import Store
from tests.collectors.wandb.collecting import (
    ACTIVE,
    BEST,
    COMPLETED,
    TEN,
    TOTAL,
    ago,
    collect,
    collect_from,
    run,
    sandbox_of,
    unknown,
    values,
)

RUNS = (
    run("a", beat=ago(minutes=5), summary={"acc": 0.9}),
    run("b", beat=ago(minutes=50), summary={"acc": 0.7}),
    run("c", beat=ago(minutes=60), summary={"acc": 0.5}),
    run("silent", "running", beat=ago(minutes=30)),
    run("alive", "running", beat=ago(minutes=3)),
)


def test_w26_counts_of_all_time_leave_out_what_is_hidden_in_the_week_and_that_is_said() -> None:
    runs = [run("a"), run("b"), run("c", beat=ago(days=30))]

    collection = collect_from(*runs, quirks=Quirks(hidden_rows={"b", "c"}))

    assert (values(collection)[TOTAL], values(collection)[COMPLETED]) == (2, 1)
    assert (
        "W&B counts 1 run of the last 7 days that it does not show: sums, means and counts are of "
        "those that it shows; counts without a window may include older runs that it hides"
    ) in collection.notices


@pytest.mark.parametrize("scope", ["window: 7d", "full_scan: true"])
def test_w26_no_extreme_latest_or_percentile_is_known_of_a_scan_that_hides_a_run(
    scope: str,
) -> None:
    yaml = "builtin: false\nmetrics:\n" + "".join(
        f"- {{name: m.{aggregate}, {aggregate}: summary.acc, {scope}}}\n"
        for aggregate in ("max", "min", "latest", "p50", "p95", "sum", "mean")
    )

    collection = collect_from(*RUNS, quirks=Quirks(hidden_rows={"a"}), yaml=yaml)

    assert values(collection) == {"m.sum": pytest.approx(1.2), "m.mean": pytest.approx(0.6)}
    assert unknown(collection) == {"m.max", "m.min", "m.latest", "m.p50", "m.p95"}
    assert {problem.cause for problem in collection.problems} == {
        "W&B counts 1 run that it does not show, and any of them may have a better value",
        "W&B counts 1 run that it does not show, and any of them moves a percentile",
    }


def test_w26_the_longest_silence_is_unknown_where_a_running_run_is_hidden() -> None:
    yaml = "builtin: false\npacks: [health]\n"

    shown = collect_from(*RUNS, yaml=yaml)
    hidden = collect_from(*RUNS, quirks=Quirks(hidden_rows={"silent"}), yaml=yaml)

    assert values(shown)["wandb.health.longest_silence_minutes"] == pytest.approx(30, abs=1)
    assert "wandb.health.longest_silence_minutes" in unknown(hidden)
    assert values(hidden)["wandb.health.silent"] == 0


def test_w26_a_row_without_a_run_is_not_passed_over_where_the_count_does_not_know_it() -> None:
    counted = Store()
    counted.add("e", "p", run("a", summary={"loss": 0.7}))
    late = run("b", beat=ago(minutes=5), summary={"loss": 0.1})
    quirks = Quirks(hidden_rows={"b"}, hidden_as="null", counts_from=counted)

    collection = collect_from(*counted.project("e", "p").runs.values(), late, quirks=quirks)

    assert values(collection) == {}
    assert unknown(collection) == {*TEN} - {BEST}
    assert collection.problems[0].cause == (
        "W&B counts 1 run, shows as many, and has rows without a run beside them, twice"
    )


def test_w26_nor_on_a_server_without_filters() -> None:
    counted = Store()
    counted.add("e", "p", run("a"))
    quirks = Quirks(filters_ignored=True, hidden_rows={"b"}, hidden_as="null", counts_from=counted)

    collection = collect_from(run("a"), run("b"), quirks=quirks)

    assert values(collection) == {}
    assert {problem.cause for problem in collection.problems} == {
        "W&B counts 1 run, but 1 could be read, and 1 row had none"
    }


def test_w26_nor_by_a_count_that_is_held_against_its_own_last_hour() -> None:
    counted = Store()
    counted.add("e", "p", run("a", beat=ago(minutes=20), user="ann"))
    late = run("b", beat=ago(minutes=5), user="ann")
    quirks = Quirks(hidden_rows={"b"}, hidden_as="null", counts_from=counted)
    yaml = "builtin: false\nmetrics: [{name: m.n, count: runs, where: {username: ann}}]\n"

    collection = collect_from(
        *counted.project("e", "p").runs.values(), late, quirks=quirks, yaml=yaml
    )

    assert (values(collection), unknown(collection)) == ({}, {"m.n"})


def test_w26_a_row_whose_run_was_deleted_before_the_second_look_hides_nothing() -> None:
    counted = Store()
    counted.add("e", "p", run("a"))
    with sandbox_of(run("a"), run("b")) as sandbox:
        sandbox.quirks = Quirks(hidden_rows={"b"}, hidden_as="null", counts_from=counted)

        def delete(request: int) -> None:
            if request == 2:
                sandbox.store.remove("e", "p", "b")

        sandbox.before_request = delete
        collection = collect(sandbox)

    assert unknown(collection) == set()
    assert {values(collection)[name] for name in (TOTAL, COMPLETED)} == {1}
    assert values(collection)[ACTIVE] == 0

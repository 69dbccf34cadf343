"""Summaries that W&B has and does not show are not passed over; what cannot be is said (W26)."""

import pytest

from runmetrics.sandbox.quirks import Quirks
from tests.collectors.wandb.collecting import (
    LATEST,
    ago,
    collect,
    collect_from,
    run,
    sandbox_of,
    unknown,
    values,
)

NOT_SHOWN = "W&B shows no readable summaryMetrics of 1 run that may have a {} (of these: a)"


@pytest.mark.parametrize("shown", [None, "", "null", '{"loss": 0.'])
def test_w26_the_latest_loss_is_unknown_where_the_latest_run_with_one_shows_no_summary(
    shown: str | None,
) -> None:
    collection = collect_from(
        run("a", beat=ago(minutes=5), summary={"loss": 0.1}),
        run("b", beat=ago(minutes=50), summary={"loss": 0.7}),
        quirks=Quirks(shown_summaries={"a": shown}),
    )

    assert unknown(collection) == {LATEST}
    assert [each.cause for each in collection.problems] == [NOT_SHOWN.format("summary.loss")]


def test_a_run_that_has_logged_nothing_yet_leaves_the_latest_loss_known_for_one_request() -> None:
    runs = [run("a", "running", summary=None), run("b", beat=ago(hours=2), summary={"loss": 0.7})]
    yaml = (
        "builtin: false\nmetrics:\n- {name: m.x, latest: summary.loss}\n"
        "- {name: m.n, count: runs, window: 7d}\n"
    )
    with sandbox_of(*runs, quirks=Quirks(shown_summaries={"a": None})) as sandbox:
        collection = collect(sandbox, yaml=yaml)

    assert values(collection) == {"m.x": 0.7, "m.n": 2}
    assert collection.cost.requests == 2


@pytest.mark.parametrize("key", ["loss", "e.q"])
@pytest.mark.parametrize("number", [2, 3, 4])
def test_a_run_that_logs_for_the_first_time_while_it_is_read_leaves_the_latest_known(
    key: str, number: int
) -> None:
    yaml = (
        f"builtin: false\nmetrics:\n- {{name: m.x, latest: summary.{key}}}\n"
        "- {name: m.n, count: runs, window: 7d}\n"
    )
    new = run("new", "running", summary=None)
    with sandbox_of(new, run("b", beat=ago(hours=2), summary={key: 0.7})) as sandbox:

        def log(request: int) -> None:
            if request == number:
                sandbox.store.project("e", "p").runs["new"].summary = {key: 0.1, "_timestamp": 1}

        sandbox.before_request = log
        collection = collect(sandbox, yaml=yaml)

    assert unknown(collection) == set()
    assert values(collection)["m.x"] in (0.1, 0.7)


@pytest.mark.parametrize("shown", [None, "", "null", '{"e.q": 9'])
@pytest.mark.parametrize("paths", [False, True])
@pytest.mark.parametrize("aggregate", ["max", "min", "latest"])
def test_w26_a_full_read_does_not_pass_over_a_run_that_logged_and_shows_no_summary(
    shown: str | None, paths: bool, aggregate: str
) -> None:
    yaml = f"builtin: false\nmetrics: [{{name: m.x, {aggregate}: summary.e.q}}]\n"
    collection = collect_from(
        run("a", beat=ago(days=30), summary={"e.q": 9, "_timestamp": 1}),
        run("b", beat=ago(days=31), summary={"e.q": 2, "_timestamp": 1}),
        run("c", beat=ago(days=31)),
        quirks=Quirks(dotted_keys_are_paths=paths, shown_summaries={"a": shown, "c": None}),
        yaml=yaml,
    )

    assert (values(collection), unknown(collection)) == ({}, {"m.x"})
    assert NOT_SHOWN.format("summary.e.q").replace("(of these: a)", "(of these: a, c)") in {
        each.cause for each in collection.problems
    }


@pytest.mark.parametrize("key", ["loss", "e.q"])
def test_what_cannot_be_is_said_of_runs_that_are_read_for_a_latest_value_alone(key: str) -> None:
    yaml = f"builtin: false\nmetrics: [{{name: m.x, latest: summary.{key}}}]\n"
    runs = (
        run("ahead", beat=ago(days=-3), created_at=ago(hours=1), summary={key: 1}),
        run("b", beat=ago(days=30), summary={key: 2}),
    )

    collection = collect_from(*runs, yaml=yaml)

    assert values(collection) == {"m.x": 2}
    (notice,) = collection.notices
    assert notice.startswith("heartbeatAt lies more than a day ahead in 1 run")


def test_a_summary_that_is_no_json_is_said_where_all_runs_are_read() -> None:
    yaml = "builtin: false\nmetrics: [{name: m.x, max: summary.e.q}]\n"
    collection = collect_from(
        run("junk", beat=ago(days=30), summary='{"e.q": 9'),
        run("b", beat=ago(days=30), summary={"e.q": 2}),
        yaml=yaml,
    )

    assert values(collection) == {"m.x": 2}
    (notice,) = collection.notices
    assert notice.startswith("summaryMetrics is not a JSON object in 1 run (such as junk)")
    assert dict(collection.remarks)["impossible"] == 1

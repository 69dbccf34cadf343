"""Summaries that W&B has and does not show are not passed over; what cannot be is said (W26)."""

from collections.abc import Iterable

import pytest

from runmetrics.sandbox.filters import BadRequest, View
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import StoredRun
from tests.collectors.wandb.collecting import (
    AVERAGE,
    BEST,
    DURATION,
    LATEST,
    TEN,
    ago,
    collect,
    collect_from,
    run,
    sandbox_of,
    unknown,
    values,
)

NOT_SHOWN = "W&B cannot serve summaryMetrics of run a"


@pytest.mark.parametrize("shown", [None, "", "null", '{"loss": 0.'])
def test_w26_the_latest_loss_is_unknown_where_the_latest_run_with_one_shows_no_summary(
    shown: str | None,
) -> None:
    collection = collect_from(
        run("a", "running", beat=ago(minutes=5), summary={"loss": 0.1}),
        run("b", beat=ago(minutes=50), summary={"loss": 0.7}),
        quirks=Quirks(shown_summaries={"a": shown}),
    )

    assert unknown(collection) == {LATEST}
    assert [each.cause for each in collection.problems] == [f"{NOT_SHOWN} (a)"]


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
    assert [each.cause for each in collection.problems] == [NOT_SHOWN]


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


LOGGED = {"accuracy": 0.5, "loss": 1.0, "_timestamp": ago(hours=2).timestamp(), "_runtime": 60}


def of_the_week(count: int, logs_every: int) -> Iterable[StoredRun]:
    """Runs of the last days: one in `logs_every` has finished, the others never logged."""
    for n in range(count):
        beat = ago(minutes=5 + n)
        if n % logs_every == 0:
            summary = {**LOGGED, "_timestamp": beat.timestamp()}
            yield run(f"r{n:04}", beat=beat, summary=summary, compute_seconds=60)
        else:
            yield run(f"r{n:04}", ("crashed", "running", "pending")[n % 3], beat=beat, summary=None)


def metric(text: str, read: str = "window: 7d") -> str:
    """A file with one metric, and the count of the runs of the week."""
    count = "- {name: m.n, count: runs, window: 7d}"
    return f"builtin: false\nmetrics:\n- {{name: m.x, {text}, {read}}}\n{count}\n"


@pytest.mark.parametrize("shown", [None, "", "null", '{"accuracy": 0.'])
def test_w26_a_mean_of_the_week_does_not_pass_over_a_run_whose_summary_is_not_shown(
    shown: str | None,
) -> None:
    collection = collect_from(
        run("a", beat=ago(hours=3), summary=LOGGED | {"accuracy": 0.25}, compute_seconds=3600),
        run("b", summary=LOGGED | {"accuracy": 0.75}, compute_seconds=7200),
        run("c", "crashed", beat=ago(minutes=5), summary=None),
        quirks=Quirks(shown_summaries={"a": shown, "c": shown}),
    )

    assert unknown(collection) == {AVERAGE}
    assert [each.cause for each in collection.problems] == [f"{NOT_SHOWN} (a)"]
    assert values(collection)[DURATION] == 1.5
    assert "W&B cannot serve summaryMetrics in 1 run (such as a)" in " ".join(collection.notices)


@pytest.mark.parametrize(
    "text",
    [
        "mean: summary.accuracy",
        "sum: summary.accuracy",
        "max: summary.accuracy",
        "min: summary.accuracy",
        "latest: summary.accuracy",
        "p90: summary.accuracy",
        "mean: summary.e.q",
        "mean: summary.e/q",
        "count: runs, if: {summary.accuracy: {gt: 0.1}}",
        "count: runs, if: {summary.accuracy: {is: missing}}",
        "mean: run.duration_hours",
        "max: run.minutes_since_log",
        "sum: run.active_gpu_hours",
        "sum: run.unlogged_gpu_hours",
    ],
)
@pytest.mark.parametrize("read", ["window: 7d", "full_scan: true"])
def test_w26_nor_does_anything_else_that_needs_the_summary(text: str, read: str) -> None:
    collection = collect_from(
        run("a", summary=LOGGED | {"e.q": 1.0, "e/q": 1.0}),
        run("b", summary=LOGGED),
        quirks=Quirks(shown_summaries={"a": None}),
        yaml=metric(text, read),
    )

    assert (values(collection), unknown(collection)) == ({"m.n": 2}, {"m.x"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("count: runs, state: running", 1),
        ("max: run.silent_minutes, state: running", 5),
        ("mean: run.duration_hours, state: running", 1),
        ("mean: summary.accuracy, state: finished", 0.5),
    ],
)
def test_what_needs_no_summary_of_that_run_stays_known(text: str, value: float) -> None:
    collection = collect_from(
        run("a", "running", beat=ago(minutes=5), summary=LOGGED),
        run("b", summary=LOGGED),
        quirks=Quirks(shown_summaries={"a": None}),
        yaml=metric(text),
    )

    assert values(collection) == {"m.x": pytest.approx(value, rel=0.2), "m.n": 2}
    assert unknown(collection) == set()


@pytest.mark.parametrize("key", ["lr", "a.b"])
def test_w26_nor_is_a_run_passed_over_whose_config_is_not_shown(key: str) -> None:
    yaml = metric(f"mean: config.{key}")
    runs = (run("a", config={key: 7, "_wandb": {}}), run("b", config={key: 1, "_wandb": {}}))
    hidden = collect_from(*runs, quirks=Quirks(shown_configs={"a": None}), yaml=yaml)
    empty = collect_from(*(run("a"), runs[1]), quirks=Quirks(shown_configs={"a": None}), yaml=yaml)

    assert (values(hidden), unknown(hidden)) == ({"m.n": 2}, {"m.x"})
    assert values(empty) == {"m.x": 1, "m.n": 2}


def test_w26_nor_where_the_config_holds_the_key_as_a_path_and_no_client_wrote_it() -> None:
    runs = (run("a", config={"model": {"size": 7}}), run("b", config={"model": {"size": 1}}))
    yaml = metric("mean: config.model.size")
    hidden = collect_from(*runs, quirks=Quirks(shown_configs={"a": None}), yaml=yaml)

    assert (values(hidden), unknown(hidden)) == ({"m.n": 2}, {"m.x"})


@pytest.mark.parametrize(("count", "requests"), [(1_000, 2), (2_500, 3)])
def test_runs_that_never_logged_leave_the_ten_known_for_one_request_at_most(
    count: int, requests: int
) -> None:
    with sandbox_of(*of_the_week(count, logs_every=3)) as sandbox:
        collection = collect(sandbox)

    assert set(values(collection)) >= {*TEN} - {"wandb.training.gpu_utilization_avg"}
    assert (values(collection)[AVERAGE], values(collection)[BEST]) == (0.5, 0.5)
    assert collection.problems == ()
    assert collection.cost.requests == requests


def test_where_every_run_has_a_summary_nothing_more_is_asked() -> None:
    with sandbox_of(*of_the_week(30, logs_every=1)) as sandbox:
        collection = collect(sandbox, yaml=metric("mean: summary.accuracy"))

    assert values(collection) == {"m.x": 0.5, "m.n": 30}
    assert collection.cost.requests == 1


@pytest.mark.parametrize("number", [2, 3])
def test_a_run_that_logs_for_the_first_time_while_it_is_read_leaves_the_mean_known(
    number: int,
) -> None:
    new = run("new", "running", summary=None)
    with sandbox_of(new, run("b", summary=LOGGED)) as sandbox:

        def log(request: int) -> None:
            if request == number:
                sandbox.store.project("e", "p").runs["new"].summary = LOGGED | {"accuracy": 0.75}

        sandbox.before_request = log
        collection = collect(sandbox, yaml=metric("mean: summary.accuracy"))

    assert unknown(collection) == set()
    assert values(collection)["m.x"] in (0.5, 0.625)


def test_where_the_question_cannot_be_asked_no_number_needs_what_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = View.count

    def refusing(view: View, filters: str | None) -> int:
        if "$in" in (filters or "") and "name" in (filters or ""):
            raise BadRequest("invalid filters: $in")
        return count(view, filters)

    monkeypatch.setattr(View, "count", refusing)
    runs = (run("a", "running", summary=None), run("b", summary=LOGGED))
    collection = collect_from(*runs, yaml=metric("mean: summary.accuracy"))

    assert (values(collection), unknown(collection)) == ({"m.n": 2}, {"m.x"})

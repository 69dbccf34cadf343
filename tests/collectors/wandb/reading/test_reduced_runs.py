"""A whole history is made into metrics while its runs pass: as if all had been kept."""

import gc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runmetrics.collectors.wandb.groups import Series
from runmetrics.collectors.wandb.measures import Rules
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Field, Metric
from runmetrics.collectors.wandb.reading.kept import AllRuns, ReducedRuns
from runmetrics.collectors.wandb.reduce import Reduction, reduce
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.model import Collection
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import StoredRun
from tests.collectors.wandb.collecting import (
    ago,
    collect,
    collect_from,
    run,
    sandbox_of,
    unknown,
    values,
)
from tests.collectors.wandb.reading.test_windows import never_alive

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
LOSS = Field("summary", "loss")
METRICS = (
    Metric("m.count", Aggregate.COUNT, None, full_scan=True, by=("state",)),
    *(Metric(f"m.{each}", each, LOSS, full_scan=True) for each in Aggregate if each != "count"),
    Metric("m.tags", Aggregate.SUM, LOSS, full_scan=True, by=("tag",)),
    Metric("m.hours", Aggregate.SUM, Field("run", "gpu_hours"), window=timedelta(days=7)),
)
YAML = """
builtin: false
metrics:
- {name: m.mean, mean: summary.loss, full_scan: true}
- {name: m.users, count: runs, by: user, full_scan: true}
- {name: m.median, p50: summary.loss, full_scan: true}
"""
HOURS = "- {name: m.hours, sum: run.gpu_hours, full_scan: true}\n"


def old_runs(count: int) -> list[StoredRun]:
    """Runs of ann and bob that ended weeks ago; run N has the loss N."""
    return [
        run(f"r{n}", beat=ago(days=20, minutes=n), user=("ann", "bob")[n % 2], summary={"loss": n})
        for n in range(count)
    ]


def by_user(collection: Collection) -> dict[str, float]:
    return {each.tags["user"]: each.value for each in collection.samples if "user" in each.tags}


def test_of_the_runs_of_a_whole_history_none_is_kept_in_memory() -> None:
    def alive() -> int:
        return sum(type(each) is Run for each in gc.get_objects())

    gc.collect()  # what other tests left
    before, while_read = alive(), list[int]()
    with sandbox_of(*old_runs(1_000), page_cap=100) as sandbox:
        sandbox.before_request = lambda _: while_read.append(alive() - before)
        collection = collect(sandbox, yaml=YAML)

    assert len(while_read) > 10
    assert max(while_read) < 10
    assert values(collection) | by_user(collection) == {
        "m.mean": 499.5,
        "m.median": 499.5,
        "m.users": 500,
        "ann": 500,
        "bob": 500,
    }
    assert collection.cost.runs_read == 1_000


LOSSES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: {"summary.loss": x}),
    st.just({"summary.loss": "text"}),
)


def records(first_day: int, last_day: int) -> st.SearchStrategy[list[Run]]:
    """Runs that beat on these days after NOON, each once."""
    one = st.builds(
        Run,
        st.sampled_from("abcdefgh"),
        state=st.sampled_from(["running", "finished", "failed"]),
        created_at=st.just(NOON - timedelta(days=30)),
        heartbeat_at=st.integers(first_day, last_day).map(lambda n: NOON + timedelta(days=n)),
        values=LOSSES,
        tags=st.lists(st.sampled_from("xyz"), max_size=2).map(tuple),
    )
    return st.lists(one, max_size=8, unique_by=lambda run: run.id)


def beat(run: Run) -> datetime:
    assert run.heartbeat_at is not None
    return run.heartbeat_at


def said(found: Sequence[Series] | Unknown) -> object:
    """All that is to be known of series, but the examples."""
    if isinstance(found, Unknown):
        return found
    return [
        (each.value, each.selected, each.known, each.holder, dict(each.tags), each.behind.texts)
        for each in found
    ]


@settings(max_examples=300)
@given(records(-20, 2), st.data(), records(3, 4))
def test_what_passes_makes_the_same_metrics_as_what_is_kept(
    read: list[Run], data: st.DataObject, closing: list[Run]
) -> None:
    again = data.draw(st.lists(st.sampled_from(read), max_size=3)) if read else []
    rules = Rules(NOON)
    every = AllRuns()
    passing = ReducedRuns({metric: Reduction(metric, rules) for metric in METRICS}, NOON)
    for kept in (every, passing):
        for each in (*read, *again):
            kept.add(each)
        kept.close()
        for each in closing:
            kept.add(each)
    found = passing.result(0, {})

    settled = {each.id for each in read if each.state != "running" and beat(each) < NOON}
    assert (found is None) == bool(settled & {each.id for each in closing})
    assert passing.count == every.count
    if found is None or found.reduced is None:
        return
    runs = every.result(0, {}).runs
    assert found.count == len(runs)
    for metric, reduction in found.reduced.reductions.items():
        assert said(reduction.series()) == said(reduce(metric, runs, rules))


def read_while_settled_runs_go_on(*names: str) -> Collection:
    """Forty runs on pages of four; of each reading of them, one of the first to be read moves."""
    with sandbox_of(*old_runs(40), page_cap=4) as sandbox:
        moves = iter(names)

        def resume(_request: int) -> None:
            second = sum("after:" in each.query for each in sandbox.documents)
            if len(sandbox.documents) == 9 or second == 5:
                moved = sandbox.store.run("e", "p", next(moves, names[0]))
                moved.state, moved.heartbeat_at = "running", datetime.now(UTC)
                moved.summary = {"loss": 1039}

        sandbox.before_request = resume
        return collect(sandbox, yaml=YAML, now=datetime.now(UTC))


def test_w16_where_a_settled_run_goes_on_meanwhile_all_are_read_once_more() -> None:
    collection = read_while_settled_runs_go_on("r39")

    assert values(collection)["m.mean"] == (sum(range(39)) + 1039) / 40
    assert by_user(collection) == {"ann": 20, "bob": 20}


def test_w16_where_another_one_does_in_the_second_reading_nothing_is_known() -> None:
    collection = read_while_settled_runs_go_on("r39", "r38")

    assert unknown(collection) == {"m.mean", "m.users", "m.median"}
    assert [each.cause for each in collection.problems] == [
        "a run moved that had been taken for settled while others were read, twice"
    ]


def test_w26_a_run_of_a_whole_history_that_shows_no_summary_makes_unknown_what_needs_it() -> None:
    quirks = Quirks(shown_summaries={"r3": None})
    collection = collect_from(*old_runs(9), yaml=YAML, quirks=quirks)

    assert unknown(collection) == {"m.mean", "m.median"}
    assert {each.cause for each in collection.problems} == {
        "W&B cannot serve summaryMetrics of run r3"
    }
    assert by_user(collection) == {"ann": 5, "bob": 4}


def test_runs_of_a_whole_history_that_never_logged_leave_it_known() -> None:
    runs = [*old_runs(9), run("new", "crashed", beat=ago(days=9), summary=None)]
    collection = collect_from(*runs, yaml=YAML)

    assert (unknown(collection), values(collection)["m.mean"]) == (set(), 4)
    assert "1 of 10 runs have no number under 'loss'" in {each.note for each in collection.samples}


def test_a_metric_of_a_week_is_made_of_the_whole_history_that_is_read_anyway() -> None:
    yaml = f"{YAML}- {{name: m.week, count: runs, window: 7d}}\n"
    collection = collect_from(*old_runs(9), run("a", summary={"loss": 4}), yaml=yaml)

    assert (values(collection)["m.week"], values(collection)["m.mean"]) == (1, 4)


def test_a_week_that_lacks_a_run_which_the_whole_history_shows_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never_alive(monkeypatch)
    yaml = f"{YAML}- {{name: m.week, mean: summary.accuracy, window: 7d}}\n"
    week = [run(f"w{n}", beat=ago(hours=n), summary={"loss": 1, "accuracy": 1}) for n in (1, 2)]
    collection = collect_from(*week, *old_runs(9), yaml=yaml)

    assert unknown(collection) == {"m.week"}
    assert "its filter of times does not find it" in collection.problems[0].cause


def test_over_the_bound_on_all_series_a_whole_history_is_one_number() -> None:
    collection = collect_from(*old_runs(9), yaml=f"max_series_total: 3\n{YAML}")

    assert values(collection) == {"m.mean": 4, "m.median": 4, "m.users": 9}
    assert by_user(collection) == {}


def test_what_is_odd_of_a_whole_history_is_counted_with_an_example() -> None:
    wrong = [
        run(f"w{n}", beat=ago(days=9), summary={"loss": 1}, compute_seconds=-n) for n in range(1, 4)
    ]
    collection = collect_from(*old_runs(9), *wrong, yaml=f"{YAML}{HOURS}")

    assert collection.remarks["impossible"] == 3
    assert "computeSeconds is no length of a run in 3 runs (worst: -3 s in w3)" in " ".join(
        collection.notices
    )

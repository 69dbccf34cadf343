"""What a server may answer that is not so: a number is right, or unknown and named (W26 to W30).

docs/RELIABILITY.md has the table of these lies.
"""

from typing import Any

import pytest

from runmetrics.errors import ExitCode
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import StoredRun
from tests.collectors.wandb.collecting import (
    ACTIVE,
    AVERAGE,
    BEST,
    COMPLETED,
    LAG,
    LATEST,
    TEN,
    TOTAL,
    ago,
    collect,
    collect_from,
    holder,
    missing,
    run,
    sandbox_of,
    unknown,
    values,
)
from tests.collectors.wandb.reading.test_faults_reading import (
    EXACT,
    only_these_unknown,
    outcome,
    read,
    thirty_runs,
)

HIDDEN_OF_THE_WEEK = (
    "W&B counts {} of the last 7 days that it does not show: sums, means and counts are of those "
    "that it shows; counts without a window may include older runs that it hides"
)


def old(name: str, summary: object, **rest: Any) -> StoredRun:
    """A run of a month ago, in no scan of the last days."""
    return run(name, beat=ago(days=30), summary=summary, **rest)


# ------------------------------------------------------------------------- W26: rows not shown


@pytest.mark.parametrize("how", ["missing", "null"])
def test_w26_a_hidden_run_of_the_week_is_left_out_of_sums_and_counts_and_said(how: str) -> None:
    quirks = Quirks(hidden_rows={"r05"}, hidden_as=how)  # type: ignore[arg-type]
    with sandbox_of(*thirty_runs(), quirks=quirks) as sandbox:
        ended = outcome(sandbox)

    average = pytest.approx((465 - 60 - 5) / 26 / 100)
    others = {COMPLETED: 26, TOTAL: 29, AVERAGE: average}
    left = {name: value for name, value in values(ended.collection).items() if name in others}
    assert left == others
    assert unknown(ended.collection) == set()
    assert ended.collection.notices == (HIDDEN_OF_THE_WEEK.format("1 run"),)
    assert ended.exit_code is ExitCode.OK


@pytest.mark.parametrize("how", ["missing", "null"])
def test_w26_a_hidden_running_run_leaves_the_others_counted(how: str) -> None:
    runs = [run(name, "running", beat=ago(minutes=1)) for name in "abc"]
    quirks = Quirks(hidden_rows={"b"}, hidden_as=how)  # type: ignore[arg-type]

    collection = collect_from(*runs, quirks=quirks)

    assert (values(collection)[ACTIVE], values(collection)[TOTAL]) == (2, 2)
    assert ACTIVE not in unknown(collection)


@pytest.mark.parametrize("how", ["missing", "null"])
def test_w26_a_hidden_run_above_the_best_makes_it_unknown(how: str) -> None:
    quirks = Quirks(hidden_rows={"best"}, hidden_as=how)  # type: ignore[arg-type]

    collection = collect_from(
        old("best", {"accuracy": 0.9}), old("good", {"accuracy": 0.8}), quirks=quirks
    )

    assert unknown(collection) == {BEST}
    assert BEST not in values(collection)


def test_w26_a_hidden_run_below_the_best_does_not_hurt_it() -> None:
    collection = collect_from(
        old("best", {"accuracy": 0.9}),
        old("good", {"accuracy": 0.8}),
        quirks=Quirks(hidden_rows={"good"}),
    )

    assert values(collection)[BEST] == 0.9


def test_w26_a_hidden_run_as_late_as_the_latest_makes_it_unknown() -> None:
    runs = [run("last", summary={"loss": 1}), run("first", beat=ago(hours=9), summary={"loss": 2})]

    last_hidden = collect_from(*runs, quirks=Quirks(hidden_rows={"last"}))
    first_hidden = collect_from(*runs, quirks=Quirks(hidden_rows={"first"}))

    assert unknown(last_hidden) == {LATEST}
    assert values(first_hidden)[LATEST] == 1


def test_w26_where_no_run_at_all_is_shown_nothing_is_known_of_the_week() -> None:
    names = {each.id for each in thirty_runs()}
    with sandbox_of(*thirty_runs(), quirks=Quirks(hidden_rows=names)) as sandbox:
        found = read(sandbox)

    assert (values(found), unknown(found)) == ({}, {*TEN})
    assert "W&B counts 30 runs and shows none, twice" in {each.cause for each in found.problems}


@pytest.mark.parametrize("text", [None, "", "null", "{not json"])
def test_w26_a_best_run_whose_summary_is_not_shown_is_not_passed_over(text: str | None) -> None:
    quirks = Quirks(shown_summaries={"best": text})

    collection = collect_from(
        old("best", {"accuracy": 0.9}), old("good", {"accuracy": 0.8}), quirks=quirks
    )

    assert unknown(collection) == {BEST}
    (problem,) = collection.problems
    assert problem.cause == (
        "W&B says that run best (best) has a summary.accuracy, and shows no readable summaryMetrics"
    )


# ---------------------------------------------------------- W27: errors that name no question


@pytest.mark.parametrize("path", [("summaryMetrics",), ("project",), ("viewer",), ()])
def test_w27_an_error_that_names_no_question_may_concern_any(path: tuple[str, ...]) -> None:
    quirks = Quirks(
        unreadable={("r17", "summaryMetrics")}, unreadable_answer="errors", error_path=path
    )
    with sandbox_of(*thirty_runs(), quirks=quirks) as sandbox:
        found = read(sandbox)

    assert values(found).items() <= EXACT.items()
    assert AVERAGE in unknown(found)
    assert "W&B cannot serve summaryMetrics of run r17 (r17)" in {
        problem.cause for problem in found.problems
    }
    assert found.cost.requests < 150


def test_w27_an_error_about_the_viewer_alone_costs_one_request_more_and_is_said() -> None:
    with sandbox_of(*thirty_runs(), quirks=Quirks(viewer_fails=True)) as sandbox:
        found = read(sandbox)

    only_these_unknown(found)
    assert found.notices == (
        "W&B could not say whose the API key is (could not read viewer): the runs are read without",
    )
    assert found.cost.requests == 3


# --------------------------------------------------------------------- W28: counts that cannot be


@pytest.mark.parametrize("count", [0, -1, 29, 2**53, 2**70])
def test_w28_a_count_that_is_not_so_is_not_believed(count: int) -> None:
    with sandbox_of(*thirty_runs(), quirks=Quirks(counts_say=count)) as sandbox:
        ended = outcome(sandbox)

    assert values(ended.collection).items() <= EXACT.items()
    assert {TOTAL, COMPLETED} <= unknown(ended.collection)
    assert ended.exit_code in (ExitCode.PARTIAL, ExitCode.TEMPORARY)


def test_w28_a_count_whose_runs_could_not_be_read_is_not_believed() -> None:
    """Nine of ten are counted, since the index lags; what would show it cannot be read."""
    runs = [run(f"r{number}", "running", beat=ago(days=2)) for number in range(9)]
    late = run("late", "running", beat=ago(seconds=20), created_at=ago(minutes=20))
    quirks = Quirks(counts_lag_seconds=LAG, unreadable={("r3", "node")})

    collection = collect_from(*runs, late, quirks=quirks)

    assert ACTIVE in unknown(collection)
    assert ACTIVE not in values(collection)


def test_w28_a_count_is_held_against_the_last_hour_where_the_week_cannot_be_read() -> None:
    quirks = Quirks(unreadable={("r17", "node")})
    with sandbox_of(*thirty_runs(), quirks=quirks) as sandbox:
        found = read(sandbox)

    assert {ACTIVE: 0, TOTAL: 30}.items() <= values(found).items() <= EXACT.items()


def test_w28_a_filtered_count_without_a_scan_is_held_against_its_own_last_hour() -> None:
    """The index of all runs is up to date, that of the groups is not."""
    yaml = "builtin: false\nmetrics: [{name: m.team, count: runs, where: {group: team}}]\n"
    runs = [run(name, beat=ago(minutes=40), group="team") for name in "ab"]
    with sandbox_of(*runs, run("other", beat=ago(days=3))) as sandbox:
        honest = collect(sandbox, yaml=yaml)
        sandbox.quirks = Quirks(counts_from=sandbox.store.copy())
        sandbox.store.run("e", "p", "a").group = "others"
        lagging = collect(sandbox, yaml=yaml)

    assert (values(honest), honest.cost.requests) == ({"m.team": 2}, 1)
    assert (values(lagging), unknown(lagging)) == ({}, {"m.team"})


def test_pages_without_rows_are_no_pages_of_no_run() -> None:
    with sandbox_of(*thirty_runs(), quirks=Quirks(edges_null=True)) as sandbox:
        found = read(sandbox)

    assert unknown(found) == {*TEN}
    assert missing(found) == {}


# ------------------------------------------------------------------- W30: two spellings of a key

SPELLINGS = (
    old("literal", {"eval.accuracy": 0.99}, config={"model.size": 7}),
    old("nested", {"eval": {"accuracy": 0.80}}, config={"model": {"size": 70}}),
)


def test_w30_the_best_under_a_dotted_key_is_the_best_of_both_spellings() -> None:
    quirks = Quirks(dotted_keys_are_paths=True)

    collection = collect_from(*SPELLINGS, quirks=quirks, accuracy_key="eval.accuracy")

    assert values(collection)[BEST] == 0.99
    assert holder(collection, BEST) == "literal"


@pytest.mark.parametrize(
    ("aggregate", "field", "value"),
    [
        ("max", "config.model.size", 70),
        ("min", "config.model.size", 7),
        ("min", "summary.eval.accuracy", 0.80),
        ("latest", "summary.eval.accuracy", 0.80),
    ],
)
def test_w30_so_are_the_least_and_the_latest(aggregate: str, field: str, value: float) -> None:
    literal, nested = SPELLINGS
    literal = old(literal.id, literal.summary, config=literal.config, created_at=ago(days=40))
    nested = run(nested.id, beat=ago(days=29), summary=nested.summary, config=nested.config)
    yaml = f"builtin: false\nmetrics:\n- {{name: a.b, {aggregate}: {field}}}\n"

    quirks = Quirks(dotted_keys_are_paths=True)
    assert values(collect_from(literal, nested, quirks=quirks, yaml=yaml)) == {"a.b": value}


# --------------------------------------------------- numbers only, and servers that cannot compare


@pytest.mark.parametrize("bounds", ["refused", "none"])
def test_a_server_that_cannot_compare_with_two_bounds_is_asked_by_an_ordered_page(
    bounds: Any,
) -> None:
    runs = [old(f"r{number:03}", {"accuracy": number / 1000}) for number in range(100)]
    with sandbox_of(*runs, quirks=Quirks(bounds=bounds)) as sandbox:
        collection = collect(sandbox)

    assert values(collection)[BEST] == 0.099
    assert collection.cost.requests <= 17


@pytest.mark.parametrize("junk", ["NaN", "text", None, {"min": 1}, [1], True, float("nan")])
@pytest.mark.parametrize("above", [False, True])
def test_runs_that_have_no_number_under_the_key_cost_no_full_read(
    junk: object, above: bool
) -> None:
    runs = [old(f"r{number:04}", {"accuracy": junk, "_runtime": 1}) for number in range(1_100)]
    quirks = Quirks(strings_above_numbers=above)
    with sandbox_of(*runs, quirks=quirks) as sandbox:
        nobody = collect(sandbox)
        sandbox.store.add("e", "p", old("best", {"accuracy": 0.5}))
        somebody = collect(sandbox)

    assert "no run has a number under 'accuracy'" in missing(nobody)[BEST]
    assert values(somebody)[BEST] == 0.5
    assert nobody.cost.requests <= 4
    assert somebody.cost.requests <= 4


def test_keys_with_slashes_that_nobody_has_are_known_from_one_that_a_late_run_has() -> None:
    runs = [old(f"r{number:04}", {"val/loss": number}) for number in range(2_500)]
    yaml = "builtin: false\nmetrics:\n" + "".join(
        f"- {{name: a.b{index}, max: summary.val/k{index}}}\n" for index in range(5)
    )
    with sandbox_of(*runs, run("just started", "running", beat=ago(seconds=5))) as sandbox:
        collection = collect(sandbox, yaml=yaml)

    assert set(missing(collection)) == {f"a.b{index}" for index in range(5)}
    assert collection.cost.requests <= 5


def test_where_such_keys_cannot_be_filtered_every_run_is_read_once_for_all() -> None:
    runs = [old(f"r{number:04}", {"val/k0": number, "val/k1": -number}) for number in range(2_500)]
    yaml = "builtin: false\nmetrics:\n" + "".join(
        f"- {{name: a.b{index}, max: summary.val/k{index}}}\n" for index in range(3)
    )
    with sandbox_of(*runs, quirks=Quirks(slashed_keys_not_filterable=True)) as sandbox:
        collection = collect(sandbox, yaml=yaml)

    assert values(collection) == {"a.b0": 2499, "a.b1": 0}
    assert set(missing(collection)) == {"a.b2"}
    assert collection.cost.requests <= 10


def test_twenty_maxima_are_proven_in_one_document() -> None:
    runs = [old(f"r{n}", {f"key{index}": n * index for index in range(20)}) for n in range(9)]
    yaml = "builtin: false\nmetrics:\n" + "".join(
        f"- {{name: a.b{index}, max: summary.key{index}}}\n" for index in range(20)
    )
    with sandbox_of(*runs) as sandbox:
        collection = collect(sandbox, yaml=yaml)

    assert values(collection) == {f"a.b{index}": 8 * index for index in range(20)}
    assert collection.cost.requests == 2

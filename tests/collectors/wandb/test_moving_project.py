"""A project that moves while it is read gives the numbers of one of its instants, or none."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import Store, StoredRun
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.collectors.wandb.collecting import (
    ACTIVE,
    COMPLETED,
    FAILED,
    NOW,
    TOTAL,
    ago,
    collect,
    run,
    sandbox_of,
    unknown,
    values,
)
from tests.collectors.wandb.oracle import the_ten

PAGE_CAP = 4
"""A server of small pages, so that a few runs already take several requests."""

Move = Callable[[Store, int], None]


def _beat(store: Store, index: int) -> None:
    """A run logs a new loss and accuracy."""
    if found := _pick(store, index):
        found.state, found.heartbeat_at = "running", _at_once()
        found.summary = {"accuracy": 0.5 + index / 1000, "loss": index}


def _finish(store: Store, index: int) -> None:
    if found := _pick(store, index):
        found.state, found.heartbeat_at = "finished", _at_once()
        found.compute_seconds = 60.0 * (index + 1)


def _fail(store: Store, index: int) -> None:
    if found := _pick(store, index):
        found.state, found.heartbeat_at = "failed", _at_once()


def _appear(store: Store, index: int) -> None:
    name = f"new{len(store.project('e', 'p').runs)}"
    now = _at_once()
    store.add("e", "p", StoredRun(name, "running", now, now, summary={"loss": -index}))


def _vanish(store: Store, index: int) -> None:
    if found := _pick(store, index):
        store.remove("e", "p", found.id)


def _pick(store: Store, index: int) -> StoredRun | None:
    runs = store.project("e", "p").in_creation_order()
    return runs[index % len(runs)] if runs else None


def _at_once() -> datetime:
    """The time of a move is the time at which it is made."""
    return datetime.now(UTC)


MOVES: tuple[Move, ...] = (_beat, _finish, _fail, _appear, _vanish)

stored_runs = st.lists(
    st.builds(
        lambda state, beat, length, summary: (state, beat, length, summary),
        st.sampled_from(["running", "finished", "failed", "crashed", "killed"]),
        st.floats(0, 14),
        st.floats(0, 48),
        st.dictionaries(
            st.sampled_from(["accuracy", "loss"]),
            st.one_of(st.floats(-5, 5), st.just("NaN"), st.none(), st.booleans()),
        ),
    ),
    max_size=14,
)
moves = st.lists(
    st.tuples(st.integers(2, 7), st.sampled_from(MOVES), st.integers(0, 20)), max_size=8
)
quirks = st.sampled_from(
    [
        Quirks(),
        Quirks(orders_ignored=frozenset({"*"})),
        Quirks(strings_above_numbers=True, booleans_as_numbers=True),
        Quirks(missing_first=True),
        Quirks(keys_without_case=True),
    ]
)


def _store(drawn: list[tuple[str, float, float, dict[str, object]]]) -> WandbSandbox:
    runs = [
        run(
            f"r{index:02}",
            state,
            beat=ago(days=beat),
            created_at=ago(days=beat, hours=length),
            summary=summary,
        )
        for index, (state, beat, length, summary) in enumerate(drawn)
    ]
    return sandbox_of(*runs, page_cap=PAGE_CAP)


def _truth(store: Store) -> dict[str, float]:
    return the_ten(
        (
            {
                "id": each.id,
                "state": each.state,
                "created_at": each.created_at,
                "heartbeat_at": each.heartbeat_at,
                "summary": each.summary,
                "system": each.system_metrics or {},
                "compute_seconds": each.compute_seconds,
                "gpu_count": each.gpu_count,
            }
            for each in store.project("e", "p").runs.values()
        ),
        NOW,
    )


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(stored_runs, moves, quirks)
@example([("running", 0.1, 1.0, {"loss": 1.0})] * 9, [(3, _finish, 0), (4, _finish, 8)], Quirks())
def test_every_number_is_that_of_an_instant_of_the_reading(
    drawn: list[tuple[str, float, float, dict[str, object]]],
    planned: list[tuple[int, Move, int]],
    quirk: Quirks,
) -> None:
    with _store(drawn) as sandbox:
        sandbox.quirks = quirk
        truths = [_truth(sandbox.store)]

        def move(request: int) -> None:
            for at, change, index in planned:
                if at == request:
                    change(sandbox.store, index)
                    truths.append(_truth(sandbox.store))

        sandbox.before_request = move
        collection = collect(sandbox)

    found = values(collection)
    for name in {*found, *(name for truth in truths for name in truth)} - unknown(collection):
        instants = [truth.get(name) for truth in truths]
        assert any(_same(found.get(name), instant) for instant in instants), (name, found, instants)


def _same(found: float | None, truth: float | None) -> bool:
    if found is None or truth is None:
        return found is truth
    return abs(found - truth) <= 1e-9 * max(1.0, abs(truth))


@pytest.mark.parametrize("number", [2, 3])
def test_a_run_that_starts_while_a_busy_week_is_read_leaves_the_counts_known(number: int) -> None:
    with _store([("running", 0.1, 1.0, {"loss": 1.0})] * 9) as sandbox:

        def start(request: int) -> None:
            if request == number:
                _appear(sandbox.store, 0)

        sandbox.before_request = start
        collection = collect(sandbox)

    assert unknown(collection) == set()
    assert (values(collection)[TOTAL], values(collection)[ACTIVE]) == (10, 10)


@pytest.mark.parametrize(("moments", "total"), [((1,), 25), ((1, 2), 26), ((1, 3), 25)])
def test_runs_that_start_while_two_pages_are_read_cost_no_request_more(
    moments: tuple[int, ...], total: int
) -> None:
    runs = [run(f"r{index:02}", beat=ago(hours=1 + index)) for index in range(24)]
    with sandbox_of(*runs, page_cap=20) as sandbox:

        def start(request: int) -> None:
            if request in moments:
                _appear(sandbox.store, 0)

        sandbox.before_request = start
        collection = collect(sandbox)

    assert unknown(collection) == set()
    assert values(collection)[TOTAL] == total
    assert collection.cost.requests == 3


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(hours=20), timedelta(days=9)])
def test_w19_a_run_created_ahead_of_the_clock_costs_no_request_more(ahead: timedelta) -> None:
    late = run("late", created_at=NOW + ahead)
    with sandbox_of(run("a"), late, page_cap=1) as sandbox:
        collection = collect(sandbox)

    assert unknown(collection) == set()
    assert values(collection)[TOTAL] == 2
    assert collection.cost.requests == 3


def test_a_run_that_was_not_shown_is_not_made_up_for_by_one_that_is_deleted() -> None:
    """The sums agree: of 13 runs the one that failed is lacking for another that is gone."""
    states = {6: "failed"}
    runs = [
        run(f"r{index:02}", states.get(index, "finished"), beat=ago(hours=20 - index))
        for index in range(13)
    ]
    with sandbox_of(*runs, page_cap=PAGE_CAP) as sandbox:

        def move(request: int) -> None:
            if request == 2:
                sandbox.store.remove("e", "p", "r06")
            if request == 5:  # the closing: three pages were read side by side
                sandbox.store.add("e", "p", runs[6])
                sandbox.store.remove("e", "p", "r00")
                _appear(sandbox.store, 0)

        sandbox.before_request = move
        collection = collect(sandbox)

    assert unknown(collection) == set()
    found = values(collection)
    assert (found[TOTAL], found[COMPLETED], found[FAILED]) == (13, 11, 1)


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_w19_creation_at_the_ends_of_time_is_no_bug_and_hides_no_run(year: str) -> None:
    created = f"{year}-01-01T00:00:00Z"
    runs = [StoredRun(f"r{i}", "finished", created, ago(hours=i)) for i in range(9)]
    with sandbox_of(*runs, page_cap=PAGE_CAP) as sandbox:
        collection = collect(sandbox)

    assert values(collection)[TOTAL] == 9
    assert values(collection)[COMPLETED] == 9


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(stored_runs, quirks)
def test_a_project_that_rests_gives_every_number(
    drawn: list[tuple[str, float, float, dict[str, object]]], quirk: Quirks
) -> None:
    with _store(drawn) as sandbox:
        sandbox.quirks = quirk
        collection = collect(sandbox)
        truth = _truth(sandbox.store)

    assert unknown(collection) == set()
    assert values(collection).keys() == truth.keys()
    assert all(_same(value, truth[name]) for name, value in values(collection).items())

"""What is kept of runs while they are read: all, or the best and a few bytes of every other."""

import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Field
from runmetrics.collectors.wandb.reading.filters import EVERYTHING
from runmetrics.collectors.wandb.reading.kept import BestRuns
from runmetrics.collectors.wandb.reading.plan import RankedRead
from runmetrics.collectors.wandb.reading.ranking import Winner
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.sandbox.quirks import Quirks
from tests.collectors.wandb.collecting import ago, collect, holder, run, sandbox_of, values

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
MOST = RankedRead(EVERYTHING, (), Field("summary", "a.b"), Aggregate.MAX)
LEAST = RankedRead(EVERYTHING, (), Field("summary", "a.b"), Aggregate.MIN)


def seen(name: str, value: float, *, beat: datetime = NOON - timedelta(days=9), **rest: str) -> Run:
    """A run that began a day before it beat last."""
    return Run(
        name,
        created_at=beat - timedelta(days=1),
        heartbeat_at=beat,
        values={"summary.a.b": float(value)},
        **{"state": "finished", **rest},  # type: ignore[arg-type]
    )


def winners(kept: BestRuns, hidden: int = 0) -> dict[RankedRead, str]:
    found = kept.result(hidden, {})
    assert found is not None
    return {
        read: each.run.id
        for read, each in found.winners.items()
        if isinstance(each, Winner) and each.run is not None
    }


def test_the_best_of_each_ranked_value_is_kept_and_every_run_is_counted_once() -> None:
    kept = BestRuns([MOST, LEAST], NOON)
    for run_ in (seen("a", 1), seen("b", 3), seen("b", 3), seen("c", 2)):
        kept.add(run_)
    kept.close()

    assert winners(kept) == {MOST: "b", LEAST: "a"}
    assert kept.count == 3


def test_what_moved_while_it_was_read_counts_as_it_is_in_the_end() -> None:
    kept = BestRuns([MOST], NOON)
    for run_ in (seen("live", 9, state="running"), seen("old", 5), seen("settled", 1)):
        kept.add(run_)
    kept.close()
    after = NOON + timedelta(minutes=1)
    kept.add(seen("live", 2, beat=after))
    kept.add(seen("settled", 7, beat=after))
    kept.add(Run("new", created_at=after, heartbeat_at=after))

    assert winners(kept) == {MOST: "settled"}
    assert kept.count == 4


def test_where_the_best_itself_moved_nothing_is_known_of_the_second_best() -> None:
    kept = BestRuns([MOST], NOON)
    for run_ in (seen("best", 9), seen("second", 5)):
        kept.add(run_)
    kept.close()
    kept.add(seen("best", 1, beat=NOON))

    assert kept.result(0, {}) is None


@pytest.mark.parametrize(("seconds", "known"), [(122, True), (123, False)])
def test_the_best_may_move_where_it_beat_in_the_last_two_minutes_already(
    seconds: int, known: bool
) -> None:
    kept = BestRuns([MOST], NOON)
    kept.add(seen("best", 9, beat=NOON - timedelta(seconds=seconds)))
    kept.close()
    kept.add(seen("best", 1, beat=NOON))

    assert (kept.result(0, {}) is not None) == known


def test_a_hidden_run_may_be_better_than_the_best() -> None:
    kept = BestRuns([MOST], NOON)
    kept.add(seen("a", 1))
    kept.close()

    found = kept.result(2, {})
    assert found is not None
    assert isinstance(why := found.winners[MOST], Unknown)
    assert "W&B counts 2 runs that it does not show" in why.cause


def test_a_run_that_cannot_be_the_best_takes_a_few_bytes() -> None:
    kept = BestRuns([MOST], NOON)
    tracemalloc.start()
    try:
        for number in range(10_000):
            kept.add(seen(f"r{number}", -number))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size < 10_000 * 24


def test_a_full_read_during_which_the_best_moves_is_made_once_more() -> None:
    runs = [run(f"r{n}", beat=ago(days=30 - n), summary={"a": {"b": n}}) for n in range(9)]
    with sandbox_of(*runs, quirks=Quirks(dotted_keys_are_paths=True), page_cap=4) as sandbox:

        def move(_request: int) -> None:
            pages = [each for each in sandbox.documents if '"a.b"' in each.query]
            best = sandbox.store.run("e", "p", "r8")
            if len(pages) == 4 and best.state == "finished":
                best.state, best.heartbeat_at = "running", datetime.now(UTC)
                best.summary = {"a": {"b": -1}}

        sandbox.before_request = move
        yaml = "builtin: false\nmetrics: [{name: m.x, max: summary.a.b}]\n"
        collection = collect(sandbox, yaml=yaml, now=datetime.now(UTC))

    assert (values(collection), holder(collection, "m.x")) == ({"m.x": 7}, "r7")

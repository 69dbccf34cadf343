"""A filter of times that finds nothing is no week without runs (W35)."""

from typing import Any

import pytest

from runmetrics.sandbox.filters import View
from tests.collectors.wandb.collecting import (
    ACTIVE,
    AVERAGE,
    BEST,
    COMPLETED,
    DURATION,
    FAILED,
    GPU_HOURS,
    LATEST,
    TOTAL,
    UTILIZATION,
    ago,
    collect,
    run,
    sandbox_of,
    unknown,
    values,
)

OF_THE_WEEK = {COMPLETED, FAILED, AVERAGE, DURATION, UTILIZATION, GPU_HOURS}


def never_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the sandbox's filter of heartbeats or creation match no run."""
    entry = View._entry

    def broken(view: View, key: str, value: Any) -> Any:
        if key == "$or" and any("heartbeatAt" in part for part in value):
            return [False] * len(view.runs)
        return entry(view, key, value)

    monkeypatch.setattr(View, "_entry", broken)


def test_w35_a_week_that_lacks_a_run_which_ranked_pages_show_alive_is_unknown_and_never_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never_alive(monkeypatch)
    best = run("a", beat=ago(minutes=5), summary={"accuracy": 0.9, "loss": 0.3}, gpu_count=8)

    with sandbox_of(best) as sandbox:
        collection = collect(sandbox)

    assert values(collection) == {ACTIVE: 0, TOTAL: 1, BEST: 0.9, LATEST: 0.3}
    assert unknown(collection) == OF_THE_WEEK
    (cause,) = {problem.cause for problem in collection.problems}
    assert cause == (
        "W&B shows run a (a) alive in the last 7 days, and its filter of times does not find it, "
        "twice"
    )
    assert collection.cost.requests <= 6


def test_w35_so_is_one_that_lacks_a_run_which_runs_now(monkeypatch: pytest.MonkeyPatch) -> None:
    never_alive(monkeypatch)
    yaml = (
        "builtin: false\nmetrics:\n- {name: m.week, count: runs, window: 7d}\n"
        "- {name: m.gpus, sum: run.gpus, state: running}\n"
    )
    with sandbox_of(run("a", "running", beat=ago(minutes=1), gpu_count=8)) as sandbox:
        collection = collect(sandbox, yaml=yaml)

    assert (values(collection), unknown(collection)) == ({"m.gpus": 8}, {"m.week"})


def test_w35_a_week_without_runs_is_one_where_the_best_and_the_latest_are_older() -> None:
    with sandbox_of(run("a", beat=ago(days=8), summary={"accuracy": 0.9, "loss": 0.3})) as sandbox:
        collection = collect(sandbox)

    assert (values(collection)[COMPLETED], values(collection)[BEST]) == (0, 0.9)
    assert collection.cost.requests <= 3

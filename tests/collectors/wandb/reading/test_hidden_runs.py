"""Runs that W&B counts and does not show: what rests on one run, or on ranks, is unknown (W26)."""

import pytest

from runmetrics.sandbox.quirks import Quirks
from tests.collectors.wandb.collecting import ago, collect_from, run, unknown, values

RUNS = (
    run("a", beat=ago(minutes=5), summary={"acc": 0.9}),
    run("b", beat=ago(minutes=50), summary={"acc": 0.7}),
    run("c", beat=ago(minutes=60), summary={"acc": 0.5}),
    run("silent", "running", beat=ago(minutes=30)),
    run("alive", "running", beat=ago(minutes=3)),
)


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

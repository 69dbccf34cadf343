"""Faults of the server while runs are read (rows W5, W11 to W14, W17, W18, W20, W24, W25).

Whatever it does, a number is exact or it is unknown and said.
"""

import json
from datetime import timedelta
from typing import Any

import pytest

from runmetrics import pipeline
from runmetrics.collectors.wandb.server.client import RetryPolicy
from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode
from runmetrics.model import Collection
from runmetrics.sandbox.history import fill
from runmetrics.sandbox.quirks import ALWAYS, Quirks
from runmetrics.sandbox.store import Store, StoredRun
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.collectors.wandb.collecting import (
    ACTIVE,
    AVERAGE,
    BEST,
    COMPLETED,
    DURATION,
    FAILED,
    FAST,
    GPU_HOURS,
    LATEST,
    NOW,
    TEN,
    TOTAL,
    UTILIZATION,
    ago,
    collect,
    collector_of,
    run,
    sandbox_of,
    unknown,
    values,
)


def outcome(sandbox: WandbSandbox, policy: RetryPolicy = FAST, **settings: Any) -> pipeline.Outcome:
    """A dry run against the sandbox, which does not wait long between tries."""
    collector = collector_of(sandbox, policy=policy, **settings)
    return pipeline.run(collector, [], NOW, Deadline(60))


def read(sandbox: WandbSandbox, **settings: Any) -> Collection:
    return outcome(sandbox, **settings).collection


def thirty_runs() -> list[StoredRun]:
    """Of the last days: each took an hour on two GPUs, run N has accuracy and loss N/100."""
    return [
        run(
            f"r{number:02}",
            "failed" if number % 10 == 0 else "finished",
            beat=ago(hours=1 + number),
            summary={"accuracy": number / 100, "loss": number / 100},
            compute_seconds=3600,
            gpu_count=2,
            config={"_wandb": {"e": {"writer": {"gpu_count": 2}}}},
            system_metrics={"system.gpu.0.gpu": number, "system.gpu.1.gpu": number},
        )
        for number in range(1, 31)
    ]


EXACT = {
    ACTIVE: 0,
    COMPLETED: 27,
    FAILED: 3,
    TOTAL: 30,
    BEST: 0.3,
    LATEST: 0.01,
    AVERAGE: pytest.approx((465 - 60) / 27 / 100),
    DURATION: 1,
    UTILIZATION: 15.5,
    GPU_HOURS: 60,
}


def but(*names: str, **others: object) -> dict[str, object]:
    """EXACT without some."""
    return {name: value for name, value in EXACT.items() if name not in names} | others


def only_these_unknown(found: Collection, *names: str) -> None:
    assert unknown(found) == set(names)
    assert values(found) == but(*names)


# ---------------------------------------------------------------- W5, W11: the server fails on it


@pytest.mark.parametrize("by", ["500", "errors"])
@pytest.mark.parametrize(
    ("part", "lost"),
    [
        ("systemMetrics", (UTILIZATION, GPU_HOURS)),
        ("summaryMetrics", (BEST, AVERAGE)),
        ("runInfo", (GPU_HOURS,)),
    ],
)
def test_w5_a_poison_run_is_named_with_its_field_and_costs_what_needs_that_field(
    part: str, lost: tuple[str, ...], by: str
) -> None:
    poison = Quirks(unreadable=frozenset({("r17", part)}), unreadable_answer=by)  # type: ignore[arg-type]
    with sandbox_of(*thirty_runs(), quirks=poison) as sandbox:
        found = read(sandbox)

    only_these_unknown(found, *lost)
    assert {str(problem) for problem in found.problems} == {
        (
            f"W&B cannot serve {part} of run r17 (r17): "
            "look at the run in W&B; deleting it, or asking support@wandb.com, fixes it"
        )
    }
    assert found.cost.requests < 150


def test_w5_a_poison_run_that_may_hold_the_latest_loss_makes_it_unknown() -> None:
    poison = Quirks(unreadable=frozenset({("r01", "summaryMetrics")}), unreadable_answer="errors")
    with sandbox_of(*thirty_runs(), quirks=poison) as sandbox:
        found = read(sandbox)

    only_these_unknown(found, BEST, AVERAGE, LATEST)


def test_w5_a_run_that_cannot_be_served_at_all_leaves_the_servers_counts() -> None:
    poison = Quirks(unreadable=frozenset({("r17", "node")}))
    with sandbox_of(*thirty_runs(), quirks=poison) as sandbox:
        found = read(sandbox)

    assert values(found).items() <= EXACT.items()
    assert {ACTIVE, TOTAL} <= set(values(found))
    assert {DURATION, AVERAGE, UTILIZATION, GPU_HOURS} <= unknown(found)


def test_w11_what_failed_beside_data_is_asked_for_once_more_and_comes() -> None:
    poison = Quirks(unreadable=frozenset({("r17", "systemMetrics")}), unreadable_answer="errors")
    with sandbox_of(*thirty_runs(), quirks=poison) as sandbox:

        def heal(number: int) -> None:
            if number == 2:
                sandbox.quirks = Quirks()

        sandbox.before_request = heal
        found = read(sandbox)

    only_these_unknown(found)


# ------------------------------------------------------------------------- W12: no such project


def test_w12_one_project_that_is_not_there_leaves_the_others_and_makes_it_partial() -> None:
    with sandbox_of(*thirty_runs()) as sandbox:
        ended = outcome(sandbox, projects="e/p,e/q")

    assert values(ended.collection) == EXACT
    assert ended.exit_code is ExitCode.PARTIAL
    (problem,) = ended.collection.problems
    assert problem.metrics == TEN
    assert problem.tags["wandb_project"] == "q"


def test_w12_no_project_at_all_is_a_configuration_error() -> None:
    with sandbox_of(*thirty_runs()) as sandbox:
        ended = outcome(sandbox, projects="e/q,f/p")

    assert values(ended.collection) == {}
    assert ended.exit_code is ExitCode.CONFIGURATION


# ----------------------------------------------------------------------------- W13, W14: pages


@pytest.mark.parametrize("kind", ["same", "cycle"])
def test_w13_cursors_that_repeat_end_the_walk(kind: str) -> None:
    at_once = [run(f"r{n:03}", beat=ago(hours=1), summary={"loss": 1.0}) for n in range(300)]
    quirks = Quirks(repeated_cursor=kind)  # type: ignore[arg-type]
    with sandbox_of(*at_once, quirks=quirks, page_cap=50) as sandbox:
        found = read(sandbox)

    assert {DURATION, GPU_HOURS} <= unknown(found)
    assert values(found).get(TOTAL) == 300
    assert values(found).get(COMPLETED, 300) == 300
    assert found.cost.requests < 60


@pytest.mark.parametrize("cap", [1, 7, 29])
def test_w14_pages_shorter_than_asked_for_are_read_on(cap: int) -> None:
    with sandbox_of(*thirty_runs(), page_cap=cap) as sandbox:
        only_these_unknown(read(sandbox))


def test_w14_an_empty_page_with_a_next_one_is_read_again() -> None:
    with sandbox_of(*thirty_runs(), quirks=Quirks(empty_pages=1)) as sandbox:
        only_these_unknown(read(sandbox))


def test_w14_empty_pages_without_end_are_unknown() -> None:
    with sandbox_of(*thirty_runs(), quirks=Quirks(empty_pages=ALWAYS)) as sandbox:
        found = read(sandbox)

    assert unknown(found) == set(TEN)
    assert {problem.cause for problem in found.problems} == {
        "W&B sends an empty page of runs and says that more follow"
    }


# ------------------------------------------------------------------------- W17, W18: odd content


def test_w17_nulls_and_times_without_a_zone_cost_nothing() -> None:
    bare = StoredRun("bare", "failed", created_at=ago(days=1), summary=None, config=None, user=None)
    no_birth = StoredRun("born", "finished", heartbeat_at=ago(days=1), compute_seconds=7200)
    zoneless = run("zone", beat=ago(hours=3), created_at=ago(hours=4))
    zoneless.created_at = ago(hours=4).strftime("%Y-%m-%dT%H:%M:%S")
    zoneless.heartbeat_at = ago(hours=3).strftime("%Y-%m-%dT%H:%M:%S.123456789")
    with sandbox_of(bare, no_birth, zoneless) as sandbox:
        found = values(read(sandbox))

    assert (found[COMPLETED], found[FAILED], found[TOTAL]) == (2, 1, 3)
    assert found[DURATION] == pytest.approx(1.5, abs=1e-4)
    assert found[GPU_HOURS] == pytest.approx(3, abs=1e-4)


def test_w18_content_that_is_no_number_is_passed_over_and_junk_is_said() -> None:
    deep = "[" * 100 + "]" * 100
    texts = {
        "prose": "not json",
        "list": "[1]",
        "deep": f'{{"accuracy": {deep}}}',
        "deeper": '{"accuracy": ' + "[" * 100_000,
        "words": '{"accuracy": "0.99"}',
        "infinite": '{"accuracy": Infinity}',
        "true": '{"accuracy": true}',
        "huge": '{"accuracy": 1' + "0" * 400 + "}",
        "large": json.dumps({"accuracy": 0.5, "blob": "x" * 2_000_000}),
        "twice": json.dumps(json.dumps({"accuracy": 0.7})),
        "empty": "",
    }
    runs = [run(name, summary=text) for name, text in texts.items()]
    with sandbox_of(*runs, run("good", summary={"accuracy": 0.6})) as sandbox:
        found = read(sandbox)

    assert values(found)[COMPLETED] == len(texts) + 1
    assert values(found)[AVERAGE] == pytest.approx(0.6)
    assert values(found).get(BEST, 0.7) == 0.7
    assert any("summaryMetrics is not a JSON object in 3 runs" in each for each in found.notices)


# ------------------------------------------------------------------------------ W20: two clocks


@pytest.mark.parametrize("offset", [3600, -3600])
def test_w20_windows_follow_the_servers_clock_and_points_ours(offset: int) -> None:
    edge = NOW + timedelta(seconds=offset) - timedelta(days=7)
    inside = run("inside", beat=edge + timedelta(seconds=5), compute_seconds=3600)
    outside = run("outside", beat=edge - timedelta(seconds=5), compute_seconds=3600)
    with sandbox_of(inside, outside, clock_offset_seconds=float(offset)) as sandbox:
        found = read(sandbox)

    assert values(found)[COMPLETED] == 1
    assert values(found)[TOTAL] == 2
    assert values(found)[GPU_HOURS] == pytest.approx(5 / 3600, abs=2 / 3600)
    assert {sample.time for sample in found.samples} == {NOW}
    assert [each.split(",")[0][:-7] for each in found.notices] == [
        "the clocks of this machine and of W&B differ by"
    ]


DAY = 86_400


@pytest.mark.parametrize("offset", [DAY + 60, -DAY - 60, 3650 * DAY, -3650 * DAY])
def test_w20_where_the_clocks_are_more_than_a_day_apart_what_needs_the_time_is_unknown(
    offset: int,
) -> None:
    week = run("week", summary={"accuracy": 0.5, "loss": 1}, gpu_count=1)
    live = run("live", "running", beat=ago(minutes=1), system_metrics={"system.gpu.0.gpu": 50})
    yaml = "packs: [health, gpu]\nmetrics: [{name: x.gpus, max: run.gpus, state: running}]"
    with sandbox_of(week, live, clock_offset_seconds=float(offset)) as sandbox:
        found = collect(sandbox, yaml=yaml)

    assert values(found) == {
        "wandb.runs.active": 1,
        "wandb.runs.total": 2,
        "wandb.metrics.best_accuracy": 0.5,
        "x.gpus": 1,
    }
    (problem,) = found.problems
    assert problem.cause.startswith("the clocks of this machine and of W&B differ by ")
    assert problem.cause.endswith("neither can be believed")
    assert problem.code is ExitCode.CONFIGURATION
    assert found.cost.requests <= 3


def test_w20_a_day_apart_the_servers_clock_is_followed() -> None:
    with sandbox_of(run("a"), clock_offset_seconds=float(DAY - 60)) as sandbox:
        found = collect(sandbox)

    assert found.problems == ()
    assert values(found)["wandb.runs.completed_7d"] == 1


# -------------------------------------------------------------------------- W24: an old server


@pytest.mark.parametrize(
    ("field", "instead", "lost"),
    [
        (
            "computeSeconds",
            "durations come from the runs' times, idle gaps of resumed runs included",
            (),
        ),
        ("runInfo", "GPU counts come from the runs' config and system metrics", ()),
        ("systemMetrics", "metrics that need it are unknown", (UTILIZATION,)),
        ("displayName", "runs go by their ids", ()),
    ],
)
def test_w24_a_field_the_server_lacks_is_done_without_and_said(
    field: str, instead: str, lost: tuple[str, ...]
) -> None:
    with sandbox_of(*thirty_runs(), quirks=Quirks(unknown_fields=frozenset({field}))) as sandbox:
        found = read(sandbox)

    only_these_unknown(found, *lost)
    assert found.notices == (f"this W&B server has no field {field!r}: {instead}",)


def test_w24_without_heartbeats_nothing_is_known_and_it_is_said() -> None:
    quirks = Quirks(unknown_fields=frozenset({"heartbeatAt"}))
    with sandbox_of(*thirty_runs(), quirks=quirks) as sandbox:
        ended = outcome(sandbox)

    assert ended.exit_code is ExitCode.CONFIGURATION
    assert values(ended.collection) == {}
    (problem,) = ended.collection.problems
    assert problem.code is ExitCode.CONFIGURATION
    assert 'Cannot query field "heartbeatAt" on type "Run"' in problem.cause


def test_a_problem_with_a_filter_names_the_filter() -> None:
    text = "metrics: [{name: mine.x, count: runs, state: running, where: {foo: 1}}]"
    with sandbox_of(*thirty_runs()) as sandbox:
        (problem,) = collect(sandbox, yaml=text).problems

    assert problem.metrics == ("mine.x",)
    assert problem.cause.endswith("""'where clause' (where: {"foo": 1})""")


# --------------------------------------------------------------------------- W25: a long history


def test_w25_a_hundred_thousand_runs_cost_what_their_last_week_costs() -> None:
    store = Store()
    fill(store, "e", "p", runs=100_000, in_window=1_500, now=NOW, gpu_mix={1: 1.0})
    with WandbSandbox(store=store) as sandbox:
        found = read(sandbox)

    stored = list(store.projects["e", "p"].runs.values())
    assert set(values(found)) == set(TEN)
    assert values(found)[TOTAL] == 100_000
    assert values(found)[BEST] == max(each.summary["accuracy"] for each in stored)  # type: ignore[index]
    assert found.cost.runs_read == 1_500
    assert found.cost.requests <= 6

"""Where the GPU hours went and what they cost: every corner by hand, and that parts add up."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runmetrics.collectors.wandb.contributions import value_of
from runmetrics.collectors.wandb.fields import LIFE, RUN_FIELDS
from runmetrics.collectors.wandb.measures import Rules, price_of
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Field, Metric
from runmetrics.collectors.wandb.reduce import reduce
from runmetrics.collectors.wandb.runs import Run, make_run
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.errors import ConfigurationError
from runmetrics.sandbox.history import fill
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import Store, StoredRun
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.cli.metrics.case import command
from tests.collectors.wandb.collecting import (
    GPU_HOURS,
    NOW,
    ago,
    collect,
    collect_from,
    run,
    said_of_runs,
    sandbox_of,
    unknown,
    values,
)

RULES = Rules(NOW, prices={"default": 2.0})
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
PARTS = ("active_gpu_hours", "stalled_gpu_hours", "unlogged_gpu_hours")


def hours(name: str, of: Run, *, window: timedelta | None = None, rules: Rules = RULES) -> float:
    found = RUN_FIELDS[name].measure(of, rules, NOW - window if window else None)
    assert found is not None
    return found


def parts(of: Run, **how: Any) -> tuple[float, ...]:
    """Active, stalled and unlogged GPU hours."""
    return tuple(hours(name, of, **how) for name in PARTS)


def trained(*, hours: float = 10, silent_hours: float = 0, **rest: Any) -> Run:
    """A finished run with one GPU that ended now and logged last so long before."""
    made = Run(
        "a",
        state="finished",
        created_at=NOW - hours * HOUR,
        heartbeat_at=NOW,
        logged_at=NOW - silent_hours * HOUR,
        logged_seconds=(hours - silent_hours) * 3600,
        log_count=1000,
        gpu_count=1,
    )
    return replace(made, **rest)


# the parts of one run


def test_a_run_that_logs_to_its_end_was_active() -> None:
    assert parts(trained()) == (10, 0, 0)


def test_from_the_last_log_to_the_last_sign_of_life_it_was_stalled() -> None:
    assert parts(trained(silent_hours=3)) == (7, 3, 0)
    assert parts(trained(silent_hours=3, gpu_count=8)) == (56, 24, 0)


@pytest.mark.parametrize(("minutes", "stalled"), [(29, 0), (30, 0), (31, 31 / 60)])
def test_a_silence_up_to_stall_after_is_none(minutes: float, stalled: float) -> None:
    assert parts(trained(silent_hours=minutes / 60)) == pytest.approx((10 - stalled, stalled, 0))


def test_when_a_silence_is_one_can_be_set() -> None:
    rules = replace(RULES, stall_after=timedelta(seconds=1))
    often = trained(silent_hours=0.01, log_count=10**6)

    assert hours("stalled_gpu_hours", often, rules=rules) == pytest.approx(0.01)


@pytest.mark.parametrize(("silent", "stalled"), [(5, 0), (5.1, 5.1)])
def test_a_run_that_logs_rarely_is_stalled_after_five_of_its_own_intervals(
    silent: float, stalled: float
) -> None:
    rarely = trained(hours=20, silent_hours=silent, logged_seconds=36_000, log_count=10)

    assert hours("stalled_gpu_hours", rarely) == pytest.approx(stalled)


@pytest.mark.parametrize("unserved", [{"log_count": None}, {"logged_seconds": None}])
def test_without_the_number_of_logs_stall_after_decides_alone(unserved: dict[str, Any]) -> None:
    assert hours("stalled_gpu_hours", trained(silent_hours=1, **unserved)) == 1


def test_a_run_that_never_logged_is_unlogged_as_a_whole() -> None:
    assert parts(trained(logged_at=None)) == (0, 0, 10)


def test_the_time_in_which_a_resumed_run_lay_idle_is_no_silence() -> None:
    resumed = trained(hours=48, compute_seconds=36_000.0)

    # 38 hours of the 48 were idle: of 40 hours since the last log, 2 were computed
    assert parts(replace(resumed, logged_at=NOW - 40 * HOUR)) == (8, 2, 0)
    assert parts(replace(resumed, logged_at=NOW - 30 * HOUR)) == (10, 0, 0)


def test_a_log_before_the_creation_tells_no_silence() -> None:
    assert parts(trained(logged_at=NOW - 11 * HOUR)) == (10, 0, 0)


def test_a_log_after_the_last_heartbeat_is_no_negative_silence() -> None:
    assert parts(trained(logged_at=NOW + HOUR)) == (10, 0, 0)


def test_a_silence_is_at_most_what_lies_in_the_window() -> None:
    assert parts(trained(silent_hours=8), window=2 * HOUR) == (0, 2, 0)
    assert parts(trained(silent_hours=8), window=9 * HOUR) == (1, 8, 0)
    assert parts(trained(logged_at=None), window=3 * HOUR) == (0, 0, 3)


def test_an_imported_run_ends_with_its_last_log() -> None:
    imported = trained(
        imported=True, logged_at=NOW - 5 * HOUR, logged_seconds=36_000.0, heartbeat_at=NOW
    )

    assert parts(imported) == (10, 0, 0)


def test_a_run_of_unknown_duration_has_no_hours_of_any_kind() -> None:
    for name in (*PARTS, "gpu_hours", "assumed_gpu_hours"):
        assert RUN_FIELDS[name].measure(Run("a", created_at=NOW), RULES, None) is None


def test_assumed_are_the_hours_of_a_run_without_a_recorded_or_seen_gpu() -> None:
    assert hours("assumed_gpu_hours", trained()) == 0
    assert hours("assumed_gpu_hours", trained(gpu_count=None)) == 10
    assert hours("assumed_gpu_hours", trained(gpu_count=None, gpus_seen=2)) == 0
    assert (
        hours("assumed_gpu_hours", trained(gpu_count=None), rules=replace(RULES, gpus_per_run=4))
        == 0
    )


# prices


@pytest.mark.parametrize(
    ("gpu_type", "dollars"),
    [
        ("NVIDIA H100 80GB HBM3", 2.5),
        ("nvidia h100 pcie", 3.0),  # the longest name that is part of it
        ("NVIDIA A100-SXM4-40GB", 1.8),
        ("Tesla T4", 1.0),
        ("", 1.0),
    ],
)
def test_the_longest_name_that_is_part_of_the_type_wins(gpu_type: str, dollars: float) -> None:
    prices = {"H100": 2.5, "H100 PCIe": 3.0, "a100": 1.8, "default": 1.0}

    assert price_of(gpu_type, prices) == dollars


def test_a_type_that_no_name_is_part_of_has_no_price_without_a_default() -> None:
    assert price_of("Tesla T4", {"H100": 2.5}) is None
    assert price_of("default", {"H100": 2.5}) is None
    assert price_of("Tesla T4", {}) is None


COST = """
packs: [gpu_hours, cost]
gpu_prices: {H100: 2.5, A100: 2}
"""


def test_where_the_hours_went_and_what_they_cost() -> None:
    def logged(hours_ago: float) -> dict[str, Any]:
        return {"_timestamp": ago(hours=hours_ago).timestamp(), "_runtime": 60}

    def of(name: str, state: str, **rest: Any) -> StoredRun:
        """A run of ten hours that ended an hour ago."""
        return run(name, state, created_at=ago(hours=11), history_line_count=60, **rest)

    collection = collect_from(
        of("fine", "finished", gpu_count=2, gpu="H100", summary=logged(1)),
        of("hung", "crashed", gpu_count=1, gpu="A100", summary=logged(5)),
        of("silent", "killed", gpu_count=1, gpu="A100"),
        of("cheap", "finished", gpu_count=4, gpu="T4", summary=logged(1)),
        of("nothing", "pending"),
        run("died at once", "failed", created_at=ago(hours=1), gpu="T4", gpu_count=1),
        yaml=COST,
    )

    found = {
        (sample.name, *(sample.tags.get(tag, "") for tag in ("outcome", "gpu_type"))): sample.value
        for sample in collection.samples
        if sample.name.startswith(("wandb.gpu_hours.", "wandb.cost."))
    }
    assert found == {
        ("wandb.gpu_hours.active_7d", "finished", ""): 60,
        ("wandb.gpu_hours.active_7d", "failed", ""): 6,
        ("wandb.gpu_hours.active_7d", "stopped", ""): 0,
        ("wandb.gpu_hours.active_7d", "other", ""): 0,
        ("wandb.gpu_hours.stalled_7d", "", ""): 4,
        ("wandb.gpu_hours.unlogged_7d", "", ""): 20,
        ("wandb.gpu_hours.assumed_7d", "", ""): 10,
        ("wandb.cost.total_7d", "finished", ""): 50,
        ("wandb.cost.total_7d", "failed", ""): 20,
        ("wandb.cost.total_7d", "stopped", ""): 20,
        ("wandb.cost.stalled_7d", "", ""): 8,
        ("wandb.cost.by_gpu_type_7d", "", "H100"): 50,
        ("wandb.cost.by_gpu_type_7d", "", "A100"): 40,
    }
    assert said_of_runs(collection) == {"unpriced": 2, "gpus_assumed": 1}
    assert (
        "2 runs (such as cheap) without a known GPU, or of a type without a price (T4): "
        "their cost is left out; add the type, or a default, to gpu_prices"
    ) in collection.notices
    assert values(collection)[GPU_HOURS] == 90


def test_a_run_without_a_known_gpu_is_not_told_to_have_a_type() -> None:
    collection = collect_from(run("bare", created_at=ago(hours=2)), yaml=COST)

    assert "1 run (such as bare) without a known GPU: their cost is left out" in collection.notices


PRICED = "gpu_prices: {default: 1}\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("packs: [cost]", "packs[0]: there are no prices: add gpu_prices: {default: 2.0}, in"),
        (
            "metrics: [{name: x.y, sum: run.gpu_hours, window: 7d, priced: true}]",
            "priced: there are no prices",
        ),
        (
            PRICED + "metrics: [{name: x.y, sum: run.age_hours, window: 7d, priced: true}]",
            "priced: only GPU hours have a price: take run.gpu_hours, run.active_gpu_hours",
        ),
        (
            PRICED
            + "metrics: [{name: x.y, sum: run.gpu_hours, window: 7d, priced: true, unit: hour}]",
            "unit: a price is in dollars",
        ),
        ("gpu_prices: {H100: free}", 'gpu_prices.H100: "free" is not a price: write dollars'),
        ("gpu_prices: {H100: -1}", "gpu_prices.H100: -1 is not a price"),
    ],
)
def test_a_price_that_cannot_be_taken_is_refused_with_its_line(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        collect_from(yaml=text)

    assert any(fault in each for each in refused.value.faults), refused.value.faults


def test_explain_lists_the_stalled_runs_worst_first_with_their_silence_and_outcome(
    tmp_path: Path,
) -> None:
    file = tmp_path / "runmetrics.yaml"
    file.write_text(COST)

    def hung(name: str, state: str, silent_hours: float) -> StoredRun:
        summary = {"_timestamp": ago(hours=1 + silent_hours).timestamp(), "_runtime": 60}
        return run(
            name, state, created_at=ago(hours=11), summary=summary, gpu_count=1, gpu="H100 PCIe"
        )

    with sandbox_of(hung("short", "crashed", 2), hung("long", "killed", 7)) as sandbox:
        stalled = command(
            "explain", "wandb.gpu_hours.stalled_7d", "--config", file, "--json", sandbox=sandbox
        )
        cost = command(
            "explain", "wandb.cost.stalled_7d", "--config", file, "--json", sandbox=sandbox
        )

    (found,) = stalled.json["values"]
    assert [(each["id"], round(each["value"], 6)) for each in found["runs"]] == [
        ("long", 7),
        ("short", 2),
    ]
    assert found["runs"][0]["detail"] == (f"no log for 7 h since {ago(hours=8):%Y-%m-%d %H:%M} UTC")
    assert found["runs"][0]["url"].endswith("/e/p/runs/long")
    (priced,) = cost.json["values"]
    assert priced["runs"][0]["detail"].endswith(", 2.5 dollars an hour (H100 PCIe)")


# parts add up, whatever the runs are like

times = st.floats(-30 * 24, 2).map(lambda hours: NOW + hours * HOUR)
summaries = st.fixed_dictionaries(
    {},
    optional={
        "_timestamp": times.map(datetime.timestamp) | st.just(None) | st.just("soon"),
        "_runtime": st.floats(0, 1e6),
        "_wandb": st.fixed_dictionaries({"runtime": st.sampled_from([0, 60, 36_000, 10**12])}),
    },
)
gpu_keys = st.sampled_from(
    ["system.gpu.0.gpu", "system.gpu.1.gpu", "system.gpu.0.gpu/l:a", "system.gpu.0.gpu/l:b"]
)
nodes = st.fixed_dictionaries(
    {
        "state": st.sampled_from(
            ["running", "finished", "failed", "crashed", "killed", "preempted", "pending", "new"]
        ),
        "createdAt": times.map(datetime.isoformat),
        "heartbeatAt": times.map(datetime.isoformat) | st.none(),
        "computeSeconds": st.none() | st.floats(0, 1e6),
        "historyLineCount": st.none() | st.integers(0, 10**6),
        "summary": summaries,
        "system": st.dictionaries(gpu_keys, st.floats(0, 100)),
        "runInfo": st.fixed_dictionaries(
            {
                "gpuCount": st.none() | st.integers(0, 20_000),
                "gpu": st.sampled_from(["", "H100", "A100"]),
            }
        ),
    }
)


def made(at: int, node: dict[str, Any]) -> Run:
    raw = {
        **node,
        "name": f"r{at}",
        "summaryMetrics": json.dumps(node["summary"]),
        "systemMetrics": json.dumps(node["system"]),
    }
    return make_run(raw, LIFE, NOW)


def total(
    name: str, runs: list[Run], rules: Rules, window: timedelta | None, priced: bool
) -> float:
    metric = Metric(
        "a.b", Aggregate.SUM, Field("run", name), window=window, priced=priced, full_scan=True
    )
    (series,) = series_of(metric, runs, rules)
    return series.value or 0.0


def series_of(metric: Metric, runs: list[Run], rules: Rules) -> Any:
    found = reduce(metric, runs, rules)
    assert not isinstance(found, Unknown)
    return found


@settings(max_examples=200)
@given(
    st.lists(nodes, max_size=12),
    st.sampled_from([None, WEEK, 3 * HOUR]),
    st.sampled_from(["auto", 4]),
    st.sampled_from([timedelta(seconds=1), timedelta(minutes=30)]),
)
def test_the_parts_add_up_to_the_gpu_hours_of_every_run_and_project(
    drawn: list[dict[str, Any]],
    window: timedelta | None,
    gpus_per_run: str | float,
    stall_after: timedelta,
) -> None:
    runs = [made(at, node) for at, node in enumerate(drawn)]
    rules = Rules(NOW, gpus_per_run, stall_after=stall_after, prices={"H100": 2.5, "A100": 1.8})
    since = NOW - window if window else None
    for each in runs:
        whole = RUN_FIELDS["gpu_hours"].measure(each, rules, since)
        split = [RUN_FIELDS[name].measure(each, rules, since) for name in PARTS]
        if whole is None:
            assert split == [None] * 3
            continue
        known = [part for part in split if part is not None]
        assert len(known) == 3
        assert min(known) >= 0
        assert math.fsum(known) == pytest.approx(whole, rel=1e-9, abs=1e-12)
        assumed = RUN_FIELDS["assumed_gpu_hours"].measure(each, rules, since)
        assert assumed in (0, whole)
    for priced in (False, True):
        sums = [total(name, runs, rules, window, priced) for name in PARTS]
        whole = total("gpu_hours", runs, rules, window, priced)
        assert math.fsum(sums) == pytest.approx(whole, rel=1e-9, abs=1e-9)


def test_a_run_that_costs_nothing_that_is_known_adds_nothing_to_any_part() -> None:
    metric = Metric("a.b", Aggregate.SUM, Field("run", "gpu_hours"), window=WEEK, priced=True)
    unpriced = Rules(NOW, prices={"H100": 2.5})

    assert value_of(metric, trained(gpu_type="T4"), unpriced) is None
    assert value_of(metric, trained(gpu_type="H100"), unpriced) == 25
    assert value_of(metric, trained(gpu_count=None), Rules(NOW, prices={"default": 1})) is None
    (nothing,) = series_of(metric, [trained(gpu_type="T4")], unpriced)
    assert nothing.value is None  # and not 0, which would be a price


def test_w24_without_the_number_of_logs_the_parts_are_told_by_stall_after_alone() -> None:
    summary = {"_timestamp": ago(hours=4).timestamp(), "_runtime": 25_200}
    rarely = run("a", created_at=ago(hours=11), summary=summary, gpu_count=1, history_line_count=10)
    quirks = Quirks(unknown_fields={"historyLineCount"})

    served = collect_from(rarely, yaml="packs: [gpu_hours]")
    unserved = collect_from(rarely, yaml="packs: [gpu_hours]", quirks=quirks)

    assert values(served)["wandb.gpu_hours.stalled_7d"] == 0
    assert values(unserved)["wandb.gpu_hours.stalled_7d"] == 3
    assert unserved.notices == (
        (
            "this W&B server has no field 'historyLineCount': "
            "a run that logs rarely counts as stalled by stall_after alone"
        ),
    )


# what it costs


def test_where_the_gpu_hours_went_costs_no_request_and_under_5_percent_of_bytes_more() -> None:
    store = Store()
    fill(store, "e", "p", runs=900, in_window=800, now=datetime.now(UTC), seed=1)
    with WandbSandbox(store=store) as sandbox:
        ten = collect(sandbox, now=datetime.now(UTC))
        more = collect(sandbox, now=datetime.now(UTC), yaml=COST)

    assert unknown(more) == unknown(ten) == set()
    assert more.cost.requests == ten.cost.requests
    assert more.cost.bytes_received <= 1.05 * ten.cost.bytes_received
    assert more.cost.bytes_decoded <= 1.05 * ten.cost.bytes_decoded

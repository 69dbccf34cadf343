"""The packs: further built-in metrics that are switched on by name, exactly."""

from datetime import timedelta

import pytest

from runmetrics.collectors.wandb.fields import LIFE
from runmetrics.collectors.wandb.metrics.catalog import Metric, load_catalog
from runmetrics.collectors.wandb.metrics.file import pack
from runmetrics.collectors.wandb.metrics.layout import PACKS
from runmetrics.collectors.wandb.reading.filters import EVERYTHING
from runmetrics.collectors.wandb.reading.plan import ScanRead, compile_plan
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.config.file_settings import FileSettings
from runmetrics.model import Collection
from runmetrics.sandbox.store import StoredRun
from tests.collectors.wandb.collecting import (
    TEN,
    ago,
    collect,
    collect_from,
    dull_runs,
    holder,
    missing,
    run,
    sandbox_of,
    unknown,
    values,
)
from tests.collectors.wandb.metrics.test_catalog import NAMES, catalog

PRICES = "gpu_prices: {default: 2}"
UTILIZATION = "system.gpu.0.gpu"


def with_pack(name: str, *runs: StoredRun) -> Collection:
    """The metrics of one pack alone."""
    return collect_from(*runs, yaml=f"builtin: false\npacks: [{name}]\n{PRICES}")


def running(run_id: str, *, silent_minutes: float = 0.5, **rest: object) -> StoredRun:
    return run(run_id, "running", beat=ago(minutes=silent_minutes), **rest)


def packed() -> tuple[Metric, ...]:
    return catalog(f"builtin: false\npacks: [{', '.join(PACKS)}]\n{PRICES}").metrics


# health


def test_a_running_run_is_silent_without_a_heartbeat_for_more_than_ten_minutes() -> None:
    collection = with_pack(
        "health",
        running("fresh"),
        running("just", silent_minutes=9.9),
        running("silent", silent_minutes=11),
        running("forgotten", silent_minutes=60 * 24 * 100),
        run("over", beat=ago(days=1)),
    )

    assert values(collection)["wandb.health.silent"] == 2
    longest = values(collection)["wandb.health.longest_silence_minutes"]
    assert longest == pytest.approx(60 * 24 * 100, abs=1)
    assert holder(collection, "wandb.health.longest_silence_minutes") == "forgotten"


def logging(
    run_id: str, *, minutes: float, every_seconds: float = 1, silent_minutes: float = 0.5
) -> StoredRun:
    """A running run of ten hours that logged last so long ago, and until then so often."""
    runtime = 36_000 - minutes * 60
    return running(
        run_id,
        silent_minutes=silent_minutes,
        created_at=ago(hours=10),
        summary={"_timestamp": ago(minutes=minutes).timestamp(), "_runtime": runtime},
        history_line_count=round(runtime / every_seconds),
    )


def test_a_run_is_stalled_that_beats_and_has_logged_nothing_for_half_an_hour() -> None:
    collection = with_pack(
        "health",
        logging("busy", minutes=29),
        logging("hung", minutes=31),
        logging("hung longer", minutes=120),
        logging("dead", minutes=300, silent_minutes=299),  # silent, so nobody knows
        running("never logged", created_at=ago(minutes=40)),
        running("just started", created_at=ago(minutes=20)),
    )

    found = values(collection)
    assert (found["wandb.health.stalled"], found["wandb.health.silent"]) == (3, 1)
    longest = found["wandb.health.longest_stall_minutes"]
    assert longest == pytest.approx(120, abs=0.1)
    assert holder(collection, "wandb.health.longest_stall_minutes") == "hung longer"


def test_a_run_that_logs_rarely_is_stalled_after_five_times_its_own_mean_interval() -> None:
    hour = 3600

    collection = with_pack(
        "health",
        logging("evaluates for long", minutes=4.9 * 60, every_seconds=hour),
        logging("hangs", minutes=5.1 * 60, every_seconds=hour),
    )

    assert values(collection)["wandb.health.stalled"] == 1
    assert holder(collection, "wandb.health.longest_stall_minutes") == "hangs"


def test_a_log_from_before_the_creation_shows_a_late_clock_and_no_stall() -> None:
    late = {"_timestamp": ago(hours=3).timestamp(), "_runtime": 60}

    collection = with_pack("health", running("late", created_at=ago(hours=2), summary=late))

    assert values(collection)["wandb.health.stalled"] == 0


def test_when_a_run_is_silent_and_when_it_is_stalled_can_be_set() -> None:
    runs = (
        running("a", silent_minutes=2, created_at=ago(minutes=9)),
        logging("b", minutes=6),
    )

    found = values(
        collect_from(
            *runs,
            yaml="builtin: false\npacks: [health]",
            silent_after=timedelta(minutes=1),
            stall_after=timedelta(minutes=5),
        )
    )

    assert (found["wandb.health.silent"], found["wandb.health.stalled"]) == (1, 1)


def test_without_a_running_run_none_is_silent_or_stalled_and_nothing_is_longest() -> None:
    collection = with_pack("health", run("over"))

    assert values(collection)["wandb.health.silent"] == 0
    assert values(collection)["wandb.health.stalled"] == 0
    assert missing(collection) == {
        "wandb.health.longest_silence_minutes": "no running runs",
        "wandb.health.longest_stall_minutes": "no running runs that meet its conditions",
    }


def test_what_ended_badly_is_told_apart() -> None:
    states = ["crashed", "killed", "killed", "preempted", "preempted", "preempted", "failed"]
    collection = with_pack(
        "health",
        *(run(f"r{index}", state) for index, state in enumerate(states)),
        *(run(f"old {state}", state, beat=ago(days=8)) for state in states),
    )

    found = values(collection)
    assert found["wandb.health.crashed_7d"] == 1
    assert found["wandb.health.killed_7d"] == 2
    assert found["wandb.health.preempted_7d"] == 3


def test_runs_whose_watched_keys_are_not_finite_are_counted_whatever_their_state() -> None:
    collection = with_pack(
        "health",
        run("nan", "running", summary='{"loss": NaN, "accuracy": 1}'),
        run("spelt", "failed", summary={"loss": "NaN", "accuracy": "-Infinity"}),
        run("inf", summary='{"loss": Infinity}'),
        run("fine", summary={"loss": 1e300, "accuracy": 0}),
        run("null", summary={"loss": None, "accuracy": "high"}),
        run("none"),
        run("old", beat=ago(days=8), summary='{"loss": NaN}'),
    )

    found = values(collection)
    assert found["wandb.health.loss_not_finite_7d"] == 3
    assert found["wandb.health.accuracy_not_finite_7d"] == 1


def test_the_watched_keys_are_those_of_the_settings() -> None:
    collection = collect_from(
        run("a", summary='{"train/loss": NaN}'),
        yaml="packs: [health]",
        loss_key="train/loss",
    )

    assert values(collection)["wandb.health.loss_not_finite_7d"] == 1


# gpu


def split(collection: Collection, name: str, tag: str) -> dict[str, float]:
    return {each.tags[tag]: each.value for each in collection.samples if each.name == name}


def test_gpu_hours_are_split_by_user_and_by_type() -> None:
    collection = with_pack(
        "gpu",
        run("a", user="ann", gpu="H100", gpu_count=8, compute_seconds=3600),
        run("b", user="ann", gpu="A100", gpu_count=1, compute_seconds=7200),
        run("c", user="bob", gpu="A100", gpu_count=4, compute_seconds=3600),
        run("d", user=None, compute_seconds=3600),
        run("old", user="ann", beat=ago(days=8), compute_seconds=3600),
    )

    by_user = split(collection, "wandb.gpu.hours_by_user_7d", "user")
    by_type = split(collection, "wandb.gpu.hours_by_type_7d", "gpu_type")
    assert by_user == {"ann": 10, "bob": 4, "none": 1}
    assert by_type == {"H100": 8, "A100": 6, "none": 1}


def test_gpus_are_idle_whose_running_run_uses_less_than_a_twentieth_of_them() -> None:
    collection = with_pack(
        "gpu",
        running("busy", gpu_count=8, system_metrics={UTILIZATION: 90}),
        running("edge", gpu_count=4, system_metrics={UTILIZATION: 5}),
        running("idle", gpu_count=2, system_metrics={UTILIZATION: 4.9}),
        running("cpu"),
        run("over", gpu_count=16, system_metrics={UTILIZATION: 0}),
    )

    found = values(collection)
    assert found["wandb.gpu.idle"] == 2
    assert found["wandb.gpu.allocated"] == 14
    assert found["wandb.gpu.utilization_running"] == pytest.approx((90 + 5 + 4.9) / 3)


def test_without_a_running_run_no_gpu_is_idle_and_utilization_is_not_known() -> None:
    collection = with_pack("gpu", run("over"))

    found = values(collection)
    assert (found["wandb.gpu.idle"], found["wandb.gpu.allocated"]) == (0, 0)
    assert missing(collection) == {
        "wandb.gpu.utilization_running": "no running runs that meet its conditions"
    }


def test_a_run_that_died_days_ago_and_is_still_called_running_holds_no_gpus() -> None:
    idle = {UTILIZATION: 0}

    found = values(
        with_pack(
            "gpu",
            running("busy", gpu_count=8, system_metrics={UTILIZATION: 90}),
            running("ghost", gpu_count=64, system_metrics=idle, silent_minutes=60 * 24 * 3),
            running("silent", gpu_count=4, system_metrics=idle, silent_minutes=10.1),
        )
    )

    assert found["wandb.gpu.allocated"] == 8
    assert found["wandb.gpu.idle"] == 0
    assert found["wandb.gpu.utilization_running"] == 90


def test_where_every_running_run_is_silent_what_their_gpus_do_is_unknown() -> None:
    collection = with_pack(
        "gpu",
        running("a", gpu_count=8, system_metrics={UTILIZATION: 90}, silent_minutes=12),
        running("b", gpu_count=8, system_metrics={UTILIZATION: 90}, silent_minutes=13),
        run("over"),
    )

    assert unknown(collection) == {
        "wandb.gpu.utilization_running",
        "wandb.gpu.allocated",
        "wandb.gpu.idle",
    }
    (problem,) = collection.problems
    assert problem.cause == "W&B has no recent heartbeat of any running run (2 runs)"


# throughput


def test_throughput_is_of_the_last_day_and_durations_are_of_the_week() -> None:
    day = ago(hours=25)
    collection = with_pack(
        "throughput",
        run("long", created_at=ago(days=3), beat=ago(hours=1), compute_seconds=10 * 3600),
        run("short", beat=ago(hours=2), compute_seconds=2 * 3600),
        run("failed", "failed", beat=ago(hours=3)),
        run("crashed", "crashed", created_at=day, beat=ago(hours=23)),
        run("killed", "killed", beat=ago(hours=4)),
        run("live", "running", created_at=day, beat=ago(minutes=1)),
        run("earlier", beat=day, compute_seconds=4 * 3600),
        run("old", beat=ago(days=8), compute_seconds=99 * 3600),
    )

    assert values(collection) == {
        "wandb.throughput.started_24h": 3,  # short, failed and killed
        "wandb.throughput.finished_24h": 2,
        "wandb.throughput.failed_24h": 2,
        "wandb.throughput.median_duration_hours_7d": 4,  # of 10, 2 and 4
        "wandb.throughput.p95_duration_hours_7d": pytest.approx(4 + (10 - 4) * 0.9),
    }


# All of them


def test_packs_come_after_the_ten_in_the_order_they_are_named_and_before_the_users_own() -> None:
    found = catalog("packs: [throughput, gpu, gpu]\nmetrics: [{name: a.b, count: runs}]").metrics

    names = [metric.name for metric in found]
    throughput, gpu = (
        [definition.name for definition in pack(name).layout.metrics]
        for name in ("throughput", "gpu")
    )
    assert names == [*NAMES, *throughput, *gpu, "a.b"]
    assert [metric.origin for metric in found[len(NAMES) :: 5]] == [
        "packs/throughput.yaml",
        "packs/gpu.yaml",
        "runmetrics.yaml",
    ]
    assert [metric.builtin for metric in found] == [True] * (len(names) - 1) + [False]


def test_metrics_of_a_pack_can_be_dropped_replaced_and_scoped() -> None:
    found = catalog(
        "packs: [gpu]\n"
        "builtin: false\n"
        "drop: [wandb.gpu.hours_by_type_7d]\n"
        "where: {group: prod}\n"
        "metrics: [{name: wandb.gpu.idle, sum: run.gpus, state: running}]"
    )

    assert [metric.name for metric in found.metrics] == [
        "wandb.gpu.hours_by_user_7d",
        "wandb.gpu.utilization_running",
        "wandb.gpu.allocated",
        "wandb.gpu.idle",
    ]
    assert {str(metric.where) for metric in found.metrics} == {"{'group': 'prod'}"}
    assert found.notices == ("runmetrics.yaml replaces the built-in wandb.gpu.idle",)


def test_no_pack_is_on_by_itself() -> None:
    metrics = load_catalog(None, FileSettings()).metrics

    assert [metric.name for metric in metrics] == NAMES


@pytest.mark.parametrize("metric", packed(), ids=lambda metric: str(metric.name))
def test_each_metric_of_a_pack_says_what_it_is_in_a_line_that_fits_a_dashboard(
    metric: Metric,
) -> None:
    assert 10 < len(metric.description) <= 100
    assert metric.description.isascii()
    assert metric.name.split(".")[1] in PACKS
    assert metric.unit
    assert "|" not in metric.description


def test_the_names_of_all_packs_and_the_ten_are_distinct() -> None:
    names = [metric.name for metric in packed()] + NAMES
    assert len({*names}) == len(names) == 26 + 10


def test_all_packs_over_a_page_of_runs_cost_no_request_beyond_the_ten() -> None:
    lately = list(dull_runs(900, summary={"accuracy": 0.5, "loss": 1}, gpu_count=1))
    with sandbox_of(*lately, *(running(f"live{index}") for index in range(50))) as sandbox:
        ten = collect(sandbox)
        all_packs = collect(sandbox, yaml=f"packs: [{', '.join(PACKS)}]\n{PRICES}")

    assert unknown(all_packs) == set()
    assert {name: values(all_packs).get(name) for name in TEN} == {
        name: values(ten).get(name) for name in TEN
    }
    assert ten.cost.requests <= 3
    assert all_packs.cost.requests == ten.cost.requests


def test_runs_of_a_passing_state_are_read_whole_by_that_state_alone() -> None:
    plan = compile_plan(
        catalog(
            "builtin: false\n"
            "metrics:\n"
            "- {name: a.a, p95: run.age_hours, state: running}\n"
            "- {name: a.b, max: summary.x, state: running}\n"
            "- {name: a.c, count: runs, by: user, state: [running, pending]}\n"
            "- {name: a.d, count: runs, state: running}\n"
        ).metrics
    )

    window_less = [scan for scan in plan.scans if scan.window is None]
    selection = LIFE | Selection(frozenset({"user"}), frozenset({"x"}))
    assert window_less == [ScanRead(EVERYTHING, None, selection, ("running", "pending"))]
    assert window_less[0].filter(ago()).as_mapping() == {"state": {"$in": ["running", "pending"]}}
    assert window_less[0].boundaries(ago()) == []
    assert plan.ranked == ()
    assert [read.states for read in plan.counts] == [("running",)]


def test_a_scan_of_the_whole_history_holds_the_runs_of_a_passing_state_too() -> None:
    plan = compile_plan(
        catalog(
            "builtin: false\n"
            "metrics:\n"
            "- {name: a.a, max: run.age_hours, state: running}\n"
            "- {name: a.b, mean: run.age_hours, full_scan: true}\n"
        ).metrics
    )

    assert plan.scans == (ScanRead(EVERYTHING, None, LIFE),)
    assert plan.answers["a.a"] == plan.answers["a.b"]


def test_a_running_run_that_fell_silent_long_ago_is_found_among_thousands() -> None:
    history = [run(f"old{index:05}", beat=ago(days=30, minutes=index)) for index in range(3000)]
    silent = running("silent", silent_minutes=60 * 24 * 20)

    with sandbox_of(*history, silent) as sandbox:
        collection = collect(sandbox, yaml="builtin: false\npacks: [health]")

    assert values(collection)["wandb.health.silent"] == 1
    assert collection.cost.requests == 1


def test_more_than_two_pages_of_running_runs_are_exact() -> None:
    live = [
        running(f"r{index:04}", created_at=ago(hours=2, seconds=index)) for index in range(2500)
    ]

    with sandbox_of(*live) as sandbox:
        collection = collect(
            sandbox,
            yaml="builtin: false\nmetrics: [{name: a.b, sum: run.gpus, state: running}]",
        )

    assert values(collection) == {"a.b": 2500}

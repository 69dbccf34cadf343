"""The generated year of runs, and the sandbox as a process of its own."""

import copy
import gzip
import json
import math
import signal
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from runmetrics.sandbox.history import SystemMetrics, fill
from runmetrics.sandbox.serve import beating
from runmetrics.sandbox.store import Store, StoredRun, moment
from tests.sandbox.sandbox_case import NOW


def made(runs: int, in_window: int, seed: int = 0) -> list[StoredRun]:
    store = Store()
    fill(store, "e", "p", runs=runs, in_window=in_window, now=NOW, seed=seed)
    return store.project("e", "p").in_creation_order()


def test_equal_seeds_give_equal_runs_and_others_do_not() -> None:
    texts = [
        [(run.id, run.state, run.heartbeat_at, repr(run.summary)) for run in made(300, 60, seed=s)]
        for s in (1, 1, 2)
    ]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_the_window_holds_as_many_runs_as_asked_and_all_that_are_running() -> None:
    runs = made(5_000, 1_000)
    alive = [run for run in runs if (moment(run.heartbeat_at) or NOW) > NOW - timedelta(days=7)]
    assert (len(runs), len(alive)) == (5_000, 1_000)
    running = [run for run in runs if run.state == "running"]
    assert 0 < len(running) < 40
    assert all(NOW - (moment(run.heartbeat_at) or NOW) < timedelta(minutes=1) for run in running)
    assert {run.state for run in runs} == {"running", "finished", "failed", "crashed", "killed"}


def test_half_of_the_runs_have_one_gpu_a_quarter_four_and_a_quarter_eight() -> None:
    counts = [run.gpu_count for run in made(4_000, 100)]
    for gpus, share in ((1, 0.5), (4, 0.25), (8, 0.25)):
        assert counts.count(gpus) / len(counts) == pytest.approx(share, abs=0.03)


def test_a_sample_has_twenty_keys_a_gpu_and_those_of_its_host() -> None:
    sample = json.loads(SystemMetrics(1, 4, 1.5, 2.0)())
    gpus = [key for key in sample if key.startswith("system.gpu.")]
    assert len(gpus) == 80
    assert {f"system.gpu.{gpu}.gpu" for gpu in range(4)} < set(gpus)
    assert {f"system.gpu.process.{gpu}.gpu" for gpu in range(4)} < set(gpus)
    assert {"system.cpu", "system.disk./.usagePercent", "system.network.sent"} < sample.keys()
    assert all(0 <= sample[f"system.gpu.{gpu}.gpu"] <= 100 for gpu in range(4))
    assert SystemMetrics(1, 4, 1.5, 2.0)() == SystemMetrics(1, 4, 1.5, 2.0)()


@pytest.mark.parametrize(("gpus", "least", "most"), [(1, 150, 300), (4, 400, 700), (8, 750, 1200)])
def test_a_page_of_samples_compresses_as_real_ones_do(gpus: int, least: int, most: int) -> None:
    page = json.dumps([SystemMetrics(seed, gpus, 1e9 + seed, 60.0)() for seed in range(500)])
    assert least < len(gzip.compress(page.encode(), 6)) / 500 < most


def test_some_runs_diverged() -> None:
    losses = [run.summary["loss"] for run in made(1_000, 100) if isinstance(run.summary, dict)]
    assert 0 < sum(map(math.isnan, losses)) < 200


def test_some_runs_hung_before_their_end() -> None:
    silences = [
        beat.timestamp() - run.summary["_timestamp"]
        for run in made(2_000, 100)
        if isinstance(run.summary, dict) and (beat := moment(run.heartbeat_at))
    ]
    assert len(silences) == 2_000
    assert min(silences) >= 0
    assert 0.02 < sum(silence > 60 for silence in silences) / len(silences) < 0.06


def test_runs_that_are_running_train_on_and_the_others_rest() -> None:
    store = Store()
    fill(store, "e", "p", runs=500, in_window=300, now=NOW)
    project, clock = store.project("e", "p"), [NOW.timestamp()]
    before = {run.id: copy.copy(run) for run in project.runs.values()}
    beat = beating(project, lambda: clock[0])

    clock[0] += 29
    beat(1)
    assert {run.id: run for run in project.runs.values()} == before
    clock[0] += 86_400 - 29
    beat(2)

    for run in project.runs.values():
        was = before[run.id]
        if run.state != "running":
            assert run == was
            continue
        assert isinstance(run.summary, dict)
        assert isinstance(was.summary, dict)
        assert isinstance(run.heartbeat_at, datetime)
        assert isinstance(was.heartbeat_at, datetime)
        assert isinstance(run.system_metrics, SystemMetrics)
        assert run.heartbeat_at - was.heartbeat_at == timedelta(days=1)
        assert run.summary["_timestamp"] == was.summary["_timestamp"] + 86_400
        assert run.summary["_runtime"] == was.summary["_runtime"] + 86_400
        assert run.compute_seconds == (was.compute_seconds or 0) + 86_400
        assert json.loads(run.system_metrics())["_timestamp"] == run.heartbeat_at.timestamp()
    assert "running" in {run.state for run in project.runs.values()}


def test_the_sandbox_as_a_process_says_where_it_is_and_ends_on_sigterm() -> None:
    command = [sys.executable, "-m", "runmetrics", "sandbox", "--runs=50", "--in-window=10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            where = json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=300) == 143
    assert where.keys() == {"url", "key", "entity", "project", "intake_url", "intake_key"}
    assert (where["entity"], where["project"]) == ("pufferai", "metta")
    assert where["url"].startswith("http://127.0.0.1:")

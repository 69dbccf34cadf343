"""`runmetrics demo` and `runmetrics sandbox` as a user runs them: processes, a pipe, Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest

from runmetrics.cli.demo import ENTITY, IN_WINDOW, PROJECT, RUNS
from runmetrics.sandbox.history import fill
from runmetrics.sandbox.store import Store, StoredRun
from tests.collectors.wandb.oracle import the_ten

RUNMETRICS = (sys.executable, "-m", "runmetrics")


def environment(home: Path) -> dict[str, str]:
    """A user without any account, whose temporary files all lie in `home`."""
    home.mkdir(exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)}


def processes_of(home: Path) -> list[str]:
    """Commands of the processes that were told of `home`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(home).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # ended meanwhile, or not ours
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUNMETRICS, "demo"],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
    )


def system(run: StoredRun) -> dict[str, float]:
    """The latest sample of its machine."""
    assert callable(run.system_metrics)
    return dict(json.loads(run.system_metrics()))


@pytest.fixture(scope="module")
def ten() -> Mapping[str, float]:
    """The ten of the year of history alone, by brute force."""
    now = datetime.now(UTC).replace(microsecond=0)
    store = Store()
    fill(store, ENTITY, PROJECT, runs=RUNS, in_window=IN_WINDOW, now=now)
    runs = [
        {
            "id": run.id,
            "state": run.state,
            "created_at": run.created_at,
            "heartbeat_at": run.heartbeat_at,
            "summary": run.summary,
            "system": system(run) if str(run.heartbeat_at) > str(now - timedelta(days=8)) else {},
            "compute_seconds": run.compute_seconds,
            "gpu_count": run.gpu_count,
        }
        for run in store.project(ENTITY, PROJECT).runs.values()
    ]
    return the_ten(runs, now)


def received(output: str) -> dict[str, float]:
    """What the demo says Datadog received, by metric."""
    _, _, points = output.partition("4. What Datadog received")
    lines = re.findall(r"^ +[\d:]{8}Z +(wandb\.\S+) +([\d.,]+)", points, re.MULTILINE)
    return {name: float(number.replace(",", "")) for name, number in lines}


def test_the_demo_ends_well_and_says_nothing_on_stderr(
    demo: subprocess.CompletedProcess[str],
) -> None:
    assert (demo.returncode, demo.stderr) == (0, "")


def test_the_runs_of_the_official_client_are_told(demo: subprocess.CompletedProcess[str]) -> None:
    assert "   demo-finished  finished  accuracy 0.97, loss 0.25\n" in demo.stdout
    assert "   demo-failed    failed    accuracy 0.1, loss 0.25\n" in demo.stdout
    assert "   demo-running   running   accuracy 0.81, loss 0.6\n" in demo.stdout


def test_datadog_receives_the_ten_of_the_history_and_of_the_runs_just_logged(
    demo: subprocess.CompletedProcess[str], ten: Mapping[str, float]
) -> None:
    completed = ten["wandb.runs.completed_7d"]
    mean_accuracy = (ten["wandb.metrics.avg_accuracy_7d"] * completed + 0.97) / (completed + 1)
    mean_hours = ten["wandb.training.avg_duration_hours"] * completed / (completed + 1)
    assert received(demo.stdout) == {
        "wandb.runs.active": ten["wandb.runs.active"] + 1,
        "wandb.runs.completed_7d": completed + 1,
        "wandb.runs.failed_7d": ten["wandb.runs.failed_7d"] + 1,
        "wandb.runs.total": 26_003,
        "wandb.metrics.best_accuracy": 0.97,
        "wandb.metrics.latest_loss": 0.6,
        "wandb.metrics.avg_accuracy_7d": pytest.approx(mean_accuracy, abs=1e-6),
        "wandb.training.avg_duration_hours": pytest.approx(mean_hours, abs=0.001),
        "wandb.training.gpu_utilization_avg": pytest.approx(
            ten["wandb.training.gpu_utilization_avg"], abs=0.005
        ),
        "wandb.training.total_gpu_hours_7d": pytest.approx(
            ten["wandb.training.total_gpu_hours_7d"], rel=0.001
        ),
    }


def test_the_table_names_the_runs_that_hold_the_best_and_the_latest(
    demo: subprocess.CompletedProcess[str],
) -> None:
    assert re.search(
        r"best_accuracy +0\.97 .*run demo run that finishes \(demo-finished\)", demo.stdout
    )
    assert re.search(r"latest_loss +0\.6 .*run demo run that trains \(demo-running\)", demo.stdout)


def test_the_demo_says_what_it_cost(demo: subprocess.CompletedProcess[str]) -> None:
    assert re.search(r"read 2,003 runs in \d requests \(\d+ KiB\) and \d+\.\d s\n", demo.stdout)
    assert re.search(r"4\. What Datadog received, in 1 request of \d+ bytes:\n", demo.stdout)


def test_the_demo_leaves_nothing_behind(demo: subprocess.CompletedProcess[str], home: Path) -> None:
    assert list(home.iterdir()) == []
    assert processes_of(home) == []


def until_line(stream: IO[str] | None, start: str) -> None:
    """Read lines up to one that begins so."""
    assert stream is not None
    assert any(line.startswith(start) for line in stream)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_without_a_word_and_leaves_nothing(
    number: signal.Signals, tmp_path: Path
) -> None:
    home = tmp_path / "user"
    with subprocess.Popen(
        [*RUNMETRICS, "demo"],
        env=environment(home),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until_line(process.stdout, "2. ")
        process.send_signal(number)
        rest, said = process.communicate(timeout=300)
    assert (process.returncode, rest, said) == (143, "", "")
    assert list(home.iterdir()) == []
    assert processes_of(home) == []


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_without_the_extra_the_fix_is_named(command: str, tmp_path: Path) -> None:
    without = "import sys; sys.modules['graphql'] = None; from runmetrics.cli.main import main; "
    ended = subprocess.run(
        [sys.executable, "-c", f"{without} main([{command!r}])"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (ended.returncode, ended.stdout) == (78, "")
    assert json.loads(ended.stderr)["message"] == (
        f"the {command} needs packages that are not installed: install runmetrics with its "
        "extra, runmetrics[sandbox] (in a clone: uv run --extra sandbox runmetrics ...)"
    )


def test_a_program_reads_from_the_sandbox_where_to_collect_and_to_deliver(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    with subprocess.Popen(
        [*RUNMETRICS, "sandbox", "--runs", "5", "--in-window", "2"],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    ) as sandbox:
        assert sandbox.stdout is not None
        where = json.loads(sandbox.stdout.readline())
        collected = subprocess.run(
            [*RUNMETRICS, "collect", "wandb", "--push", "--json"],
            env={
                **environ,
                "WANDB_BASE_URL": where["url"],
                "WANDB_API_KEY": where["key"],
                "WANDB_ENTITY": where["entity"],
                "WANDB_PROJECT": where["project"],
                "DD_URL": where["intake_url"],
                "DD_API_KEY": where["intake_key"],
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        sandbox.send_signal(signal.SIGINT)
        assert sandbox.wait(timeout=300) == 143
    outcome = json.loads(collected.stdout)
    (total,) = [each for each in outcome["samples"] if each["name"] == "wandb.runs.total"]
    assert (collected.returncode, total["value"]) == (0, 5)  # 0: all known and delivered
    assert [delivery["sink"] for delivery in outcome["deliveries"]] == ["datadog"]


def test_a_person_reads_from_the_sandbox_what_to_set(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*RUNMETRICS, "sandbox", "--runs", "1", "--in-window", "1"],
        env=environment(tmp_path),
        stdout=theirs,
    ) as sandbox:
        os.close(theirs)
        with os.fdopen(ours, encoding="utf-8") as terminal:
            lines = [terminal.readline().rstrip("\n") for _ in range(10)]
            sandbox.send_signal(signal.SIGTERM)
            assert sandbox.wait(timeout=300) == 143
    local = r"http://127\.0\.0\.1:\d+"
    for line, pattern in zip(
        lines,
        [
            r"# A W&B server and a Datadog intake .*Ctrl-C ends them.*",
            r"# receives is shown here\. In another terminal:",
            rf"export WANDB_BASE_URL={local}",
            r"export WANDB_API_KEY=\w{40}",
            r"export WANDB_ENTITY=pufferai",
            r"export WANDB_PROJECT=metta",
            rf"export DD_URL={local}",
            r"export DD_API_KEY=\w{32}",
            r"export DD_APP_KEY=\w{32}",
            r"runmetrics collect wandb --push",
        ],
        strict=True,
    ):
        assert re.fullmatch(pattern, line), line

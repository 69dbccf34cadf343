"""Runs logged by the official client and read back by it: the sandbox proven from both sides."""

import json
import math
from typing import Any

import pytest

from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.official_client.real_runs import stored


def test_the_client_knows_who_it_is_and_finds_every_run(read: dict[str, Any]) -> None:
    assert read["viewer"] == "sandbox"
    assert read["projects"] == ["metta"]
    assert read["length"] == 5
    assert read["runs"].keys() == {"finished", "failed", "resumed", "gpus", "running"}
    assert read["one"] == "finished"


def test_states_follow_the_exit_code_and_a_killed_run_still_looks_running(
    read: dict[str, Any],
) -> None:
    assert {name: run["state"] for name, run in read["runs"].items()} == {
        "finished": "finished",
        "failed": "failed",
        "resumed": "finished",
        "gpus": "finished",
        "running": "running",
    }


def test_filters_and_orders_work_for_the_client(read: dict[str, Any]) -> None:
    assert read["finished"] == ["finished", "gpus", "resumed"]


def test_what_a_run_was_given_at_its_start_comes_back(read: dict[str, Any]) -> None:
    run = read["runs"]["finished"]
    assert run["name"] == "the finished one"
    assert (run["group"], run["job_type"], run["user"]) == ("nightly", "train", "sandbox")
    assert run["tags"] == ["baseline", "fast"]
    assert run["config"] == {"lr": 0.1, "model": {"depth": 3}}
    assert run["created_at"] <= run["heartbeat_at"]


def test_the_summary_holds_the_last_values_and_nan_in_a_failed_run(read: dict[str, Any]) -> None:
    summaries = {name: run["summary"] for name, run in read["runs"].items()}
    assert {name: summary["accuracy"] for name, summary in summaries.items()} == dict.fromkeys(
        summaries, 0.7
    )
    assert all(summary["val/accuracy"] == 0.25 for summary in summaries.values())
    assert summaries["finished"]["loss"] == 1
    assert math.isnan(summaries["failed"]["loss"])


@pytest.mark.parametrize("how", ["finished", "failed", "gpus", "running"])
def test_the_history_comes_back_step_by_step(read: dict[str, Any], how: str) -> None:
    steps = [(row["_step"], row["accuracy"]) for row in read["runs"][how]["history"]]
    assert steps == [(0, 0.5), (1, 0.6), (2, 0.7)]
    assert read["runs"][how]["scanned"] == [
        {"_step": step, "accuracy": accuracy} for step, accuracy in steps
    ]


def test_a_resumed_run_goes_on_where_it_ended(read: dict[str, Any]) -> None:
    steps = [(row["_step"], row["accuracy"]) for row in read["runs"]["resumed"]["history"]]
    assert steps == [(0, 0.5), (1, 0.6), (2, 0.7), (3, 0.5), (4, 0.6), (5, 0.7)]


def test_system_metrics_come_back_as_the_latest_sample(read: dict[str, Any]) -> None:
    run = read["runs"]["gpus"]
    assert run["system"]["system.gpu.0.gpu/l:n1"] == 80
    assert run["system"]["system.gpu.1.gpu/l:n1"] == 60
    assert run["system"]["_timestamp"] == run["events"][-1]["_timestamp"]


def test_the_gpu_count_of_the_machine_is_known(sandbox: WandbSandbox) -> None:
    assert (stored(sandbox, "gpus").gpu_count, stored(sandbox, "finished").gpu_count) == (2, None)
    assert stored(sandbox, "gpus").gpu == "NVIDIA H100 80GB HBM3"


def test_files_arrive(sandbox: WandbSandbox) -> None:
    log = stored(sandbox, "finished").log
    assert log is not None
    assert json.loads(log.files["wandb-summary.json"])["accuracy"] == 0.7

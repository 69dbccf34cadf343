"""The W&B server: what a run looks like on the wire."""

import json
import math
from datetime import timedelta

import pytest

from runmetrics.sandbox.store import StoredRun
from tests.sandbox.sandbox_case import NOW, holding, of_run

NESTED = {"a": 1, "val/acc": 0.5, "n": {"x": 2}, "loss": math.nan}


def test_a_run_nobody_described_is_finished_and_otherwise_empty() -> None:
    fields = """name displayName state createdAt heartbeatAt updatedAt computeSeconds group jobType
      sweepName host tags config summaryMetrics systemMetrics runInfo { gpuCount } historyLineCount
      user { username }"""
    with holding(StoredRun("a")) as sandbox:
        answer = of_run(sandbox, fields)
    assert answer == {
        "name": "a",
        "displayName": "a",
        "state": "finished",
        "createdAt": None,
        "heartbeatAt": None,
        "updatedAt": None,
        "computeSeconds": None,
        "group": None,
        "jobType": None,
        "sweepName": None,
        "host": None,
        "tags": [],
        "config": "{}",
        "summaryMetrics": "{}",
        "systemMetrics": None,
        "runInfo": None,
        "historyLineCount": 0,
        "user": {"username": "someone"},
    }


def test_a_user_may_be_null() -> None:
    with holding(StoredRun("a", user=None)) as sandbox:
        assert of_run(sandbox, "user { username }") == {"user": None}


def test_the_gpu_count_of_the_machine_is_in_run_info() -> None:
    with holding(StoredRun("a", gpu_count=8, gpu="NVIDIA H100")) as sandbox:
        answer = of_run(sandbox, "runInfo { gpu gpuCount }")
    assert answer == {"runInfo": {"gpu": "NVIDIA H100", "gpuCount": 8}}


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (NOW, "2026-01-10T12:00:00Z"),
        (NOW + timedelta(milliseconds=5), "2026-01-10T12:00:00.005000Z"),
        ("2026-01-10T12:00:00", "2026-01-10T12:00:00"),
        ("2026-01-10T12:00:00.123456789Z", "2026-01-10T12:00:00.123456789Z"),
        (None, None),
    ],
)
def test_times_end_in_z_or_are_the_very_text_stored(stored: object, shown: str | None) -> None:
    with holding(StoredRun("a", heartbeat_at=stored)) as sandbox:  # type: ignore[arg-type]
        assert of_run(sandbox, "heartbeatAt") == {"heartbeatAt": shown}


def test_nan_in_a_summary_is_a_bare_token() -> None:
    with holding(StoredRun("a", summary={"loss": math.nan, "up": math.inf})) as sandbox:
        assert of_run(sandbox, "summaryMetrics") == {
            "summaryMetrics": '{"loss": NaN, "up": Infinity}'
        }


@pytest.mark.parametrize("raw", ["", "null", '"{\\"a\\": 1}"', "[1]", "{broken", '{"a": 1e999}'])
def test_raw_text_of_a_summary_goes_out_as_it_is(raw: str) -> None:
    with holding(StoredRun("a", summary=raw, config=raw, system_metrics=raw)) as sandbox:
        answer = of_run(sandbox, 'summaryMetrics(keys: ["a"]) config systemMetrics')
    assert answer == {"summaryMetrics": raw, "config": raw, "systemMetrics": raw}


def test_keys_of_a_summary_are_top_level_keys() -> None:
    with holding(StoredRun("a", summary=NESTED)) as sandbox:
        answer = of_run(sandbox, 'summaryMetrics(keys: ["val/acc", "n.x", "A"])')
    assert answer == {"summaryMetrics": '{"val/acc": 0.5}'}


def test_no_keys_are_all_keys_and_an_empty_list_is_none() -> None:
    with holding(StoredRun("a", summary='{"a": 1, "b": 2}')) as sandbox:
        answer = of_run(sandbox, "all: summaryMetrics(keys: null) none: summaryMetrics(keys: [])")
    assert answer == {"all": '{"a": 1, "b": 2}', "none": "{}"}


def test_config_is_kept_with_a_value_under_each_key() -> None:
    config = {"lr": 0.1, "_wandb": {"e": {"w": {"gpu_count": 2}}, "t": {}}}
    with holding(StoredRun("a", config=config)) as sandbox:
        answer = of_run(sandbox, 'config(keys: ["lr"]) wandbConfig(keys: ["e"])')
    assert json.loads(answer["config"]) == {"lr": {"value": 0.1}}
    assert json.loads(answer["wandbConfig"]) == {"e": {"w": {"gpu_count": 2}}}


def test_system_metrics_can_be_made_when_they_are_asked_for() -> None:
    with holding(StoredRun("a", system_metrics=lambda: '{"system.cpu": 1}')) as sandbox:
        assert of_run(sandbox, "systemMetrics") == {"systemMetrics": '{"system.cpu": 1}'}

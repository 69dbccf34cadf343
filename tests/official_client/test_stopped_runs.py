"""Runs that a sweep's early termination stops: where they end, as docs/GPU_HOURS.md says.

W&B asks a run's client to end it, and a sweep's agent to end the process; each is seen by itself.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from runmetrics.model import Collection
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.collectors.wandb.collecting import collect
from tests.official_client.real_runs import agent, stored, training, until, until_logged

FIVE_MINUTES = 300


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WandbSandbox]:
    """A sandbox with the runs `hung`, whose client was asked, and `swept`, whose agent was."""
    home = tmp_path_factory.mktemp("home")
    with (
        WandbSandbox(crash_after_seconds=FIVE_MINUTES) as sandbox,
        training(sandbox, home, "hung") as program,
        agent(sandbox, home, "s1") as (sweep, its_agent),
    ):
        until_logged(sandbox, "hung")
        stored(sandbox, "hung").stopped = True
        until_logged(sandbox, "swept")
        until(lambda: (stored(sandbox, "swept").compute_seconds or 0) >= 2)
        sweep.commands += [{"type": "stop", "run_id": "swept"}, {"type": "exit"}]
        assert its_agent.wait(timeout=300) == 0
        assert program.wait(timeout=300) != 0
        yield sandbox


def gpu_hours(sandbox: WandbSandbox) -> Collection:
    """Where the hours went, an hour for each second of a run, as of the last heartbeat."""
    beats = [run.heartbeat_at for run in sandbox.store.project("sandbox", "metta").runs.values()]
    return collect(
        sandbox,
        now=max(beat for beat in beats if isinstance(beat, datetime)),
        yaml="builtin: false\npacks: [gpu_hours]",
        entity="sandbox",
        project="metta",
        gpus_per_run=3600,
    )


def active(collection: Collection) -> dict[str, float]:
    """Active hours by outcome; nothing is stalled or unlogged."""
    others = {each.name: each.value for each in collection.samples if "outcome" not in each.tags}
    assert others["wandb.gpu_hours.stalled_7d"] == others["wandb.gpu_hours.unlogged_7d"] == 0
    return {
        each.tags["outcome"]: each.value
        for each in collection.samples
        if each.name == "wandb.gpu_hours.active_7d"
    }


def last_words(sandbox: WandbSandbox, run_id: str) -> dict[str, Any]:
    """What the run's client said last beside its files."""
    path = f"/files/sandbox/metta/{run_id}/file_stream"
    *_, last = (each.body for each in sandbox.server.requests if each.path == path)
    return {key: value for key, value in json.loads(last).items() if key != "files"}


def test_a_run_whose_client_is_asked_to_stop_says_its_end_and_is_killed(
    stopped: WandbSandbox,
) -> None:
    said = last_words(stopped, "hung")
    assert (said["complete"], said["exitcode"]) == (True, 255)
    run = stored(stopped, "hung")
    assert run.state == "killed"
    assert active(gpu_hours(stopped))["stopped"] == run.compute_seconds


def test_a_run_that_its_agent_stops_says_nothing_and_has_crashed_five_minutes_later(
    stopped: WandbSandbox,
) -> None:
    run = stored(stopped, "swept")
    assert (run.sweep, run.state) == ("s1", "running")
    assert "complete" not in last_words(stopped, "swept")
    assert active(gpu_hours(stopped))["running"] == run.compute_seconds
    stopped.clock_offset_seconds = FIVE_MINUTES + 60
    assert active(gpu_hours(stopped))["failed"] == run.compute_seconds
    assert run.state == "crashed"

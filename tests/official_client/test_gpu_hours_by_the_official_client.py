"""Where the hours of a run went that the official client logged, and that then hung."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runmetrics.sandbox.store import as_object
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.collectors.wandb.collecting import collect, values
from tests.official_client.real_runs import log_and_hang

HUNG_SECONDS = 6


def test_a_run_that_logs_then_sleeps_then_is_killed_has_its_hours_in_the_right_parts(
    tmp_path: Path,
) -> None:
    with WandbSandbox() as sandbox:
        run = log_and_hang(sandbox, tmp_path, "hung", HUNG_SECONDS)
        assert isinstance(run.heartbeat_at, datetime)
        found = values(
            collect(
                sandbox,
                now=run.heartbeat_at,
                yaml="builtin: false\npacks: [gpu_hours, health]",
                entity="sandbox",
                project="metta",
                gpus_per_run=3600,  # so that an hour is a second
                stall_after=timedelta(seconds=1),
            )
        )

    silence = run.heartbeat_at.timestamp() - as_object(run.summary)["_timestamp"]
    stalled, active = found["wandb.gpu_hours.stalled_7d"], found["wandb.gpu_hours.active_7d"]
    assert silence > HUNG_SECONDS
    assert stalled == pytest.approx(silence, abs=2)  # the server keeps whole seconds
    assert active + stalled == pytest.approx(run.compute_seconds)
    assert found["wandb.gpu_hours.unlogged_7d"] == 0
    assert (found["wandb.health.stalled"], found["wandb.health.silent"]) == (1, 0)

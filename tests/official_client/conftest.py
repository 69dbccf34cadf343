"""Real runs, logged once a session: each costs the better part of a second."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.official_client.real_runs import gpu_exporter, isolated, log, training, until_logged

READ_RUNS = Path(__file__).with_name("read_runs.py")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def sandbox(home: Path) -> Iterator[WandbSandbox]:
    """A sandbox with five runs that processes of their own have logged."""
    with WandbSandbox() as sandbox, gpu_exporter({0: 80, 1: 60}) as exporter:
        codes = [log(sandbox, home, how) for how in ("finished", "failed", "resumed", "resumed")]
        codes.append(log(sandbox, home, "gpus", DCGM_EXPORTER=exporter.url))
        assert codes == [0, 1, 0, 0, 0]
        with training(sandbox, home, "running"):  # its process dies without a word
            until_logged(sandbox, "running")
        yield sandbox


@pytest.fixture(scope="session")
def read(sandbox: WandbSandbox, home: Path) -> dict[str, Any]:
    """What wandb.Api answers about them."""
    answer = subprocess.run(
        [sys.executable, READ_RUNS],
        env=isolated(sandbox, home),
        stdout=subprocess.PIPE,
        timeout=300,
        check=True,
    )
    return dict(json.loads(answer.stdout))

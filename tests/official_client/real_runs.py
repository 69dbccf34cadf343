"""Runs that the official client logs into the sandbox, each from a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from runmetrics.sandbox.http import LoopbackServer, Request, Response
from runmetrics.sandbox.store import StoredRun, Sweep, as_object
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox
from tests.collectors.wandb.collecting import Server

PYTHON = Path(sys.executable)
LOG_RUN = Path(__file__).with_name("log_run.py")


def isolated(server: Server, home: Path) -> dict[str, str]:
    """An environment in which the client knows this server and nothing of the machine."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "NETRC": str(home / "netrc"),
        "WANDB_DIR": str(home),
        "WANDB_CONFIG_DIR": str(home / "config"),
        "WANDB_CACHE_DIR": str(home / "cache"),
        "WANDB_DATA_DIR": str(home / "data"),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": SANDBOX_KEY,
    }


@contextmanager
def training(
    server: Server, home: Path, how: str, *, python: Path = PYTHON, **extra: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that logs a run; ended with all its children when the block is left."""
    with _process([python, LOG_RUN, how], isolated(server, home) | extra) as process:
        yield process


@contextmanager
def agent(
    sandbox: WandbSandbox, home: Path, sweep: str
) -> Iterator[tuple[Sweep, subprocess.Popen[bytes]]]:
    """A sweep and the process of its `wandb agent`, whose one run, `swept`, logs and then hangs."""
    command = [sys.executable, str(LOG_RUN), "hung"]
    run = {"type": "run", "run_id": "swept", "program": str(LOG_RUN), "args": {}}
    of_agent = Sweep(json.dumps({"program": str(LOG_RUN), "command": command}), [run])
    sandbox.store.project("sandbox", "metta").sweeps[sweep] = of_agent
    name = f"sandbox/metta/{sweep}"
    with _process([PYTHON, "-m", "wandb", "agent", name], isolated(sandbox, home)) as process:
        yield of_agent, process


@contextmanager
def _process(
    command: Sequence[str | Path], env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=300)


def log(server: Server, home: Path, how: str, *, python: Path = PYTHON, **extra: str) -> int:
    """Log a run to its end; the exit code of its process."""
    with training(server, home, how, python=python, **extra) as process:
        return process.wait(timeout=300)


def until_logged(sandbox: WandbSandbox, run_id: str) -> None:
    """Wait until the summary of the run has arrived."""

    def logged() -> bool:
        run = sandbox.store.find("sandbox", "metta", run_id)
        return run is not None and "val/accuracy" in str(run.summary)

    until(logged)


def log_and_hang(sandbox: WandbSandbox, home: Path, how: str, seconds: float) -> StoredRun:
    """Log a run that beats on for so long after its last log, and then is killed."""

    def hangs() -> bool:
        run = sandbox.store.find("sandbox", "metta", how)
        if run is None or not isinstance(run.heartbeat_at, datetime):
            return False
        logged = as_object(run.summary).get("_timestamp")
        return logged is not None and run.heartbeat_at.timestamp() - logged > seconds

    with training(sandbox, home, how):
        until(hangs)
    return stored(sandbox, how)


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + 120
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("not within 120 s")
        time.sleep(0.02)


def stored(sandbox: WandbSandbox, run_id: str) -> StoredRun:
    """The sandbox's own record of a run."""
    return sandbox.store.run("sandbox", "metta", run_id)


def gpu_exporter(utilization: Mapping[int, float]) -> LoopbackServer:
    """Prometheus with what NVIDIA's exporter says about the GPUs of a node named n1."""
    result = [
        {
            "metric": {"__name__": "DCGM_FI_DEV_GPU_UTIL", "gpu": str(gpu), "node": "n1"},
            "value": [1_767_225_600, str(percent)],
        }
        for gpu, percent in utilization.items()
    ]
    data = {"status": "success", "data": {"resultType": "vector", "result": result}}

    def answer(_request: Request) -> Response:
        return Response(body=json.dumps(data).encode())

    return LoopbackServer(answer)

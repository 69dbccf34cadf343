"""The program as its users run it: a process of its own, its exit code and its two streams."""

import ast
import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from runmetrics.sandbox.http import LoopbackServer
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.wandb_server import WandbSandbox

ROOT = Path(__file__).parents[2]
SCRIPT = (str(ROOT / "devops" / "datadog" / "scripts" / "run_collector.py"),)
MODULE = ("-m", "runmetrics", "collect")
WATCHED = Path(__file__).parent / "watched"

WANDB_KEY = "wandb-canary-of-no-known-pattern"
DATADOG_KEY = "datadog-canary-of-no-known-pattern"
WANDB_BASIC = base64.b64encode(f"api:{WANDB_KEY}".encode()).decode()


@dataclass(frozen=True)
class Ended:
    """What a process left: exit code, stdout, stderr, how long it took after its start."""

    code: int
    out: str
    err: str
    seconds: float
    contacts: frozenset[tuple[str, int]]
    peak_kib: int

    @cached_property
    def logs(self) -> list[dict[str, Any]]:
        """Lines of stderr: one JSON object each."""
        return [json.loads(line) for line in self.err.splitlines()]

    def said(self, *levels: str) -> list[str]:
        """Messages of these levels (errors)."""
        wanted = levels or ("error", "critical")
        return [line["message"] for line in self.logs if line["level"] in wanted]

    @property
    def report(self) -> dict[str, Any]:
        """What --json printed."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def values(self) -> dict[str, float]:
        """Values of --json, by name."""
        return {sample["name"]: sample["value"] for sample in self.report["samples"]}

    @property
    def unknown(self) -> set[str]:
        """Metrics that --json names as unknown."""
        return {name for problem in self.report["problems"] for name in problem["metrics"]}


class Child:
    """The program, running."""

    count = 0

    def __init__(
        self,
        arguments: Sequence[str],
        environment: dict[str, str],
        *,
        entry: Sequence[str] = SCRIPT,
        collector: Sequence[str] = ("wandb",),
        shell: Sequence[str] = (),
        out: int | IO[Any] = subprocess.PIPE,
        err: int | IO[Any] = subprocess.PIPE,
    ) -> None:
        home = Path(os.environ["HOME"])
        Child.count += 1
        self._contacts, self._peak = (home / f"{name}{Child.count}" for name in ("to", "peak"))
        self._contacts.write_text("", encoding="utf-8")
        watched = {
            "PYTHONPATH": str(WATCHED),
            "CONTACTS": str(self._contacts),
            "PEAK_MEMORY": str(self._peak),
        }
        self._began = time.monotonic()
        self.process = subprocess.Popen(
            [*shell, sys.executable, *entry, *collector, *arguments],
            env={**os.environ, **watched, **environment},
            cwd=home,
            stdout=out,
            stderr=err,
        )

    def terminate_when(self, condition: Callable[[], bool]) -> float:
        """Send SIGTERM as soon as `condition` holds; returns that moment (monotonic)."""
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end, "what the test waits for did not come"
            assert self.process.poll() is None, "the program ended too early"
            time.sleep(0.01)
        self.process.send_signal(signal.SIGTERM)
        return time.monotonic()

    def end(self) -> Ended:
        """Wait for the end; no secret may be anywhere in what was written."""
        try:
            out, err = self.process.communicate(timeout=300)
        finally:
            self.process.kill()
        seconds = time.monotonic() - self._began
        shown = [(stream or b"").decode() for stream in (out, err)]
        for secret in (WANDB_KEY, DATADOG_KEY, WANDB_BASIC):
            assert not any(secret in text for text in shown)
        assert not any("Traceback" in text for text in shown)
        lines = self._contacts.read_text(encoding="utf-8").splitlines()
        contacts = frozenset(ast.literal_eval(line)[:2] for line in lines)
        peak = int(self._peak.read_text(encoding="utf-8")) if self._peak.exists() else 0
        return Ended(self.process.returncode, shown[0], shown[1], seconds, contacts, peak)


def run(
    *arguments: str,
    wandb: WandbSandbox | LoopbackServer | str,
    intake: DatadogIntake | None = None,
    entry: Sequence[str] = SCRIPT,
    **environment: str,
) -> Ended:
    """Run it to its end against these servers."""
    return Child(arguments, surroundings(wandb, intake, **environment), entry=entry).end()


def surroundings(
    wandb: WandbSandbox | LoopbackServer | str,
    intake: DatadogIntake | None = None,
    **more: str,
) -> dict[str, str]:
    """The environment of a child that reads project e/p there; an empty variable is left out."""
    found = {
        "WANDB_API_KEY": WANDB_KEY,
        "WANDB_ENTITY": "e",
        "WANDB_PROJECT": "p",
        "WANDB_BASE_URL": wandb if isinstance(wandb, str) else wandb.url,
    }
    if intake is not None:
        found |= {"DD_API_KEY": DATADOG_KEY, "DD_URL": intake.url}
    return {name: value for name, value in {**found, **more}.items() if value}


def addresses(*servers: WandbSandbox | DatadogIntake) -> set[tuple[str, int]]:
    """Where these servers listen."""
    return {("127.0.0.1", int(server.url.rpartition(":")[2])) for server in servers}


def delivered(intake: DatadogIntake) -> dict[str, float]:
    """Values at the intake by name, one point each; without what is about the runs themselves."""
    points = [point for point in intake.points if not point.name.startswith("runmetrics.")]
    values = {point.name: point.value for point in points}
    assert len(values) == len(points)
    return values

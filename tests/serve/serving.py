"""`runmetrics serve` as a process of its own, asked over its socket."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from resource import RLIMIT_NOFILE, prlimit
from typing import Any

from tests.cli.child import DATADOG_KEY, WANDB_BASIC, WANDB_KEY, Child

_PATIENCE_SECONDS = 120.0
_SERIES = re.compile(r"^([a-z_:0-9]+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


class Serving:
    """The running program; `log` is its stderr."""

    def __init__(self, child: Child, log: Path) -> None:
        self.child = child
        self.log = log
        self.until(lambda: "is for Prometheus" in log.read_text())
        self.address = re.search(r"http://([^/]+)/ shows", log.read_text())[1]  # type: ignore[index]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        connection = HTTPConnection(self.address, timeout=300)
        connection.request("GET", path)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    def metrics(self) -> dict[str, float]:
        """Values by name."""
        return {name: float(value) for name, _, value in _SERIES.findall(self.get("/metrics")[1])}

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for that, not for ever."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, f"it did not come: {self.log.read_text()}"
            assert self.child.process.poll() is None, self.log.read_text()
            time.sleep(0.02)

    def until_ready(self) -> None:
        """Wait for the end of the first collection."""
        self.until(lambda: self.get("/readyz")[0] == 200)

    def said(self, level: str = "error") -> list[str]:
        """Messages of this level."""
        lines: list[dict[str, Any]] = [*map(json.loads, self.log.read_text().splitlines())]
        return [line["message"] for line in lines if line["level"] == level]

    def terminate(self) -> tuple[int, float]:
        """Exit code after SIGTERM, and the seconds until then."""
        began = time.monotonic()
        self.child.process.terminate()
        code = self.child.end().code
        return code, time.monotonic() - began


@contextmanager
def serving(
    environment: Mapping[str, str],
    log: Path,
    *arguments: str,
    interval: str = "4s",
    open_files: int = 0,
) -> Iterator[Serving]:
    """Serve on a free port; at the end it is gone, and no secret is in its log.

    `open_files`: most files that it may have open, where that is not 0.
    """
    with log.open("wb") as stderr:
        child = Child(
            ["--port", "0", "--interval", interval, *arguments],
            dict(environment),
            entry=("-m", "runmetrics"),
            collector=("serve",),
            out=subprocess.DEVNULL,
            err=stderr,
        )
    if open_files:
        prlimit(child.process.pid, RLIMIT_NOFILE, (open_files, open_files))
    try:
        yield Serving(child, log)
    finally:
        child.process.kill()
        child.process.wait(10)
        text = log.read_text()
        for unwanted in (WANDB_KEY, DATADOG_KEY, WANDB_BASIC, "Traceback"):
            assert unwanted not in text

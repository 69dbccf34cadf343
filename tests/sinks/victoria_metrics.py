"""VictoriaMetrics, which others wrote and which takes Datadog's series and OTLP: built once, run.

The pinned release comes from the Go module proxy.
"""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

VERSION = "v1.151.0"
_MODULE = "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics"
_LONGEST_BUILD_SECONDS = 1800
_LONGEST_WAIT_SECONDS = 120.0


def find_victoria_metrics(cache: Path) -> Path:
    """Return the server's command: from the cache, else built there."""
    directory = cache / f"victoria-metrics-{VERSION}"
    command = directory / "victoria-metrics"
    if not command.exists():
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["go", "install", "-trimpath", f"{_MODULE}@{VERSION}"],
            env={**os.environ, "GOBIN": str(directory), "CGO_ENABLED": "0"},
            cwd=directory,
            check=True,
            timeout=_LONGEST_BUILD_SECONDS,
        )
    return command


@dataclass(frozen=True)
class Found:
    """A series as PromQL gives it: its value and the time of its last point, in epoch seconds."""

    labels: Mapping[str, str]
    value: float
    time: float


class VictoriaMetrics:
    """A running server at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, name: str, label: str) -> Found:
        """Return the one series of a metric with this label (`env="prod"`), by PromQL."""
        selector = f'{{__name__="{name}", {label}}}'
        ((labels, value),) = self._awaited(selector)
        ((_, at),) = self._awaited(f"timestamp({selector})")
        return Found(labels, value, at)

    def get(self, path: str) -> bytes:
        """Return what a path answers."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=300) as answer:
            return bytes(answer.read())

    def _awaited(self, query: str) -> list[tuple[dict[str, str], float]]:
        """What a query finds; what was taken just now can be found a moment later."""
        for _ in range(int(_LONGEST_WAIT_SECONDS / 0.1)):
            if found := self._query(query):
                return found
            self.get("/internal/force_flush")
            time.sleep(0.1)
        raise AssertionError(f"nothing is found by {query}")

    def _query(self, query: str) -> list[tuple[dict[str, str], float]]:
        asked = urllib.parse.urlencode({"query": query})
        answer = json.loads(self.get(f"/prometheus/api/v1/query?{asked}"))
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]


@contextmanager
def running_victoria_metrics(command: Path, directory: Path) -> Iterator[VictoriaMetrics]:
    """A server on a free port of 127.0.0.1, which keeps its data in `directory`."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    log = directory / "victoria-metrics.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                command,
                f"-httpListenAddr={address}",
                f"-storageDataPath={directory / 'data'}",
                "-search.latencyOffset=0s",
            ],
            stdout=out,
            stderr=out,
        )
    server = VictoriaMetrics(f"http://{address}")
    try:
        _await_start(server, process, log)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=300)


def _await_start(server: VictoriaMetrics, process: "subprocess.Popen[bytes]", log: Path) -> None:
    tries = int(_LONGEST_WAIT_SECONDS / 0.1)
    for _ in range(tries):
        try:
            server.get("/health")
        except (urllib.error.URLError, ConnectionError):
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
        else:
            return
    raise RuntimeError(f"VictoriaMetrics did not start: {log.read_text()[-500:]}")

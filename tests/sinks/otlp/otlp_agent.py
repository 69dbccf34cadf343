"""An OTLP receiver that others wrote: Datadog's test agent, in an environment of its own.

It wants an older opentelemetry-proto than ours, so it cannot share our environment.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

PACKAGE = "ddapm-test-agent==1.69.1"
_LONGEST_START_SECONDS = 120


def find_agent(cache: Path) -> Path:
    """The agent's command: from the cache, else installed there from the package index."""
    environment = cache / PACKAGE.replace("==", "-")
    command = environment / "bin/ddapm-test-agent"
    if not command.exists():
        shutil.rmtree(environment, ignore_errors=True)
        python = str(environment / "bin/python")
        uv = shutil.which("uv")
        if uv:
            steps = [[uv, "venv", str(environment)], [uv, "pip", "install", "--python", python]]
        else:
            steps = [[sys.executable, "-m", "venv", str(environment)]]
            steps += [[python, "-m", "pip", "install"]]
        steps[1].append(PACKAGE)
        for step in steps:
            subprocess.run(step, check=True, capture_output=True, timeout=300)
    return command


class OtlpAgent:
    """A running agent: `url` is the OTLP endpoint."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._test_url = f"{self.url}/test/session"

    def clear(self) -> None:
        """Forget what was received."""
        self._get("clear")

    def resource_metrics(self) -> list[dict[str, Any]]:
        """What was received, one for each resource of each request."""
        received = json.loads(self._get("metrics"))
        return [found for request in received for found in request["resource_metrics"]]

    def _get(self, what: str) -> bytes:
        with urllib.request.urlopen(f"{self._test_url}/{what}", timeout=300) as answer:
            return bytes(answer.read())

    def await_start(self, process: "subprocess.Popen[bytes]") -> None:
        """Return when it answers; raises RuntimeError when it ends or takes too long."""
        end = time.monotonic() + _LONGEST_START_SECONDS
        while time.monotonic() < end and process.poll() is None:
            try:
                return self.clear()
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise RuntimeError("the test agent did not start")


@contextmanager
def running_agent(command: Path, directory: Path) -> Iterator[OtlpAgent]:
    """An agent on free ports of 127.0.0.1, which keeps its files in `directory`."""
    port, otlp_port, grpc_port = free_ports(3)
    options = {"--port": port, "--otlp-http-port": otlp_port, "--otlp-grpc-port": grpc_port}
    arguments = [str(word) for option in options.items() for word in option]
    with (directory / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [command, "--host", "127.0.0.1", *arguments],
            cwd=directory,
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], "HOME": str(directory)},
        )
    try:
        agent = OtlpAgent(otlp_port)
        agent.await_start(process)
        yield agent
    finally:
        process.terminate()
        try:
            process.wait(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = []
    for listening in sockets:
        with closing(listening):
            ports.append(int(listening.getsockname()[1]))
    return ports

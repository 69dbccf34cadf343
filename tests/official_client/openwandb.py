"""openwandb (PyPI), a server that resembles W&B and that nobody here wrote."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.official_client.old_clients import python_with

VERSION = "0.5.25"
ENTITY = "default"
KEY = "local" + "0" * 40


@dataclass(frozen=True, slots=True)
class OpenWandb:
    """A running server: where it is."""

    url: str


@contextmanager
def running(home: Path) -> Iterator[OpenWandb]:
    """A server on a free port of loopback whose data are in `home`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = OpenWandb(f"http://127.0.0.1:{port}")
    command = [python_with(VERSION, "openwandb"), "-m", "openwandb", "serve"]
    process = subprocess.Popen(
        [*map(str, command), "--host", "127.0.0.1", "--port", port, "--log-level", "warning"],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "OPENWANDB_DATA_DIR": str(home)},
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until_it_answers(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=300)


def _until_it_answers(server: OpenWandb, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 120
    while True:
        assert process.poll() is None, "openwandb ended at its start"
        assert time.monotonic() < end, "openwandb does not answer"
        try:
            httpx.get(server.url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return

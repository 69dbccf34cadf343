"""A real Prometheus, Debian's, that scrapes one target of ours."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

_PATIENCE_SECONDS = 120.0


class Prometheus:
    """The running server at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series that an instant query finds now."""
        with urlopen(
            f"{self.url}/api/v1/query?{urlencode({'query': query})}", timeout=300
        ) as answer:
            found = json.load(answer)
        return [(one["metric"], float(one["value"][1])) for one in found["data"]["result"]]


@contextmanager
def scraping(program: Path, target: str, directory: Path) -> Iterator[Prometheus]:
    """A server that scrapes `target` (host:port) twice a second, once it has an answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    job = {"job_name": "runmetrics", "static_configs": [{"targets": [target]}]}
    config = {"global": {"scrape_interval": "500ms"}, "scrape_configs": [job]}
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        server = Prometheus(f"http://{address}")
        _until_scraped(server, process, directory / "log")
        yield server
    finally:
        process.kill()
        process.wait(10)


def _until_scraped(server: Prometheus, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            if server.ask("up == 1"):
                return
        except OSError:
            pass
        time.sleep(0.1)

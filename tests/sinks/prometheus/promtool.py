"""Prometheus' own judge of metrics, from Debian's package."""

import os
import shutil
import subprocess
from pathlib import Path


def find_promtool(cache: Path) -> Path:
    """promtool: from PATH, from the cache, else unpacked from Debian's package into the cache."""
    on_path = shutil.which("promtool")
    if on_path:
        return Path(on_path)
    unpacked = cache / "prometheus"
    promtool = unpacked / "usr/bin/promtool"
    if not promtool.exists():
        download = cache / f"prometheus-download-{os.getpid()}"
        download.mkdir(parents=True)
        try:
            _unpack_package(download)
            shutil.rmtree(unpacked, ignore_errors=True)
            (download / "files").rename(unpacked)
        finally:
            shutil.rmtree(download, ignore_errors=True)
    return promtool


def _unpack_package(directory: Path) -> None:
    fetch = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "prometheus"]
    if _run(fetch, directory).returncode != 0:
        _run(["apt-get", "-q", "update"], directory)  # a machine without package lists
        fetched = _run(fetch, directory)
        if fetched.returncode != 0:
            raise RuntimeError(f"no promtool: install Debian's prometheus: {fetched.stderr}")
    package = next(directory.glob("prometheus_*.deb"))
    _run(["dpkg", "-x", package.name, "files"], directory).check_returncode()


def _run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False, timeout=300
    )


def complaints(promtool: Path, exposition: bytes) -> list[str]:
    """What `promtool check metrics` finds wrong; no line when all is well."""
    judged = subprocess.run(
        [promtool, "check", "metrics"], input=exposition, capture_output=True, check=False
    )
    said = (judged.stdout + judged.stderr).decode().splitlines()
    assert bool(said) == bool(judged.returncode)
    return said

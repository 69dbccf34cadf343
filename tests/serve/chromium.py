"""Debian's Chromium, without a screen and without anything to do on the network."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

FLAGS = (
    "--no-sandbox",  # as root it has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium(cache: Path) -> Path:
    """Chromium, from PATH; where there is none and we may, Debian's package is installed.

    One test process at a time looks: apt would not wait for another.
    """
    cache.mkdir(exist_ok=True)
    with (cache / "chromium.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _found()


def _found() -> Path:
    if shutil.which("chromium") is None:
        if os.geteuid() != 0:
            raise RuntimeError("no chromium on PATH: install Debian's package chromium")
        if _apt("install", "--no-install-recommends", "chromium").returncode != 0:
            _apt("update")  # a machine without package lists
            _apt("install", "--no-install-recommends", "chromium").check_returncode()
    return Path(shutil.which("chromium") or "/usr/bin/chromium")


def _apt(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        ["apt-get", "-q", "-y", *arguments], check=False, timeout=300, env=environment
    )

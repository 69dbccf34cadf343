"""The official client in the versions that training jobs and readers still run."""

import subprocess
from pathlib import Path

OLD_WRITER = "0.22.3"
OLDEST_READER = "0.28.1"
"""The floor of pyproject.toml: the oldest client whose public API our numbers are held against."""

_CACHE = Path(__file__).parents[2] / ".cache"


def python_with(version: str, package: str = "wandb") -> Path:
    """A Python that has that version of wandb, or of a package; installed once, into .cache/."""
    home = _CACHE / f"{package}-{version}"
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        subprocess.run(["uv", "venv", "--quiet", "--clear", home], check=True, timeout=300)
        install: list[str | Path] = ["uv", "pip", "install", "--quiet", "--python", python]
        subprocess.run([*install, f"{package}=={version}"], check=True, timeout=600)
        (home / "ready").touch()
    return python

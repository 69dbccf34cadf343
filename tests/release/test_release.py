"""A release: one version everywhere, workflows that are right, and the same bytes every time."""

import functools
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
CHART = REPOSITORY / "devops/charts/dashboard-cronjob/Chart.yaml"
TOOL = REPOSITORY / ".cache/actionlint/actionlint"
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"


@pytest.fixture(scope="module")
def version() -> str:
    found: str = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    return found


def test_the_chart_and_its_image_have_the_version_of_the_package(version: str) -> None:
    chart = yaml.safe_load(CHART.read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_the_changelog_is_about_this_version_or_what_comes_after_it(version: str) -> None:
    headings = re.findall(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", version)


@pytest.mark.parametrize(
    ("tag", "heading", "owner", "why"),
    [
        ("v0.1.0", "0.1.0", "acme", ""),
        ("v9.9.9", "0.1.0", "acme", "the tag is v9.9.9, the version v0.1.0: change pyproject.toml"),
        ("v0.1.0", "Unreleased", "acme", 'CHANGELOG.md has no heading "## 0.1.0"'),
        ("v0.1.0", "0.1.0", "OWNER", "write acme/runmetrics under [project.urls]"),
        ("v0.1.0", "0.1.0", "other", "[project.urls] is not about acme/runmetrics"),
    ],
)
def test_a_release_is_made_only_where_tag_version_changelog_and_addresses_agree(
    tmp_path: Path, tag: str, heading: str, owner: str, why: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        f'version = "0.1.0"\nHomepage = "https://github.com/{owner}/runmetrics"\n'
    )
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {heading}\n")

    done = subprocess.run(
        [REPOSITORY / "devops/release/check.sh", tag, "acme/runmetrics", "registry.example/acme"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr.strip()) == (bool(why), why)


def build_wheel(source: Path, target: Path) -> Path:
    """Build a wheel from a copy of the repository at `source` into `target`."""
    shutil.copytree(
        REPOSITORY,
        source,
        ignore=shutil.ignore_patterns(".*", "__pycache__", "tests", "docs", "benchmarks"),
    )
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = target.iterdir()
    return wheel


def test_the_wheel_is_the_same_byte_for_byte_when_it_is_built_again(tmp_path: Path) -> None:
    one = build_wheel(tmp_path / "a", tmp_path / "one")
    two = build_wheel(tmp_path / "b", tmp_path / "two")

    assert (one.name, one.read_bytes()) == (two.name, two.read_bytes())


def test_the_wheel_has_all_that_its_commands_need(tmp_path: Path, version: str) -> None:
    wheel = build_wheel(tmp_path / "source", tmp_path / "built")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    shutil.rmtree(tmp_path / "source")

    def python(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    run = functools.partial(python, "-m", "runmetrics")
    assert python("-c", "import runmetrics; print(runmetrics.__file__)").startswith(str(installed))
    assert run("--version") == f"runmetrics {version}\n"
    assert "datadog/dashboards/wandb.json" in run("dashboards", "list")
    assert "wandb.runs.active" in run("metrics")
    assert "assets/" in run("monitors", "export", "assets")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_a_workflow_may_only_read_unless_a_job_says_more(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    used = re.findall(r"uses: (\S+)", path.read_text())

    assert workflow["permissions"] == {"contents": "read"}
    assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one)] == []


@pytest.mark.skipif(
    not os.environ.get("FULL_CI") and not TOOL.exists(), reason="takes a minute to build"
)
def test_the_workflows_are_right() -> None:
    if not TOOL.exists():
        if (go := shutil.which("go")) is None:
            pytest.skip("needs Go to build actionlint")
        environment = {
            **os.environ,
            "GOBIN": str(TOOL.parent),
            "GOPATH": str(TOOL.parent / "go"),
            "GOCACHE": str(TOOL.parent / "build"),
            "GOFLAGS": "-modcacherw",
        }
        subprocess.run([go, "install", ACTIONLINT], env=environment, check=True, timeout=400)
    done = subprocess.run([TOOL, *WORKFLOWS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")

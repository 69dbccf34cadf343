"""The container's command and environment, run on this machine against the sandbox."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.store import Store, StoredRun
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox

from .helm_chart import Chart, Manifest, container, environment, pod_template

INTAKE_KEY = "d" * 32
MOUNTED = "/var/run/secrets/runmetrics"
SECRET = {"WANDB_API_KEY": SANDBOX_KEY, "DD_API_KEY": INTAKE_KEY}
THE_TEN = {
    "wandb.runs.active",
    "wandb.runs.completed_7d",
    "wandb.runs.failed_7d",
    "wandb.runs.total",
    "wandb.metrics.best_accuracy",
    "wandb.metrics.latest_loss",
    "wandb.metrics.avg_accuracy_7d",
    "wandb.training.avg_duration_hours",
    "wandb.training.gpu_utilization_avg",
    "wandb.training.total_gpu_hours_7d",
}


@pytest.fixture
def wandb() -> Iterator[WandbSandbox]:
    with WandbSandbox(store=Store()) as server:
        yield server


@pytest.fixture
def datadog() -> Iterator[DatadogIntake]:
    with DatadogIntake(keys=[INTAKE_KEY]) as server:
        yield server


def finished_run(hours: float = 2) -> StoredRun:
    """Ended an hour ago, on one GPU."""
    end = datetime.now(UTC) - timedelta(hours=1)
    return StoredRun(
        "r1",
        created_at=end - timedelta(hours=hours),
        heartbeat_at=end,
        compute_seconds=hours * 3600,
        summary={"accuracy": 0.75, "loss": 0.5},
        system_metrics={"system.gpu.0.gpu": 80.0},
        gpu_count=1,
    )


def as_the_kubelet_would(
    manifests: list[Manifest], keys: Path, **given: str
) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of the pod; `given` is what the Job controller adds.

    The Secret's entries are written into the directory `keys`, which stands for the mounted one.
    """
    template = pod_template(manifests)
    labels = template["metadata"]["labels"]
    (secret,) = [v["secret"] for v in template["spec"]["volumes"] if v["name"] == "keys"]
    keys.mkdir(exist_ok=True)
    for item in secret["items"]:
        (keys / item["path"]).write_text(SECRET[item["key"]])

    def value(source: str | Mapping[str, Any]) -> str:
        if isinstance(source, str):
            return source.replace(MOUNTED, str(keys))
        found = re.fullmatch(r"metadata\.labels\['(.+)'\]", source["fieldRef"]["fieldPath"])
        assert found is not None
        return str(labels[found[1]])

    env = {name: value(source) for name, source in environment(manifests).items()} | given
    collector = container(manifests)
    words = [*collector["command"], *collector["args"]]
    expanded = [re.sub(r"\$\((\w+)\)", lambda found: env[found[1]], word) for word in words]
    return expanded, env


def run(
    command: list[str], env: Mapping[str, str], directory: Path
) -> subprocess.CompletedProcess[str]:
    """In an empty directory, with the programs of this test environment."""
    return subprocess.run(
        command,
        cwd=directory,
        env={
            **env,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(directory),
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def settings(wandb: WandbSandbox, datadog: DatadogIntake) -> tuple[str, ...]:
    """The documented command's, with a Secret, and with the sandbox in the world's place."""
    return (
        *("--set", "image.repository=YOUR/runmetrics,datadog.service=wandb-collector"),
        *("--set", "keys.existingSecret=wandb-collector-keys"),
        *("--set", f"wandb.baseUrl={wandb.url}"),
        *("--set", f"extraEnv[0].name=DD_URL,extraEnv[0].value={datadog.url}"),
    )


def test_the_documented_releases_command_delivers_the_ten(
    chart: Chart, wandb: WandbSandbox, datadog: DatadogIntake, tmp_path: Path
) -> None:
    wandb.store.add("pufferai", "metta", finished_run())
    command, env = as_the_kubelet_would(chart.render(*settings(wandb, datadog)), tmp_path / "keys")

    done = run(command, env, tmp_path)

    assert done.returncode == 0, done.stderr
    points = {point.name: point for point in datadog.points if point.name in THE_TEN}
    assert points.keys() == THE_TEN
    assert points["wandb.metrics.best_accuracy"].value == 0.75
    assert points["wandb.training.total_gpu_hours_7d"].value == pytest.approx(2)
    assert "service:wandb-collector" in points["wandb.runs.total"].tags


def test_the_shards_deliver_every_project_once(
    chart: Chart, wandb: WandbSandbox, datadog: DatadogIntake, tmp_path: Path
) -> None:
    projects = [f"p{number}" for number in range(6)]
    for project in projects:
        wandb.store.add("vision", project, finished_run())
    manifests = chart.render(
        *settings(wandb, datadog),
        *("--set", "shards=3,wandb.projects={vision/p0,vision/p1,vision/p2,vision/p3}"),
        *("--set", "wandb.projects[4]=vision/p4,wandb.projects[5]=vision/p5"),
    )

    delivered: list[str] = []
    for index in range(3):
        before = len(datadog.points)
        command, env = as_the_kubelet_would(
            manifests, tmp_path / "keys", JOB_COMPLETION_INDEX=str(index)
        )
        done = run(command, env, tmp_path)
        assert done.returncode == 0, done.stderr
        delivered += [
            tag.removeprefix("wandb_project:")
            for point in datadog.points[before:]
            if point.name == "wandb.runs.total"
            for tag in point.tags
            if tag.startswith("wandb_project:")
        ]

    assert sorted(delivered) == projects

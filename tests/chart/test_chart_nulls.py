"""`null`, helm's way to take a default away, leaves the field out or is refused in words."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from .helm_chart import CHART, FILES, Chart, parsed
from .validity import KUBERNETES, validate


def _paths(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Every value, and every map of values, by its dotted path."""
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{name}.")


PATHS = list(_paths(yaml.safe_load((CHART / "values.yaml").read_text())))


def _numbers(node: Any) -> Iterator[float]:
    if isinstance(node, dict | list):
        for each in node.values() if isinstance(node, dict) else node:
            yield from _numbers(each)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield node


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("everything", ""),
        ("deployment", "externalSecrets.enabled=true,externalSecrets.storeName=vault,"),
    ],
    ids=["cronjob", "deployment"],
)
def test_k2_each_value_may_be_null_or_is_demanded(chart: Chart, name: str, settings: str) -> None:
    """No zero: `int` makes one of null, and a deadline of 0 seconds ends every Job."""
    for path in PATHS:
        done = chart.template("--values", FILES[name], "--set", f"{settings}{path}=null")
        if done.returncode:
            assert "missing property" in done.stderr or "execution error" in done.stderr, path
            for word in ("nil pointer", "error calling", "wrong type"):
                assert word not in done.stderr, path
            continue
        manifests = [each for each in parsed(done.stdout) if each["kind"] != "Pod"]  # the doctor's
        assert any(manifest["kind"] in ("CronJob", "Deployment") for manifest in manifests), path
        for manifest in manifests:
            validate(manifest, KUBERNETES[-1])
        assert 0 not in set(_numbers(manifests)), path
        assert "=0" not in done.stdout, path


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("mode", "missing property 'mode'"),
        ("schedule", "missing property 'schedule'"),
        ("job", "missing property 'job'"),
        ("serve.port", "at '/serve': missing property 'port'"),
        ("image.repository", "image.repository is not set"),
        ("persistence.size", "at '/persistence': missing property 'size'"),
        ("serviceAccount.create", "at '/serviceAccount': missing property 'create'"),
    ],
)
def test_what_cannot_be_left_out_is_demanded(chart: Chart, path: str, words: str) -> None:
    assert words in chart.refusal("--set", f"{path}=null")


def test_a_field_that_is_null_is_left_to_kubernetes(chart: Chart) -> None:
    fields = ("activeDeadlineSeconds", "startingDeadlineSeconds", "ttlSecondsAfterFinished")
    settings = ",".join(f"job.{field}=null" for field in (*fields, "backoffLimit"))

    manifests = chart.render_file(
        "minimal", "--set", f"{settings},terminationGracePeriodSeconds=null,timeZone=null"
    )

    text = yaml.safe_dump_all(manifests)
    for field in (*fields, "backoffLimit", "terminationGracePeriodSeconds", "timeZone"):
        assert field not in text

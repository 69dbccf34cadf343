"""`helm test` runs the doctor as the collector would run."""

import pytest

from .helm_chart import FILES, Chart, pod_template
from .validity import KUBERNETES, validate


@pytest.mark.parametrize("name", FILES)
def test_helm_test_runs_the_doctor_with_the_collectors_own_environment(
    chart: Chart, name: str
) -> None:
    values = ("--values", FILES[name])
    pod = chart.render_test(*values)

    collecting = pod_template(chart.render(*values))
    (doctor,), (collector,) = pod["spec"]["containers"], collecting["spec"]["containers"]
    assert (doctor["command"], doctor["args"]) == (["runmetrics"], ["doctor"])
    assert pod["spec"]["restartPolicy"] == "Never"
    for key in ("image", "envFrom", "securityContext", "resources"):
        assert doctor.get(key) == collector.get(key)
    spool = "RUNMETRICS_SPOOL_DIR"
    env = [each for each in collector.get("env", []) if each["name"] != spool]
    assert doctor.get("env", []) == env
    assert pod["spec"]["serviceAccountName"] == collecting["spec"]["serviceAccountName"]
    assert pod["metadata"]["labels"] == collecting["metadata"]["labels"]
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"


@pytest.mark.parametrize("kube", KUBERNETES)
@pytest.mark.parametrize("name", FILES)
def test_the_doctors_pod_passes_the_strict_schemas_of(chart: Chart, name: str, kube: str) -> None:
    validate(chart.render_test("--values", FILES[name], kube=kube), kube)

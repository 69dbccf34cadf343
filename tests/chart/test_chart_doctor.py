"""`helm test` runs the doctor as the collector would run."""

import kubernetes_validate
import pytest

from .helm_chart import VALUES, Chart, pod_template
from .test_chart_validity import FILES, KUBERNETES


@pytest.mark.parametrize("name", FILES)
def test_helm_test_runs_the_doctor_with_the_collectors_own_environment(
    chart: Chart, name: str
) -> None:
    values = ("--values", VALUES / f"{name}.yaml")
    pod = chart.render_test(*values)

    collecting = pod_template(chart.render(*values))
    (doctor,), (collector,) = pod["spec"]["containers"], collecting["spec"]["containers"]
    assert (doctor["command"], doctor["args"]) == (["runmetrics"], ["doctor"])
    assert pod["spec"]["restartPolicy"] == "Never"
    for key in ("image", "envFrom", "securityContext", "resources"):
        assert doctor.get(key) == collector.get(key)
    spool = "RUNMETRICS_SPOOL_DIR"
    assert doctor["env"] == [each for each in collector["env"] if each["name"] != spool]
    assert pod["spec"]["serviceAccountName"] == collecting["spec"]["serviceAccountName"]
    assert pod["metadata"]["labels"] == collecting["metadata"]["labels"]
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"


@pytest.mark.parametrize("kube", [KUBERNETES[0], KUBERNETES[-1]])
@pytest.mark.parametrize("name", FILES)
def test_the_doctors_pod_passes_the_strict_schemas_of(chart: Chart, name: str, kube: str) -> None:
    pod = chart.render_test("--values", VALUES / f"{name}.yaml", kube=kube)

    assert kubernetes_validate.validate(pod, kube, strict=True) == kube

"""docs/METRICS.md says what becomes of every built-in metric."""

import re

import pytest

from runmetrics.collectors.wandb.metrics.catalog import Metric
from runmetrics.model import Collection
from tests.collectors.wandb.collecting import collect_from, missing, run, unknown, values
from tests.contract.listing import everything_built_in
from tests.docs.pages import page, writer

PAGE = page("METRICS.md")
EVERYTHING = everything_built_in().metrics
WITHOUT_DATA = writer()["without_data"]


@pytest.mark.parametrize("metric", EVERYTHING, ids=lambda metric: metric.name)
def test_every_built_in_metric_has_a_row_with_its_definition(metric: Metric) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{metric.name}` |")]
    assert metric.words() in row
    assert metric.description in row


@pytest.fixture(scope="module")
def of_nothing() -> Collection:
    """What is collected from a project without runs."""
    return collect_from(
        yaml="packs: [health, gpu, throughput, gpu_hours, cost]\ngpu_prices: {default: 2}"
    )


@pytest.mark.parametrize("metric", EVERYTHING, ids=lambda metric: metric.name)
def test_a_project_without_runs_is_as_documented(metric: Metric, of_nothing: Collection) -> None:
    said = WITHOUT_DATA(metric)

    assert unknown(of_nothing) == set()
    assert (values(of_nothing).get(metric.name) == 0) is (said == "0")
    assert (metric.name in missing(of_nothing)) is (said == "not sent")


def test_the_default_keys_of_accuracy_and_loss_may_be_changed_as_documented() -> None:
    names = re.findall(r"`RUNMETRICS_(\w+)_KEY`", PAGE)
    runs = [run("a", summary={"Accuracy": 0.9, "accuracy": 0.5})]

    assert names == ["ACCURACY", "LOSS"]
    assert values(collect_from(*runs))["wandb.metrics.best_accuracy"] == 0.5
    assert (
        values(collect_from(*runs, accuracy_key="Accuracy"))["wandb.metrics.best_accuracy"] == 0.9
    )

"""Names, units and tags of the built-in metrics change only on purpose."""

from datetime import timedelta

from runmetrics.collectors.wandb.metrics.catalog import Aggregate
from tests.contract.listing import FILE, everything_built_in, listing


def test_names_units_and_tags_are_those_that_dashboards_rely_on() -> None:
    assert listing() == FILE.read_text(), (
        "a built-in metric changed its name, unit or tags: if that is meant, run "
        "`python -m tests.contract.listing > tests/contract/builtin_metrics.txt` and say in "
        "CHANGELOG.md what it does to people's dashboards"
    )


def test_every_built_in_metric_is_described() -> None:
    metrics = everything_built_in().metrics
    assert [metric.name for metric in metrics if not metric.description] == []


def test_a_window_is_part_of_the_name_but_for_the_two_that_the_first_ten_left_out() -> None:
    ending = {timedelta(days=7): "_7d", timedelta(hours=24): "_24h"}
    without = {
        metric.name
        for metric in everything_built_in().metrics
        if metric.window and not metric.name.endswith(ending[metric.window])
    }
    assert without == {
        "wandb.training.avg_duration_hours",
        "wandb.training.gpu_utilization_avg",
    }


def test_counts_are_of_runs() -> None:
    counts = [each for each in everything_built_in().metrics if each.aggregate is Aggregate.COUNT]
    assert {metric.unit for metric in counts} == {"run"}

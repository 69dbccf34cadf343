"""The built-in metrics stay as they are, or change on purpose and are said to."""

import re
from datetime import timedelta
from pathlib import Path

from runmetrics.collectors.wandb.metrics.catalog import Aggregate
from tests.contract.listing import FILE, RELEASED, everything_built_in, listing


def test_names_units_tags_and_definitions_are_those_that_dashboards_rely_on() -> None:
    assert listing() == FILE.read_text(), (
        "a built-in metric changed its name, unit, tags or definition: if that is meant, run "
        "`python -m tests.contract.listing > tests/contract/builtin_metrics.txt` and say in "
        "CHANGELOG.md what it does to people's dashboards"
    )


CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def unsaid(released: str, now: str, changelog: str) -> set[str]:
    """Return the metrics that are no longer as released, and not named under "Numbers move"."""
    moves = re.search(r"^### Numbers move\n(.*?)^##", changelog, re.DOTALL | re.MULTILINE)
    named = {
        name.rpartition(".")[2] for name in re.findall(r"`([\w.]+)`", moves[1] if moves else "")
    }
    gone = {*released.splitlines()} - {*now.splitlines()}
    names = {line.partition("\t")[0] for line in gone}
    return {name for name in names if name.rpartition(".")[2] not in named}


def test_a_metric_that_is_no_longer_as_released_is_named_in_the_changelog() -> None:
    assert unsaid(RELEASED.read_text(), listing(), CHANGELOG.read_text()) == set()


def test_a_change_that_nobody_wrote_down_is_found() -> None:
    released = "a.b\trun\tproject\tnumber of runs\na.c\trun\tproject\tnumber of runs\n"
    now = released.replace("a.b\trun", "a.b\thour") + "a.new\trun\tproject\tnumber of runs\n"

    assert unsaid(released, now, "### Numbers move\n- `a.c` moves\n\n## 1.0\n") == {"a.b"}
    assert unsaid(released, now, "### Numbers move\n- `a.b` is in hours\n\n## 1.0\n") == set()


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

"""Counts of what a filter matches, held against the runs and against each other (W26, W28)."""

import pytest

from runmetrics.collectors.wandb.reading.counts import Count
from runmetrics.collectors.wandb.reading.document import Answers, CountAsk
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter
from runmetrics.collectors.wandb.reading.plan import CountRead
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.sandbox.quirks import Quirks
from tests.collectors.wandb.collecting import (
    ACTIVE,
    NOW,
    TOTAL,
    ago,
    collect,
    collect_from,
    run,
    sandbox_of,
    unknown,
    values,
)

TEAM = CountRead(Filter.of({"config.team": "a"}), ())
ALL = CountRead(EVERYTHING, ())
YAML = "metrics: [{name: m.team, count: runs, where: {config.team: a}}]\n"


@pytest.mark.parametrize(("again", "total_again"), [(1000, 5), (6, 5)])
def test_w28_a_part_greater_than_its_whole_is_asked_for_again_and_then_unknown(
    again: int, total_again: int
) -> None:
    count = Count(TEAM, None, NOW, None, [ALL])
    reader = count.settle(Answers({CountAsk(TEAM.filter): 1000, CountAsk(EVERYTHING): 5}), None)

    assert next(reader) == [CountAsk(TEAM.filter), CountAsk(EVERYTHING)]
    with pytest.raises(StopIteration) as ended:
        reader.send(Answers({CountAsk(TEAM.filter): again, CountAsk(EVERYTHING): total_again}))
    assert isinstance(ended.value.value, Unknown)
    assert ended.value.value.cause == f"W&B counts {again:,} of 5 runs, twice"


def test_a_part_that_outgrew_its_whole_between_two_answers_counts_as_it_is_then() -> None:
    count = Count(TEAM, None, NOW, None, [ALL])
    reader = count.settle(Answers({CountAsk(TEAM.filter): 6, CountAsk(EVERYTHING): 5}), None)
    next(reader)
    with pytest.raises(StopIteration) as ended:
        reader.send(Answers({CountAsk(TEAM.filter): 6, CountAsk(EVERYTHING): 6}))

    assert ended.value.value == 6


@pytest.mark.parametrize("hours", [0.5, 30])
def test_w26_a_filtered_count_leaves_out_a_hidden_run_of_the_week(hours: float) -> None:
    runs = [run(f"r{n}", beat=ago(hours=hours + n), config={"team": "a"}) for n in range(5)]
    with sandbox_of(*runs, run("other"), quirks=Quirks(hidden_rows={"r0"})) as sandbox:
        collection = collect(sandbox, yaml=YAML)

    assert (values(collection)[TOTAL], values(collection)["m.team"]) == (5, 4)


def test_w26_a_filtered_count_is_whole_where_the_hidden_run_is_not_in_it() -> None:
    runs = [run(f"r{n}", beat=ago(hours=30 + n), config={"team": "a"}) for n in range(5)]
    with sandbox_of(*runs, run("other"), quirks=Quirks(hidden_rows={"other"})) as sandbox:
        collection = collect(sandbox, yaml=YAML)

    assert (values(collection)[TOTAL], values(collection)["m.team"]) == (5, 5)


def test_w28_a_project_is_not_called_empty_while_it_shows_a_run_of_long_ago() -> None:
    old = run("a", "running", beat=ago(days=30))

    lied_to = collect_from(old, quirks=Quirks(counts_say=0))
    empty = collect_from()

    assert unknown(lied_to) == {TOTAL, ACTIVE}
    assert lied_to.problems[0].cause == "W&B counts 0 runs where 1 were seen"
    assert (values(empty)[TOTAL], empty.cost.requests) == (0, 2)

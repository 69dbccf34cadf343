"""What stays on show after a collection, what goes, and how old it is."""

from dataclasses import replace

import pytest

from runmetrics.model import Delivery, Missing, Problem
from runmetrics.serve.snapshot import HISTORY_ROWS, HISTORY_SERIES, Snapshot
from tests.serve.scene import TAGS, Script, outcome, sample, unknown

Values = dict[str, float]


def shown(script: Script) -> Values:
    return {value.sample.name: value.sample.value for value in snapshot_of(script).values}


def snapshot_of(script: Script) -> Snapshot:
    assert script.loop.snapshot is not None
    return script.loop.snapshot


def test_p2_what_became_unknown_keeps_its_last_good_value_and_says_why() -> None:
    problem = unknown("a.y")

    script = Script(
        outcome(sample("a.x", 1), sample("a.y", 2)),
        outcome(sample("a.x", 3), problems=(problem,)),
    )

    assert shown(script) == {"a.x": 3, "a.y": 2}
    assert [value.problem for value in snapshot_of(script).values] == [None, problem]


def test_p2_where_nothing_could_be_read_everything_stays() -> None:
    no_key = Problem((), "no W&B key was found", "set WANDB_API_KEY")

    script = Script(outcome(sample("a.x", 1)), outcome(problems=(no_key,)))

    assert shown(script) == {"a.x": 1}
    assert snapshot_of(script).itself[0].value == 0  # runmetrics.up


def test_what_has_no_data_any_more_goes() -> None:
    script = Script(
        outcome(sample("a.x", 1), sample("a.y", 2)),
        outcome(sample("a.x", 3), missing=(Missing("a.y", "no runs", tags=TAGS),)),
    )

    assert shown(script) == {"a.x": 3}


def test_a_series_that_is_no_longer_there_goes() -> None:
    ann, bob = (sample("a.x", 1, tags={"user": name}) for name in ("ann", "bob"))

    script = Script(outcome(ann, bob), outcome(ann))

    assert [value.sample.tags["user"] for value in snapshot_of(script).values] == ["ann"]


def test_a_problem_holds_the_values_of_its_own_project_only() -> None:
    here, there = sample("a.x", 1), sample("a.x", 2, tags={"wandb_project": "q"})

    script = Script(outcome(here, there), outcome(problems=(unknown("a.x"),)))

    assert [value.sample for value in snapshot_of(script).values] == [here]


def test_what_was_held_is_new_again_when_it_is_learned() -> None:
    script = Script(
        outcome(sample("a.x", 1)), outcome(problems=(unknown("a.x"),)), outcome(sample("a.x", 2))
    )

    assert shown(script) == {"a.x": 2}
    assert snapshot_of(script).values[0].problem is None


def test_the_age_is_that_of_the_oldest_value_on_show() -> None:
    script = Script(
        outcome(sample("a.x", 1), sample("a.y", 2)),
        outcome(sample("a.x", 3), problems=(unknown("a.y"),)),
    )

    assert snapshot_of(script).age_seconds(script.clock()) == 3600


def test_the_age_follows_a_clock_that_does_not_jump() -> None:
    ahead = sample("a.x", 1, time=sample().time.replace(year=2030))

    script = Script(outcome(ahead))

    assert snapshot_of(script).age_seconds(script.clock()) == 1800


def test_without_a_value_there_is_no_age() -> None:
    script = Script(outcome(problems=(unknown("a.x"),)))

    assert snapshot_of(script).age_seconds(script.clock()) is None


def test_a_collection_in_which_a_series_was_unknown_is_a_gap_in_its_history() -> None:
    known, lost = outcome(sample("a.x", 1)), outcome(problems=(unknown("a.x"),))

    script = Script(known, lost, known)

    assert [list(row.values.values()) for row in snapshot_of(script).rows] == [[1], [], [1]]


def test_the_history_is_of_the_last_seven_days() -> None:
    script = Script(*[outcome(sample("a.x", 1))] * 400)

    rows = snapshot_of(script).rows
    assert len(rows) == 337
    assert rows[-1].time - rows[0].time == 7 * 86_400


def test_a_short_interval_does_not_fill_the_memory() -> None:
    script = Script()
    for _ in range(5 * HISTORY_ROWS):
        script.loop.snapshot = replace_after(script)
        script.clock.seconds += 10

    rows = snapshot_of(script).rows
    assert HISTORY_ROWS < len(rows) <= 2 * HISTORY_ROWS
    assert rows[-1].time - rows[0].time == pytest.approx(10 * 5 * HISTORY_ROWS, rel=0.01)


def replace_after(script: Script) -> Snapshot:
    from runmetrics.serve.snapshot import after

    now = script.clock()
    return after(script.loop.snapshot, outcome(sample("a.x", 1)), began_at=now)


def test_only_so_many_series_have_a_history() -> None:
    many = [sample("a.x", 1, tags={"user": str(number)}) for number in range(300)]

    script = Script(outcome(*many))

    assert len(snapshot_of(script).values) == 300
    assert len(snapshot_of(script).rows[0].values) == HISTORY_SERIES


def test_metrics_keep_the_order_in_which_they_became_known() -> None:
    x, y = sample("a.x", 1), sample("a.y", 2)

    script = Script(outcome(x, y), outcome(y, problems=(unknown("a.x", "a.z"),)))

    assert snapshot_of(script).names == ("a.x", "a.y", "a.z")


def test_what_a_scrape_cannot_hold_is_said() -> None:
    script = Script(outcome(sample("a.x", 1), sample("a_x", 2)))

    (said,) = snapshot_of(script).unshown
    assert said.startswith("1 sample was not shown (collapsed): a_x {")


def test_what_a_delivery_says_of_itself_is_shown_too() -> None:
    drops = sample("runmetrics.samples_dropped", 2, tags={"reason": "too_old"})
    age = sample("runmetrics.data_age_seconds", 1)

    script = Script(replace(outcome(sample("a.x", 1)), itself=(drops, age)))

    names = [each.name for each in snapshot_of(script).samples(script.clock(), script.clock.now)]
    assert names == [
        "runmetrics.samples_dropped",
        "runmetrics.data_age_seconds",
        "runmetrics.data_timestamp_seconds",
        "a.x",
    ]


def test_a_sink_that_takes_nothing_is_behind_and_its_last_delivery_gets_old() -> None:
    taken = Delivery("datadog", accepted=(sample("a.x", 1),))
    refused = Delivery("datadog", undelivered=(sample("a.x", 2), sample("a.y", 2)))
    first = replace(outcome(sample("a.x", 1)), deliveries=(taken,))
    then = replace(outcome(sample("a.x", 2)), deliveries=(refused,))

    script = Script(first, then)

    snapshot = snapshot_of(script)
    told = {
        each.name: each.value
        for each in snapshot.samples(script.clock(), script.clock.now)
        if each.tags.get("sink") == "datadog"
    }
    assert told == {
        "runmetrics.samples_undelivered": 2,
        "runmetrics.last_delivery_timestamp_seconds": first.time.timestamp(),
    }
    assert snapshot.behind == {"datadog": 2}


def test_a_sink_that_never_took_anything_has_no_last_delivery() -> None:
    refused = Delivery("datadog", undelivered=(sample("a.x", 1),))

    script = Script(replace(outcome(sample("a.x", 1)), deliveries=(refused,)))

    assert snapshot_of(script).delivered_at == {}

"""Cleaning at the door: whatever W&B puts in a node, a Run holds plain values or nothing."""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmetrics.collectors.wandb.fields import LIFE
from runmetrics.collectors.wandb.runs import Run, make_run
from runmetrics.collectors.wandb.selection import EVERY_RUN, Selection
from runmetrics.collectors.wandb.values import (
    ABSENT,
    Fault,
    decode_object,
    look_up,
    mean,
    number,
    parse_time,
    scalar,
    unwrapped,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HUGE = 10**400


def made(
    node: Mapping[str, Any],
    *,
    summary_keys: Iterable[str] = (),
    config_keys: Iterable[str] = (),
    system_keys: Iterable[str] = (),
) -> Run:
    """The run that is made of a node at noon, with the values under these keys."""
    keys = (frozenset(each) for each in (summary_keys, config_keys, system_keys))
    return make_run(node, Selection(frozenset(), *keys), NOON)


def said(run: Run) -> list[str]:
    """What cannot be of a run."""
    return [fault.what for fault in run.faults]


def summary(text: object, *keys: str) -> Run:
    """A run whose node holds this summary, cleaned for these keys."""
    return made({"name": "a", "summaryMetrics": text}, summary_keys=keys)


def loss(text: str) -> object:
    """What is kept of a summary whose loss is written like this."""
    return summary(f'{{"loss": {text}}}', "loss").values.get("summary.loss")


# what is a number


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0.0), (-3, -3.0), (0.25, 0.25), (2**60 + 1, float(2**60)), (1e308, 1e308)],
)
def test_a_finite_json_number_is_a_number(value: object, expected: float) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, "1", "NaN", "Infinity", "", [], [1], {}, {"value": 1}),
        *(math.nan, math.inf, -math.inf, HUGE, -HUGE),
    ],
)
def test_nothing_else_is_a_number(value: object) -> None:
    assert number(value) is None


@pytest.mark.parametrize("text", ["NaN", '"NaN"'])
def test_nan_is_kept_as_nan_and_is_no_number_in_both_spellings(text: str) -> None:
    run = summary(f'{{"loss": {text}}}', "loss")

    assert math.isnan(float(run.values["summary.loss"]))
    assert run.number("summary.loss") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Infinity", math.inf),
        ('"Infinity"', math.inf),
        ("-Infinity", -math.inf),
        ('"-Infinity"', -math.inf),
        ("1e400", math.inf),
    ],
)
def test_infinities_are_kept_and_are_no_numbers(text: str, expected: float) -> None:
    run = summary(f'{{"loss": {text}}}', "loss")

    assert run.values["summary.loss"] == expected
    assert run.number("summary.loss") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("true", True), ("false", False), ('"high"', "high"), ("0", 0.0), ("-1.5", -1.5)),
        *(("null", None), ("[1]", None), ('{"min": 1}', None), (f"{HUGE}", None)),
    ],
)
def test_a_value_is_text_a_boolean_or_a_float_and_nothing_else(text: str, expected: object) -> None:
    value = loss(text)

    assert value == expected
    assert type(value) is type(expected)


def test_booleans_and_text_are_no_numbers() -> None:
    run = summary('{"a": true, "b": "1"}', "a", "b")

    assert run.number("summary.a") is None
    assert run.number("summary.b") is None


@pytest.mark.parametrize("digits", [399, 400, 5000])
def test_w18_a_huge_integer_does_not_take_the_other_keys_with_it(digits: int) -> None:
    run = summary(f'{{"big": {"9" * digits}, "loss": 0.5}}', "big", "loss")

    assert run.values == {"summary.loss": 0.5}
    assert run.faults == ()


def test_half_a_character_becomes_a_question_mark_so_that_it_can_be_written() -> None:
    run = made(
        {
            "name": "a",
            "displayName": "x\ud800",
            "tags": ["\udfff"],
            "summaryMetrics": r'{"k": "\ud83d"}',
        },
        summary_keys=["k"],
    )

    assert (run.display_name, run.tags, run.values) == ("x?", ("?",), {"summary.k": "?"})


# summaries and configs


@pytest.mark.parametrize("text", [None, "", "null", "{}", '"{}"', '""', '"null"', {}])
def test_an_empty_summary_is_empty_and_no_fault(text: object) -> None:
    assert decode_object(text) == {}
    assert summary(text, "loss").faults == ()


@pytest.mark.parametrize("encodings", [1, 2, 3])
def test_a_summary_may_be_encoded_up_to_three_times(encodings: int) -> None:
    text: Any = {"loss": 0.5}
    for _ in range(encodings):
        text = json.dumps(text)

    assert summary(text, "loss").values == {"summary.loss": 0.5}


def test_an_object_in_place_of_its_text_is_taken() -> None:
    assert summary({"loss": 0.5}, "loss").values == {"summary.loss": 0.5}


FOURFOLD = json.dumps(json.dumps(json.dumps(json.dumps({"loss": 1}))))


@pytest.mark.parametrize(
    "text", ["not json", "{", "[1]", "3", "true", '"text"', 7, [], " ", "{'a': 1}", FOURFOLD]
)
def test_w18_a_summary_that_is_no_object_is_as_if_it_were_not_there_and_is_said(
    text: object,
) -> None:
    run = summary(text, "loss")

    assert run.values == {}
    assert said(run) == ["summaryMetrics is not a JSON object"]


def test_w18_each_part_that_is_junk_is_said() -> None:
    run = made({"name": "a", "summaryMetrics": "{", "config": "[", "systemMetrics": "}"})

    assert said(run) == [
        f"{part} is not a JSON object" for part in ("summaryMetrics", "config", "systemMetrics")
    ]


def test_control_characters_inside_a_summary_are_accepted() -> None:
    assert summary('{"note": "a\nb", "loss": 1}', "loss", "note").values == {
        "summary.loss": 1.0,
        "summary.note": "a\nb",
    }


def test_w18_a_summary_nested_100_deep_is_read() -> None:
    deep = '{"a":' * 100 + "1" + "}" * 100

    assert summary(f'{{"deep": {deep}, "loss": 2}}', "loss").values == {"summary.loss": 2.0}
    assert summary(deep, ".".join("a" * 100)).values == {"summary." + ".".join("a" * 100): 1.0}


def test_w18_a_summary_nested_beyond_reading_is_as_if_it_were_not_there() -> None:
    run = summary('{"a":' * 100_000 + "1" + "}" * 100_000, "a")

    assert (run.values, said(run)) == ({}, ["summaryMetrics is not a JSON object"])


def test_w18_of_a_summary_of_ten_megabytes_only_the_keys_asked_for_are_kept() -> None:
    text = json.dumps({"blob": "x" * 10_000_000, "loss": 0.5})

    assert summary(text, "loss").values == {"summary.loss": 0.5}


def test_a_dotted_key_is_taken_literally_first_then_as_a_path() -> None:
    assert look_up({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert look_up({"a": {"b": 2}}, "a.b") == 2
    assert look_up({"a.b": {"c": 3}}, "a.b.c") == 3
    assert look_up({"a": {"b.c": 4}}, "a.b.c") == 4
    assert look_up({"a": {"x": 0}, "a.b": {"c": 5}}, "a.b.c") == 5
    assert look_up({"a": 1}, "a.b") is ABSENT


def test_a_null_under_the_literal_key_is_the_value() -> None:
    assert look_up({"a.b": None, "a": {"b": 2}}, "a.b") is None


def test_keys_with_slashes_dots_and_emoji_are_kept_under_the_name_they_were_asked_by() -> None:
    text = json.dumps({"val/acc": 0.5, "a.b": 1, "n": {"x": {"y": 2}}, "🔥": 3})

    assert summary(text, "val/acc", "a.b", "n.x.y", "🔥", "none").values == {
        "summary.val/acc": 0.5,
        "summary.a.b": 1.0,
        "summary.n.x.y": 2.0,
        "summary.🔥": 3.0,
    }


def test_keys_differ_by_case() -> None:
    assert summary('{"Loss": 1}', "loss").values == {}


def test_a_summary_that_became_an_object_is_no_value_but_its_parts_are() -> None:
    assert summary('{"loss": {"min": 0.1, "max": 0.9}}', "loss", "loss.min").values == {
        "summary.loss.min": 0.1
    }


def test_a_config_is_unwrapped_once() -> None:
    stored = {"lr": {"desc": None, "value": 0.1}, "old": 3, "opt": {"value": {"value": 7}}}

    assert unwrapped(stored) == {"lr": 0.1, "old": 3, "opt": {"value": 7}}


def test_config_values_are_found_by_literal_key_and_by_path() -> None:
    text = json.dumps(
        {"lr": {"value": 0.1}, "opt": {"value": {"name": "sgd"}}, "a.b": {"value": 1}}
    )
    run = made({"name": "a", "config": text}, config_keys=["lr", "opt.name", "a.b", "none"])

    assert run.values == {"config.lr": 0.1, "config.opt.name": "sgd", "config.a.b": 1.0}


# times


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00",
        "2026-03-01T14:00:00+02:00",
        "2026-03-01T12:00:00.000000000Z",
    ],
)
def test_w19_a_time_is_utc_whatever_its_zone_and_without_one(text: str) -> None:
    assert parse_time(text) == NOON
    assert parse_time(text).tzinfo is UTC  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fraction", "microseconds"),
    [(".5", 500_000), (".123", 123_000), (".123456", 123_456), (".123456789", 123_456)],
)
def test_w19_fractions_of_any_precision_are_read(fraction: str, microseconds: int) -> None:
    assert parse_time(f"2026-03-01T12:00:00{fraction}Z") == NOON.replace(microsecond=microseconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-02-30T00:00:00Z", "1700000000", "\ud800"),
        *(1_700_000_000, 1.5, True, [], {}),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_w17_a_time_that_is_none_is_as_if_it_were_not_there_and_is_said(text: object) -> None:
    run = made({"name": "a", "createdAt": text, "heartbeatAt": text})

    assert (run.created_at, run.heartbeat_at) == (None, None)
    assert said(run) == ["createdAt is not a time", "heartbeatAt is not a time"]


def test_w17_null_times_are_no_fault() -> None:
    assert made({"name": "a", "createdAt": None, "heartbeatAt": None}).faults == ()


# what a run knows of itself


def test_w17_a_node_of_nulls_is_a_run() -> None:
    parts = (
        *("displayName", "state", "createdAt", "heartbeatAt", "computeSeconds", "runInfo"),
        *("summaryMetrics", "config", "systemMetrics", "user", "group", "jobType", "sweepName"),
        *("host", "tags"),
    )
    assert made({"name": "a", **dict.fromkeys(parts)}) == Run("a")
    assert made({"name": "a"}) == Run("a")


def test_every_part_of_a_node_is_in_its_run() -> None:
    node = {
        "name": "r1",
        "displayName": "brave-sun-1",
        "state": "finished",
        "createdAt": "2026-03-01T11:00:00Z",
        "heartbeatAt": "2026-03-01T12:00:00Z",
        "computeSeconds": 1800,
        "runInfo": {"gpu": "H100", "gpuCount": 8},
        "systemMetrics": '{"system.gpu.0.gpu": 50, "system.cpu": 12.5}',
        "user": {"username": "ada"},
        "group": "g",
        "jobType": "train",
        "sweepName": "s",
        "host": "h",
        "tags": ["b", "a"],
    }

    assert made(node, system_keys=["cpu"]) == Run(
        id="r1",
        display_name="brave-sun-1",
        state="finished",
        created_at=NOON - timedelta(hours=1),
        heartbeat_at=NOON,
        compute_seconds=1800.0,
        gpu_count=8,
        gpu_type="H100",
        gpus_seen=1,
        gpu_utilization=50.0,
        values={"system.cpu": 12.5},
        user="ada",
        group="g",
        job_type="train",
        sweep="s",
        host="h",
        tags=("b", "a"),
    )


def test_tags_that_are_no_text_are_passed_over() -> None:
    assert made({"name": "a", "tags": ["x", None, 3, {}, ""]}).tags == ("x",)
    assert made({"name": "a", "tags": "x"}).tags == ()


def test_the_last_sign_of_life_is_the_heartbeat_else_the_creation() -> None:
    born, beat = NOON - timedelta(hours=1), NOON

    assert Run("a", created_at=born, heartbeat_at=beat).last_sign == beat
    assert Run("a", created_at=beat, heartbeat_at=born).last_sign == born
    assert Run("a", created_at=born).last_sign == born
    assert Run("a").last_sign is None


@pytest.mark.parametrize(
    ("computed", "beat_after_seconds", "expected"),
    [
        (1800.0, 3600, 1800.0),  # a resumed run's idle gap does not count
        (7200.0, 3600, 7200.0),
        (0.0, 3600, 3600.0),
        (-5.0, 3600, 3600.0),
        (None, 3600, 3600.0),
        (None, 0, 0.0),
        (None, -1, None),
        (10.0, -1, 10.0),
    ],
)
def test_duration_is_the_time_computed_else_from_creation_to_the_last_heartbeat(
    computed: float | None, beat_after_seconds: int, expected: float | None
) -> None:
    beat = NOON + timedelta(seconds=beat_after_seconds)

    run = Run("a", created_at=NOON, heartbeat_at=beat, compute_seconds=computed)

    assert run.duration_seconds == expected


def test_duration_is_unknown_without_a_heartbeat_or_a_creation() -> None:
    assert Run("a", created_at=NOON).duration_seconds is None
    assert Run("a", heartbeat_at=NOON).duration_seconds is None
    assert Run("a", heartbeat_at=NOON, compute_seconds=5.0).duration_seconds == 5.0


@pytest.mark.parametrize(
    ("state", "expected"),
    [("finished", 40.0), ("failed", 40.0), ("crashed", 60.0), ("killed", 60.0)],
)
def test_without_computed_time_a_run_that_exited_lasted_until_its_exit(
    state: str, expected: float
) -> None:
    run = Run(
        "a",
        state=state,
        created_at=NOON,
        heartbeat_at=NOON + timedelta(seconds=60),
        exit_seconds=40.0,
    )

    assert run.duration_seconds == expected
    assert dataclasses.replace(run, compute_seconds=30.0).duration_seconds == 30.0


def test_the_exit_is_read_of_the_summary_where_0_is_none() -> None:
    summary = {"_wandb": {"runtime": 40}, "_runtime": 39.5, "_timestamp": 1_772_366_400}

    run = made({"name": "a", "summaryMetrics": json.dumps(summary)})

    assert (run.exit_seconds, run.logged_seconds) == (40.0, 39.5)
    assert run.logged_at == NOON
    summary["_wandb"] = {"runtime": 0}
    assert made({"name": "a", "summaryMetrics": json.dumps(summary)}).exit_seconds is None


# what cannot be


@pytest.mark.parametrize(("hours", "known"), [(24, True), (24.01, False), (24 * 365 * 50, False)])
def test_w19_a_time_more_than_a_day_ahead_of_the_server_is_no_time(
    hours: float, known: bool
) -> None:
    ahead = NOON + timedelta(hours=hours)
    summary = {"_timestamp": ahead.timestamp()}

    run = made(
        {
            "name": "a",
            "createdAt": ahead.isoformat(),
            "heartbeatAt": ahead.isoformat(),
            "summaryMetrics": json.dumps(summary),
        }
    )

    expected = ahead if known else None
    assert (run.created_at, run.heartbeat_at, run.logged_at) == (expected, expected, expected)
    late = [f"{part} lies more than a day ahead" for part in ("createdAt", "heartbeatAt")]
    assert said(run) == ([] if known else [*late, "summary._timestamp lies more than a day ahead"])


def test_w29_a_heartbeat_in_the_year_9999_leaves_the_creation_as_the_last_sign() -> None:
    run = made(
        {
            "name": "a",
            "createdAt": "2026-03-01T12:00:00Z",
            "heartbeatAt": "9999-12-31T00:00:00Z",
        }
    )

    assert (run.last_sign, run.duration_seconds) == (NOON, None)
    ahead = (datetime(9999, 12, 31, tzinfo=UTC) - NOON).total_seconds()
    assert run.faults == (Fault("heartbeatAt lies more than a day ahead", "9999-12-31", ahead),)


SINCE_2016 = (NOON - datetime(2016, 1, 1, tzinfo=UTC)).total_seconds()


@pytest.mark.parametrize("seconds", [SINCE_2016 + 1, 1e12, 1.7e308, -5])
def test_w29_a_length_that_no_run_has_is_as_if_it_were_not_there(seconds: float) -> None:
    summary = {"_wandb": {"runtime": seconds}, "_runtime": seconds}

    run = made(
        {
            "name": "a",
            "state": "finished",
            "createdAt": "2026-03-01T11:00:00Z",
            "heartbeatAt": "2026-03-01T12:00:00Z",
            "computeSeconds": seconds,
            "summaryMetrics": json.dumps(summary),
        }
    )

    assert run.duration_seconds == 3600.0
    assert said(run) == [
        f"{what} is no length of a run"
        for what in ("computeSeconds", "summary._wandb.runtime", "summary._runtime")
    ]


def test_w29_the_longest_length_that_a_run_can_have_is_one() -> None:
    assert made({"name": "a", "computeSeconds": SINCE_2016}).duration_seconds == SINCE_2016


@pytest.mark.parametrize("early", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2015-12-31"])
def test_w29_a_time_before_w_and_b_began_is_no_time(early: str) -> None:
    run = made({"name": "a", "createdAt": "2026-03-01T12:00:00Z", "heartbeatAt": early})

    assert (run.heartbeat_at, run.last_sign, run.duration_seconds) == (None, NOON, None)
    assert [(each.what, each.shown) for each in run.faults] == [
        ("heartbeatAt lies before 2016", early[:10])
    ]


def test_w29_of_times_that_are_too_early_the_earliest_is_the_worst() -> None:
    runs = [made({"name": "a", "createdAt": f"{year}-01-01T00:00:00Z"}) for year in (1970, 2015)]

    (older,), (newer,) = (run.faults for run in runs)
    assert older.badness > newer.badness == 365 * 86_400


def test_the_first_day_of_2016_is_a_time() -> None:
    run = made({"name": "a", "createdAt": "2016-01-01T00:00:00Z", "heartbeatAt": None})

    assert (run.last_sign, run.faults) == (datetime(2016, 1, 1, tzinfo=UTC), ())


def test_w29_a_run_that_is_older_than_w_and_b_has_no_known_duration() -> None:
    run = made(
        {"name": "a", "createdAt": "1970-01-01T00:00:00Z", "heartbeatAt": "2026-03-01T12:00:00Z"}
    )

    assert (run.started_at, run.last_sign, run.duration_seconds) == (None, NOON, None)


def test_w29_a_last_log_before_w_and_b_began_is_none() -> None:
    run = made({"name": "a", "summaryMetrics": json.dumps({"_timestamp": 0})})

    assert run.logged_at is None
    assert said(run) == ["summary._timestamp lies before 2016"]


def test_w29_what_is_no_length_and_no_time_is_no_number_of_the_summary_either() -> None:
    odd = {"_runtime": 1e12, "_timestamp": 0, "_wandb": {"runtime": -5}, "loss": 1e12}

    run = summary(json.dumps(odd), "_runtime", "_timestamp", "_wandb.runtime", "loss")

    assert run.values == {"summary.loss": 1e12}


@pytest.mark.parametrize(
    "key", ["gpu.0.gpu", "gpu.0.gpu/l:n1", "gpu.process.0.gpu", "gpu.process.0.gpu/l:n1"]
)
@pytest.mark.parametrize(("percent", "counts"), [(0, True), (100, True), (101, False), (-1, False)])
def test_w29_a_gpu_utilization_under_its_own_key_is_one_from_0_to_100(
    key: str, percent: float, counts: bool
) -> None:
    sampled = {f"system.{key}": percent, "system.gpu.0.temp": 101}

    run = made({"name": "a", "systemMetrics": json.dumps(sampled)}, system_keys=[key, "gpu.0.temp"])

    own = {f"system.{key}": float(percent)} if counts else {}
    assert run.values == {**own, "system.gpu.0.temp": 101.0}
    assert {*said(run)} == (set() if counts else {"GPU utilization is outside 0 to 100"})


def test_w29_gpus_and_a_utilization_that_cannot_be_are_said() -> None:
    run = made(
        {
            "name": "a",
            "runInfo": {"gpu": "H100", "gpuCount": 1e9},
            "systemMetrics": json.dumps({"system.gpu.0.gpu": 25_000, "system.gpu.1.gpu": -400}),
        }
    )

    assert (run.gpu_count, run.gpus_seen, run.gpu_utilization) == (None, 2, None)
    assert sorted((each.what, each.shown) for each in run.faults) == [
        ("GPU count is no whole number from 1 to 16,384", "1e+09"),
        ("GPU utilization is outside 0 to 100", "-400"),
        ("GPU utilization is outside 0 to 100", "25000"),
    ]


def test_a_summary_that_the_server_cannot_serve_is_said_and_leaves_the_heartbeat() -> None:
    node = {"name": "a", "heartbeatAt": "2026-03-01T12:00:00Z"}

    run = make_run(node, EVERY_RUN, NOON, frozenset({"summaryMetrics"}))

    assert run.last_sign == NOON
    assert said(run) == ["W&B cannot serve summaryMetrics"]


# runs that W&B received later than they happened


def imported(
    *, logged_days_ago: float, own_hours: float, beaten_hours: float, state: str = "finished"
) -> Run:
    """A run that W&B has had since noon, whose client logged last so long before that."""
    logged = NOON - timedelta(days=logged_days_ago)
    summary = {"_timestamp": logged.timestamp(), "_runtime": own_hours * 3600}
    return make_run(
        {
            "name": "a",
            "state": state,
            "createdAt": NOON.isoformat(),
            "heartbeatAt": (NOON + timedelta(hours=beaten_hours)).isoformat(),
            "computeSeconds": 5,
            "summaryMetrics": json.dumps(summary),
        },
        LIFE,
        NOON + timedelta(days=1),
    )


def test_an_imported_run_has_its_own_times_and_its_own_length() -> None:
    run = imported(logged_days_ago=700, own_hours=10, beaten_hours=0.001)

    assert run.imported
    assert run.last_sign == run.last_beat == NOON - timedelta(days=700)
    assert run.duration_seconds == 36_000.0
    assert run.started_at == NOON - timedelta(days=700, hours=10)


def test_the_length_of_an_imported_run_is_until_its_exit_where_it_has_one() -> None:
    run = imported(logged_days_ago=700, own_hours=10, beaten_hours=0.001)

    exited = dataclasses.replace(run, exit_seconds=39_600.0)

    assert exited.duration_seconds == 39_600.0
    assert exited.started_at == NOON - timedelta(days=700, hours=11)


@pytest.mark.parametrize(
    ("days", "own", "beaten", "state", "is_imported"),
    [
        (1.001, 10, 0.001, "finished", True),
        (1.0, 10, 0.001, "finished", False),  # not more than 24 h before the creation
        (1.5, 10, 0.001, "running", False),  # it is going on
        (1.5, 10, 0.001, "crashed", True),
        (1.5, 10, 10, "finished", False),  # a host whose clock is a day late
        (1.5, 10, 5, "finished", False),  # not more than twice as long
        (1.5, 10, 4.99, "finished", True),
        (1.5, 0, 0, "finished", False),  # nothing says how long it ran
    ],
)
def test_what_is_an_imported_run_and_what_is_none(
    days: float, own: float, beaten: float, state: str, is_imported: bool
) -> None:
    run = imported(logged_days_ago=days, own_hours=own, beaten_hours=beaten, state=state)

    assert run.imported == is_imported
    assert run.last_sign == (run.logged_at if is_imported else run.heartbeat_at)


@pytest.mark.parametrize("part", ["createdAt", "heartbeatAt", "summaryMetrics"])
def test_a_run_that_lacks_a_time_is_not_taken_for_an_imported_one(part: str) -> None:
    node = {
        "name": "a",
        "createdAt": NOON.isoformat(),
        "heartbeatAt": NOON.isoformat(),
        "summaryMetrics": json.dumps({"_timestamp": 1.6e9, "_runtime": 3600}),
    }

    assert make_run(node, LIFE, NOON).imported
    assert not make_run({**node, part: None}, LIFE, NOON).imported


# values


@pytest.mark.parametrize("text", ["-0.0", "-0", "-1e-400"])
def test_zero_has_no_sign(text: str) -> None:
    value = loss(text)

    assert value == 0
    assert math.copysign(1, float(str(value))) == 1


def test_a_key_with_blanks_at_its_ends_is_a_key_of_its_own() -> None:
    assert summary('{" loss ": 1, "loss": 2}', " loss ").values == {"summary. loss ": 1.0}


def test_a_list_in_the_config_is_kept_by_its_length() -> None:
    config = {"devices": {"value": [0, 1, 2]}, "n": {"value": 3}}

    run = made({"name": "a", "config": json.dumps(config)}, config_keys=["devices", "n"])

    assert (run.lengths, run.values) == ({"config.devices": 3}, {"config.n": 3.0})


def test_a_key_of_every_gpu_is_kept_for_each() -> None:
    system = {"system.gpu.0.temp": 60, "system.gpu.1.temp": 70, "system.cpu": 5}

    run = made({"name": "a", "systemMetrics": json.dumps(system)}, system_keys=["gpu.*.temp"])

    assert (run.gpu_values, run.values) == ({"gpu.*.temp": (60.0, 70.0)}, {})


def test_system_keys_go_without_the_prefix_even_where_w_and_b_has_it_twice() -> None:
    text = json.dumps({"system.system.powerWatts": 30, "system.gpu.0.temp/l:n1": 60})
    run = made(
        {"name": "a", "systemMetrics": text}, system_keys=["system.powerWatts", "gpu.0.temp/l:n1"]
    )

    assert run.values == {"system.system.powerWatts": 30.0, "system.gpu.0.temp/l:n1": 60.0}


def test_without_run_info_the_gpu_count_is_taken_from_the_config() -> None:
    entry = {"host": "n", "gpu_count": 4, "gpu": "A100"}
    run = made({"name": "a", "config": json.dumps({"_wandb": {"value": {"e": {"w": entry}}}})})

    assert (run.gpu_count, run.gpu_type) == (4, "A100")


# whatever comes

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**420)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["NaN", "Infinity", "gpu", "value", "e", "2026-01-01T00:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = ["a", "a.b", "loss", "val/acc"]
OWN = ["_timestamp", "_runtime"]
OBJECT = st.dictionaries(
    st.sampled_from([*KEYS, "system.gpu.0.gpu", "system.gpu.1.gpu/l:x", "_wandb", *OWN]), JSON
)
TEXT = OBJECT.map(json.dumps) | OBJECT.map(json.dumps).map(json.dumps)
TIME = st.datetimes().map(lambda time: f"{time.isoformat()}+13:59") | JSON
NODE = st.fixed_dictionaries(
    {"name": st.text(max_size=3)},
    optional={
        **dict.fromkeys(["summaryMetrics", "config", "systemMetrics"], TEXT | JSON),
        **dict.fromkeys(["createdAt", "heartbeatAt"], TIME),
        **dict.fromkeys(
            ["displayName", "state", "computeSeconds", "historyLineCount", "user", "group"], JSON
        ),
        **dict.fromkeys(["jobType", "sweepName", "host", "tags"], JSON),
        "runInfo": JSON | st.fixed_dictionaries({"gpu": JSON, "gpuCount": JSON}),
    },
)


@given(NODE)
def test_any_json_in_a_node_gives_a_run_of_plain_values(node: dict[str, Any]) -> None:
    run = made(node, summary_keys=KEYS, config_keys=KEYS, system_keys=KEYS)

    assert all(isinstance(value, float | str | bool) for value in run.values.values())
    assert run.gpu_count is None or run.gpu_count >= 1
    assert run.gpu_utilization is None or math.isfinite(run.gpu_utilization)
    assert run.duration_seconds is None or math.isfinite(run.duration_seconds)
    times = (run.created_at, run.heartbeat_at, run.logged_at, run.started_at, run.last_sign)
    assert all(time is None or time.tzinfo is UTC for time in times)
    json.dumps([run.display_name, *run.tags, *map(str, run.values.values())]).encode()
    repr(run).encode()


@given(JSON)
def test_a_number_is_finite_and_a_scalar_is_a_float_text_or_a_boolean(value: object) -> None:
    found, cleaned = number(value), scalar(value)

    assert found is None or (type(found) is float and math.isfinite(found))
    assert cleaned is None or type(cleaned) in (float, str, bool)
    if found is not None:
        assert cleaned == found


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_mean_lies_between_the_least_and_the_greatest(values: list[float]) -> None:
    assert min(values) <= mean(values) <= max(values)


def test_the_mean_of_numbers_whose_sum_is_no_float_is_known() -> None:
    assert mean([1.5e308, 1.5e308]) == 1.5e308
    assert mean([1.7e308, 0.0, -1.7e308, 4.0]) == 1.0

"""Cleaning at the door: whatever W&B puts in a node, a Run holds plain values or nothing."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runmetrics.collectors.wandb.runs import (
    ABSENT,
    Run,
    decode_object,
    gpu_samples,
    look_up,
    make_run,
    mean,
    number,
    parse_time,
    recorded_gpus,
    scalar,
    unwrapped,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HUGE = 10**400


def summary(text: object, *keys: str) -> Run:
    """A run whose node holds this summary, cleaned for these keys."""
    return make_run({"name": "a", "summaryMetrics": text}, summary_keys=keys)


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
    run = make_run(
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
    assert run.faults == ("summaryMetrics is not a JSON object",)


def test_w18_each_part_that_is_junk_is_said() -> None:
    run = make_run({"name": "a", "summaryMetrics": "{", "config": "[", "systemMetrics": "}"})

    assert run.faults == tuple(
        f"{part} is not a JSON object" for part in ("summaryMetrics", "config", "systemMetrics")
    )


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

    assert (run.values, run.faults) == ({}, ("summaryMetrics is not a JSON object",))


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
    run = make_run({"name": "a", "config": text}, config_keys=["lr", "opt.name", "a.b", "none"])

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
    run = make_run({"name": "a", "createdAt": text, "heartbeatAt": text})

    assert (run.created_at, run.heartbeat_at) == (None, None)
    assert run.faults == ("createdAt is not a time", "heartbeatAt is not a time")


def test_w17_null_times_are_no_fault() -> None:
    assert make_run({"name": "a", "createdAt": None, "heartbeatAt": None}).faults == ()


# what a run knows of itself


def test_w17_a_node_of_nulls_is_a_run() -> None:
    parts = (
        *("displayName", "state", "createdAt", "heartbeatAt", "computeSeconds", "runInfo"),
        *("summaryMetrics", "config", "systemMetrics", "user", "group", "jobType", "sweepName"),
        *("host", "tags"),
    )
    assert make_run({"name": "a", **dict.fromkeys(parts)}) == Run("a")
    assert make_run({"name": "a"}) == Run("a")


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

    assert make_run(node, system_keys=["cpu"]) == Run(
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
    assert make_run({"name": "a", "tags": ["x", None, 3, {}, ""]}).tags == ("x",)
    assert make_run({"name": "a", "tags": "x"}).tags == ()


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


@pytest.mark.parametrize("count", [None, 0, -1, 0.5, "8", True, HUGE])
def test_a_recorded_gpu_count_that_is_no_positive_number_is_none(count: object) -> None:
    assert make_run({"name": "a", "runInfo": {"gpu": "A100", "gpuCount": count}}).gpu_count is None


# GPUs in system metrics


@pytest.mark.parametrize(
    ("system", "gpus", "utilization"),
    [
        ({}, 0, None),
        ({"system.cpu": 5, "system.memory_percent": 7}, 0, None),
        ({"system.gpu.0.gpu": 80, "system.gpu.1.gpu": 40}, 2, 60.0),  # NVIDIA, AMD
        ({"gpu.0.gpu": 80}, 1, 80.0),  # without the prefix, as in offline files
        ({"system.gpu.0.gpu": 12, "system.gpu.0.freq": 900, "system.gpu.0.temp": 50}, 1, 12.0),
        ({"system.gpu.0.memoryReadWriteActivity": 3, "system.gpu.1.temp": 40}, 2, None),
        ({"system.gpu.0.gpu/l:n1": 100, "system.gpu.0.gpu/l:n2": 0}, 2, 50.0),
        ({"system.gpu.0.temp/l:n1": 60, "system.gpu.0.gpu/l:n1": 100}, 1, 100.0),
        ({"system.gpu.0.gpu/l:rank/1": 30}, 1, 30.0),
        ({"system.gpu.process.0.gpu": 99, "system.gpu.process.1.gpu": 99}, 0, None),
        ({"system.gpu.0.gpu": 10, "system.gpu.process.0.gpu": 90}, 1, 10.0),
        ({"system.gpu.0.gpu": None, "system.gpu.1.gpu": 40}, 2, 40.0),
        ({"system.gpu.0.gpu": "NaN", "system.gpu.1.gpu": math.nan, "system.gpu.2.gpu": 9}, 3, 9.0),
        ({"system.gpu.0.gpu": True}, 1, None),
        ({"system.gpu.10.gpu": 20, "system.gpu.1.gpu": 0}, 2, 10.0),
        ({"system.gpu.0": 5, "system.gpu.gpu": 5, "system.tpu.0.dutyCycle": 5}, 0, None),
    ],
)
def test_gpus_and_their_mean_utilization_are_told_from_the_last_sample(
    system: dict[str, Any], gpus: int, utilization: float | None
) -> None:
    assert gpu_samples(system) == (gpus, utilization)


def test_system_keys_go_without_the_prefix_even_where_w_and_b_has_it_twice() -> None:
    text = json.dumps({"system.system.powerWatts": 30, "system.gpu.0.temp/l:n1": 60})
    run = make_run(
        {"name": "a", "systemMetrics": text}, system_keys=["system.powerWatts", "gpu.0.temp/l:n1"]
    )

    assert run.values == {"system.system.powerWatts": 30.0, "system.gpu.0.temp/l:n1": 60.0}


# GPUs in the config of old servers


def environment(host: str, count: object, started: str = "", gpu: str = "A100") -> dict[str, Any]:
    return {"host": host, "gpu_count": count, "startedAt": started, "gpu": gpu}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], (None, "")),
        ([environment("a", 8)], (8, "A100")),
        ([environment("a", 8), environment("b", 4)], (12, "A100")),
        ([environment("a", 8, "2026-01-01"), environment("a", 4, "2026-01-02")], (4, "A100")),
        ([environment("a", 4, "2026-01-02"), environment("a", 8, "2026-01-01")], (4, "A100")),
        ([environment("a", 0)], (None, "")),
        ([environment("a", None), "junk", None, 3], (None, "")),
        ([environment("a", "8")], (None, "")),
        ([environment("a", 2, gpu="H100")], (2, "H100")),
        ([{"gpu_count": 2}, {"gpu_count": 3}], (3, "")),
    ],
)
def test_recorded_gpus_add_up_over_hosts_and_a_resumed_host_counts_once(
    entries: list[Any], expected: tuple[int | None, str]
) -> None:
    writers = {f"w{index}": entry for index, entry in enumerate(entries)}

    assert recorded_gpus(writers) == expected


@pytest.mark.parametrize("junk", [None, "x", 3, [], [{"gpu_count": 8}]])
def test_environments_that_are_no_object_record_nothing(junk: object) -> None:
    assert recorded_gpus(junk) == (None, "")


def test_without_run_info_the_gpu_count_is_taken_from_the_config() -> None:
    config = {"_wandb": {"value": {"e": {"w": environment("a", 4)}}}}
    run = make_run({"name": "a", "config": json.dumps(config)})

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
OBJECT = st.dictionaries(
    st.sampled_from([*KEYS, "system.gpu.0.gpu", "system.gpu.1.gpu/l:x", "_wandb", "b"]), JSON
)
TEXT = OBJECT.map(json.dumps) | OBJECT.map(json.dumps).map(json.dumps)
TIME = st.datetimes().map(lambda time: f"{time.isoformat()}+13:59") | JSON
NODE = st.fixed_dictionaries(
    {"name": st.text(max_size=3)},
    optional={
        **dict.fromkeys(["summaryMetrics", "config", "systemMetrics"], TEXT | JSON),
        **dict.fromkeys(["createdAt", "heartbeatAt"], TIME),
        **dict.fromkeys(["displayName", "state", "computeSeconds", "user", "group"], JSON),
        **dict.fromkeys(["jobType", "sweepName", "host", "tags"], JSON),
        "runInfo": JSON | st.fixed_dictionaries({"gpu": JSON, "gpuCount": JSON}),
    },
)


@settings(deadline=None)
@given(NODE)
def test_any_json_in_a_node_gives_a_run_of_plain_values(node: dict[str, Any]) -> None:
    run = make_run(node, summary_keys=KEYS, config_keys=KEYS, system_keys=KEYS)

    assert all(isinstance(value, float | str | bool) for value in run.values.values())
    assert run.gpu_count is None or run.gpu_count >= 1
    assert run.gpu_utilization is None or math.isfinite(run.gpu_utilization)
    assert run.duration_seconds is None or math.isfinite(run.duration_seconds)
    assert all(time is None or time.tzinfo is UTC for time in (run.created_at, run.heartbeat_at))
    json.dumps([run.display_name, *run.tags, *map(str, run.values.values())]).encode()
    repr(run).encode()


@settings(deadline=None)
@given(JSON)
def test_a_number_is_finite_and_a_scalar_is_a_float_text_or_a_boolean(value: object) -> None:
    found, cleaned = number(value), scalar(value)

    assert found is None or (type(found) is float and math.isfinite(found))
    assert cleaned is None or type(cleaned) in (float, str, bool)
    if found is not None:
        assert cleaned == found


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_mean_lies_between_the_least_and_the_greatest(values: list[float]) -> None:
    assert min(values) <= mean(values) <= max(values)


def test_the_mean_of_numbers_whose_sum_is_no_float_is_known() -> None:
    assert mean([1.5e308, 1.5e308]) == 1.5e308
    assert mean([1.7e308, 0.0, -1.7e308, 4.0]) == 1.0

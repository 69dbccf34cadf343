"""What is sent to Datadog: names, tags, values, times and sizes (rows D15 to D17)."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runmetrics.errors import ExitCode
from runmetrics.model import Sample
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sinks.datadog.series import (
    LIMITS,
    Limits,
    Series,
    batches,
    encode,
    fits,
    metric_name,
    payload,
    prepare,
    tag,
)
from tests.sinks.datadog.datadog_case import NOW, deliver, new_intake, sample


@pytest.fixture
def intake() -> Iterator[DatadogIntake]:
    with new_intake() as running:
        yield running


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e400, 10**400])
def test_d15_a_value_that_json_cannot_hold_is_dropped_and_the_rest_is_sent(
    intake: DatadogIntake, value: float
) -> None:
    delivery = deliver(intake, [sample("wandb.bad", value), sample("wandb.good", 1.0)])

    assert delivery.code == ExitCode.PARTIAL
    assert [(drop.sample.name, drop.reason) for drop in delivery.dropped] == [
        ("wandb.bad", "not_finite")
    ]
    assert delivery.notices == ("1 sample was not sent (not_finite): wandb.bad",)
    assert [point.name for point in intake.points] == ["wandb.good"]


def test_d15_values_go_out_as_finite_floats(intake: DatadogIntake) -> None:
    deliver(intake, [sample("wandb.zero", -0.0), sample("wandb.large", 2**53 + 1)])

    document = json.loads(intake.server.requests[0].body)
    sent = [json.dumps(one["points"][0]["value"]) for one in document["series"]]
    assert sent == ["0.0", "9007199254740992.0"]


def test_d15_a_series_is_a_gauge_with_its_unit_and_no_host(intake: DatadogIntake) -> None:
    deliver(intake, [sample("wandb.a", 1.5, unit="hour", tags={"user": "ada"}), sample("wandb.b")])

    assert json.loads(intake.server.requests[0].body) == {
        "series": [
            {
                "metric": "wandb.a",
                "type": 3,
                "points": [{"timestamp": 1772366400, "value": 1.5}],
                "tags": ["user:ada"],
                "unit": "hour",
            },
            {
                "metric": "wandb.b",
                "type": 3,
                "points": [{"timestamp": 1772366400, "value": 4.0}],
                "tags": [],
            },
        ]
    }


def test_d16_points_outside_datadogs_window_are_not_sent_and_their_age_is_said(
    intake: DatadogIntake,
) -> None:
    delivery = deliver(
        intake,
        [
            sample("wandb.expired", age_seconds=3601),
            sample("wandb.oldest", age_seconds=3600),
            sample("wandb.newest", age_seconds=-600),
            sample("wandb.future", age_seconds=-601),
        ],
    )

    assert [(drop.sample.name, drop.reason) for drop in delivery.dropped] == [
        ("wandb.expired", "too_old"),
        ("wandb.future", "too_new"),
    ]
    assert delivery.notices == (
        "1 sample was not sent (too_old): wandb.expired (3601 s old)",
        "1 sample was not sent (too_new): wandb.future (601 s ahead)",
    )
    assert delivery.code == ExitCode.PARTIAL
    assert [point.name for point in intake.points] == ["wandb.oldest", "wandb.newest"]
    assert intake.late == []


def test_many_drops_of_one_kind_are_one_notice() -> None:
    _, ledger = prepare(
        [sample(f"wandb.m{n}", float("nan")) for n in range(5)], (), NOW.timestamp()
    )

    assert tuple(ledger.notices) == (
        "5 samples were not sent (not_finite): wandb.m0, wandb.m1, wandb.m2 and 2 more",
    )


@pytest.mark.parametrize(
    ("given_name", "sent"),
    [
        ("wandb.runs.active", "wandb.runs.active"),
        ("wandb.val/acc", "wandb.val_acc"),
        ("wandb.top-5 %", "wandb.top_5"),
        ("7d.runs", "d.runs"),
        ("éa", "a"),
        ("wandb._x_.y", "wandb.x.y"),
        ("wandb.😀.x", "wandb..x"),
        ("a" * 300, "a" * 200),
        ("a|b,c\n", "a_b_c"),
        ("123", ""),
    ],
)
def test_names_follow_datadogs_rules(given_name: str, sent: str) -> None:
    assert metric_name(given_name) == sent


@pytest.mark.parametrize(
    ("given_tag", "sent"),
    [
        ("user:Ada", "user:ada"),
        ("user:José", "user:josé"),
        ("group:a, b|c\n", "group:a_b_c"),
        ("group:a__b", "group:a_b"),
        ("group:", "group"),
        ("1st:x", "st:x"),
        ("url:http://h/p", "url:http://h/p"),
        ("k:" + "v" * 300, "k:" + "v" * 198),
        ("😀", ""),
    ],
)
def test_tags_follow_datadogs_rules(given_tag: str, sent: str) -> None:
    assert tag(given_tag) == sent


@given(st.text())
def test_a_fixed_name_or_tag_needs_no_fixing(text: str) -> None:
    assert metric_name(metric_name(text)) == metric_name(text)
    assert tag(tag(text)) == tag(text)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(), st.text()), max_size=20))
@settings(max_examples=50)
def test_whatever_the_names_and_tags_the_intake_finds_no_fault(
    words: list[tuple[str, str, str]],
) -> None:
    samples = [sample(name, tags={key: value}) for name, key, value in words]
    with new_intake() as intake:
        deliver(intake, samples)
        assert {post.status for post in intake.posts} <= {202}


def test_a_name_of_which_nothing_can_stay_is_dropped(intake: DatadogIntake) -> None:
    delivery = deliver(intake, [sample("42")])

    assert [drop.reason for drop in delivery.dropped] == ["bad_name"]
    assert delivery.requests == 0


def test_two_series_that_become_one_are_said_and_the_first_is_sent(intake: DatadogIntake) -> None:
    first, second = sample("wandb.val/acc", 0.5), sample("wandb.val_acc", 0.9)

    delivery = deliver(intake, [first, second])

    assert delivery.accepted == (first,)
    assert [(drop.sample.name, drop.reason) for drop in delivery.dropped] == [
        ("wandb.val_acc", "collapsed")
    ]
    assert delivery.notices[0] == (
        "1 sample was not sent (collapsed): by Datadog's rules for names and tags it is the same"
        " series as another one: wandb.val_acc"
    )
    assert [point.value for point in intake.points] == [0.5]
    assert delivery.code == ExitCode.PARTIAL


def test_the_same_point_twice_is_sent_once_without_a_word(intake: DatadogIntake) -> None:
    delivery = deliver(intake, [sample(), sample()])

    assert (delivery.code, delivery.notices, len(intake.points)) == (ExitCode.OK, (), 1)


def test_common_tags_are_added_and_a_samples_own_win(intake: DatadogIntake) -> None:
    common = ("env:prod", "service:runmetrics", "team:ml", "team:infra")

    deliver(intake, [sample(tags={"service": "mine", "user": "ada"})], tags=common)

    assert intake.points[0].tags == (
        "env:prod",
        "service:mine",
        "team:infra",
        "team:ml",
        "user:ada",
    )


def _series(name: str, tags: tuple[str, ...]) -> Series:
    return Series(sample(name), name, tags, int(NOW.timestamp()), 1.0)


_words = st.text("abcdefghijklmnopqrstuvwxyz0123456789", max_size=60)


@given(
    series=st.lists(st.builds(_series, _words, st.tuples(_words, _words)), max_size=60),
    limits=st.builds(Limits, st.integers(250, 2000), st.integers(400, 8000)),
)
def test_d17_no_batch_is_over_a_limit_and_none_loses_a_series(
    series: list[Series], limits: Limits
) -> None:
    cut = list(batches(series, limits))

    assert [one for batch in cut for one in batch] == series
    for batch in cut:
        compressed, raw_bytes = encode(payload(batch).to_dict())
        assert len(compressed) <= limits.compressed or len(batch) == 1
        assert raw_bytes <= limits.raw or len(batch) == 1


def test_d17_the_limits_are_datadogs_and_hold_to_the_byte() -> None:
    two = [_series("wandb.a", ("x:1",)), _series("wandb.b", ("x:2",))]
    compressed, raw_bytes = encode(payload(two).to_dict())

    assert Limits(compressed=512_000, raw=5_242_879) == LIMITS
    assert fits(two, Limits(len(compressed), raw_bytes))
    assert not fits(two, Limits(len(compressed) - 1, raw_bytes))
    assert not fits(two, Limits(len(compressed), raw_bytes - 1))


def test_d17_nine_thousand_series_that_hardly_compress_pass_a_strict_intake(
    intake: DatadogIntake,
) -> None:
    dice = random.Random(17)
    samples: list[Sample] = [
        sample("wandb.m", tags={"run": f"{dice.getrandbits(512):0128x}"}) for _ in range(9_000)
    ]

    delivery = deliver(intake, samples, seconds=90)

    assert (delivery.code, len(intake.points)) == (ExitCode.OK, 9_000)
    assert {post.status for post in intake.posts} == {202}
    assert len(intake.posts) == delivery.requests > 1
    assert delivery.bytes_sent == intake.bytes_received


def test_d17_what_was_measured_is_what_is_sent(intake: DatadogIntake) -> None:
    deliver(intake, [sample()])

    series, _ = prepare([sample()], (), NOW.timestamp())
    body: Mapping[str, Any] = payload(series).to_dict()
    compressed, raw_bytes = encode(body)
    assert intake.posts[0].bytes_on_the_wire == len(compressed)
    assert intake.posts[0].bytes_raw == raw_bytes


def test_d17_one_series_over_the_limit_is_dropped_unsent(intake: DatadogIntake) -> None:
    tags = {f"tag{number}": "x" * 180 for number in range(30_000)}

    delivery = deliver(intake, [sample(tags=tags), sample("wandb.small")])

    assert [drop.reason for drop in delivery.dropped] == ["too_large"]
    assert delivery.notices == (
        "1 sample was not sent (too_large): wandb.runs.active, larger than one post may be",
    )
    assert [point.name for point in intake.points] == ["wandb.small"]

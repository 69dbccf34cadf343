"""How samples become OpenTelemetry's points, and what becomes of those that cannot."""

from datetime import UTC, datetime, timedelta

import pytest

from runmetrics.sinks.otlp.points import metric_name, nanoseconds, prepare, ucum
from tests.sinks.otlp.otlp_case import NOW, sample


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wandb.runs.failed_7d", "wandb.runs.failed_7d"),
        ("wandb.metrics.a/b-c", "wandb.metrics.a/b-c"),
        ("7d loss, best\n", "d_loss_best_"),
        ("🚀", ""),
        ("x" * 5000, "x" * 255),
    ],
)
def test_a_name_follows_opentelemetrys_syntax(name: str, expected: str) -> None:
    assert metric_name(name) == expected


@pytest.mark.parametrize(
    ("unit", "code"),
    [("hour", "h"), ("percent", "%"), ("byte", "By"), ("", ""), ("run", "{run}")],
)
def test_a_unit_is_a_ucum_code(unit: str, code: str) -> None:
    assert ucum(unit) == code


def test_times_are_exact_to_the_microsecond() -> None:
    assert nanoseconds(datetime(2026, 3, 1, 12, 0, 0, 123457, UTC)) == 1_772_366_400_123_457_000


def test_values_that_are_not_finite_and_names_of_nothing_are_dropped() -> None:
    points, ledger = prepare(
        [sample("a", float("nan")), sample("b", 10**400), sample("🚀"), sample("d")]
    )

    assert [point.name for point in points] == ["d"]
    assert [drop.reason for drop in ledger.dropped] == ["not_finite", "not_finite", "bad_name"]
    assert tuple(ledger.notices) == (
        "2 samples were not sent (not_finite): a, b",
        "1 sample was not sent (bad_name): 🚀",
    )


def test_the_same_point_twice_is_sent_once() -> None:
    points, ledger = prepare([sample(), sample(), sample(time=NOW + timedelta(seconds=1))])

    assert len(points) == 2
    assert [drop.reason for drop in ledger.dropped] == ["duplicate"]
    assert ledger.notices == []


def test_two_metrics_with_one_name_are_told_apart_by_dropping_the_second() -> None:
    first, second = sample("a b"), sample("a,b")

    points, ledger = prepare([first, second])

    assert [point.sample for point in points] == [first]
    assert tuple(ledger.notices) == ("1 sample was not sent (collapsed): a,b",)


def test_tags_without_an_encoding_are_fixed() -> None:
    (point,), _ = prepare([sample(tags={"k\ud800": "v\ud800"})])

    assert point.attributes == {"k?": "v?"}

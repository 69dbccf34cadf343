"""What metrics and tags are called in Prometheus, and in which unit."""

from itertools import product
from pathlib import Path

import pytest

from runmetrics.sinks.prometheus.names import family_name, label_name
from tests.sinks.prometheus.promtool import complaints


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("wandb.runs.active", "run", "wandb_runs_active"),
        ("wandb.runs.completed_7d", "run", "wandb_runs_completed_7d"),
        ("wandb.runs.failed_7d", "run", "wandb_runs_failed_7d"),
        ("wandb.runs.total", "run", "wandb_runs"),
        ("wandb.metrics.best_accuracy", "", "wandb_metrics_best_accuracy"),
        ("wandb.metrics.latest_loss", "", "wandb_metrics_latest_loss"),
        ("wandb.metrics.avg_accuracy_7d", "", "wandb_metrics_avg_accuracy_7d"),
        ("wandb.training.avg_duration_hours", "hour", "wandb_training_avg_duration_seconds"),
        (
            "wandb.training.gpu_utilization_avg",
            "percent",
            "wandb_training_gpu_utilization_avg_ratio",
        ),
        ("wandb.training.total_gpu_hours_7d", "hour", "wandb_training_total_gpu_seconds_7d"),
    ],
)
def test_the_ten_are_called(name: str, unit: str, expected: str) -> None:
    assert family_name(name, unit).text == expected


@pytest.mark.parametrize(
    ("name", "unit", "expected", "value"),
    [
        ("a.idle_minutes", "minute", "a_idle_seconds", 90.0),
        ("a.age", "day", "a_age_seconds", 129_600.0),
        ("a.latency_ms", "millisecond", "a_latency_seconds", 0.0015),
        ("a.latency", "second", "a_latency_seconds", 1.5),
        ("a.memory", "gibibyte", "a_memory_bytes", 1_610_612_736.0),
        ("a.cpu_pct", "percent", "a_cpu_ratio", 0.015),
        ("a.cpu", "fraction", "a_cpu_ratio", 1.5),
        ("a.cost", "dollar", "a_cost", 1.5),
    ],
)
def test_a_unit_with_a_base_unit_is_converted_to_it_and_named(
    name: str, unit: str, expected: str, value: float
) -> None:
    found = family_name(name, unit)

    assert (found.text, found.value(1.5)) == (expected, value)


def test_a_span_in_the_name_is_not_its_unit() -> None:
    assert family_name("a.idle_24_hours", "hour").text == "a_idle_24hours_seconds"


def test_a_division_is_rounded_once() -> None:
    assert family_name("a.cpu", "percent").value(57.0) == 0.57


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.runs.sum", "a_runs"),
        ("a.runs.total.count", "a_runs"),
        ("total", "total"),
        ("a.summary.loss", "asummary_loss"),
        ("a.gpu_hours", "a_gpuhours"),
        ("a.kilobytes", "akilobytes"),
        ("loss.m", "lossm"),
        ("hours.used", "metrichours_used"),
        ("7d.runs", "metric_7d_runs"),
        ("a.bestLoss", "a_best_loss"),
        ("a/b c:d-é!e", "ab_cd_e"),
        ("🚀", ""),
    ],
)
def test_a_name_that_prometheus_would_refuse_becomes_one_that_it_takes(
    name: str, expected: str
) -> None:
    assert family_name(name, "").text == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("wandb_project", "wandb_project"),
        ("gpu-type", "gpu_type"),
        ("sweepName", "sweep_name"),
        ("__name__", "name"),
        ("le", "tag_le"),
        ("7d", "tag_7d"),
        ("🚀", ""),
    ],
)
def test_a_tag_becomes_a_label(key: str, expected: str) -> None:
    assert label_name(key) == expected


def test_promtool_finds_nothing_wrong_with_any_name_made(promtool: Path) -> None:
    words = [
        *("a", "7", "hours", "hour", "h", "s", "m", "su", "kilo", "bytes", "millihours", "days"),
        *("total", "count", "sum", "bucket", "gauge", "counter", "summary", "fahrenheit"),
        *("Camel", "seconds", "created"),
    ]
    names = {
        family_name("".join(parts), unit).text
        for parts in product(words, ".", words, "_", words)
        for unit in ("", "hour")
    }
    lines = [f"# HELP {name} x\n# TYPE {name} gauge\n{name} 1\n" for name in sorted(names)]

    assert complaints(promtool, "".join(lines).encode()) == []


def test_promtool_can_find_something_wrong(promtool: Path) -> None:
    wrong = b"# HELP a_total x\n# TYPE a_total gauge\na_total 1\n"

    assert complaints(promtool, wrong) == [
        'a_total non-counter metrics should not have "_total" suffix'
    ]

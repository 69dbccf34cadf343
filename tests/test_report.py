"""An outcome as a table for people and as JSON for machines."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from runmetrics.errors import ExitCode
from runmetrics.model import Collection, Cost, Delivery, Drop, Missing, Problem, RunRef, Sample
from runmetrics.pipeline import Outcome
from runmetrics.report import as_json, delivered, log_problems, print_table
from runmetrics.text import show_value

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FREE = Cost()
TAGS = {"wandb_entity": "e", "wandb_project": "p", "collector": "wandb"}
OTHER = {**TAGS, "wandb_project": "q"}
ACTIVE = Sample("wandb.runs.active", 3.0, NOON, unit="run", tags=TAGS, runs=3)
BEST = Sample(
    "wandb.metrics.best_accuracy",
    0.98765,
    NOON,
    tags=TAGS,
    runs=1,
    run=RunRef("r1", "brave-sun-1", "https://wandb.ai/e/p/runs/r1"),
    note="2 of 3 runs have no 'accuracy'",
)
LOSS = Missing("wandb.metrics.latest_loss", "no run has a number under 'loss'", tags=TAGS)
HOURS = Problem(
    ("wandb.training.total_gpu_hours_7d",), "W&B is away", "wait", ExitCode.TEMPORARY, TAGS
)


def outcome(
    *samples: Sample,
    missing: tuple[Missing, ...] = (),
    problems: tuple[Problem, ...] = (),
    deliveries: tuple[Delivery, ...] = (),
    cost: Cost = FREE,
    **rest: Any,
) -> Outcome:
    collection = Collection(samples, missing, problems, (), cost)
    return Outcome("wandb", NOON, collection, deliveries, not deliveries, 1.26, **rest)


def table(shown: Outcome, width: int = 160) -> list[str]:
    """The lines of the table without their padding, blank ones left out."""
    out = io.StringIO()
    print_table(shown, Console(file=out, width=width, color_system=None, force_terminal=False))
    return [line.strip() for line in out.getvalue().splitlines() if line.strip()]


def rows(shown: Outcome) -> list[list[str]]:
    """The cells of the rows, by the columns of the heading."""
    lines = [line.rstrip() for line in _raw(shown) if line.strip()]
    at = next(index for index, line in enumerate(lines) if line.split()[:2] == ["metric", "value"])
    return [[part.strip() for part in line.split("  ") if part.strip()] for line in lines[at + 2 :]]


def _raw(shown: Outcome) -> list[str]:
    out = io.StringIO()
    print_table(shown, Console(file=out, width=200, color_system=None))
    return [line for line in out.getvalue().splitlines() if "dry run" not in line]


# the table


def test_a_table_shows_values_what_is_missing_what_is_unknown_and_what_it_cost() -> None:
    cost = Cost(requests=2, bytes_received=2560, runs_read=40)

    assert table(outcome(ACTIVE, BEST, missing=(LOSS,), problems=(HOURS,), cost=cost)) == [
        "e/p",
        "metric                                value   runs   remarks",
        "─" * 107,
        "wandb.runs.active                    3 runs      3",
        f"wandb.metrics.best_accuracy         0.98765      1   run brave-sun-1 (r1); {BEST.note}",
        f"wandb.metrics.latest_loss           no data          {LOSS.why}",
        "wandb.training.total_gpu_hours_7d   unknown          W&B is away",
        "read 40 runs in 2 requests (2 KiB) and 1.3 s",
        "dry run: nothing was sent; --push delivers",
    ]


def test_of_a_source_without_runs_none_are_said_to_be_read() -> None:
    cost = Cost(requests=2, bytes_received=2560)

    assert table(outcome(ACTIVE, cost=cost))[-2] == "read 2 requests (2 KiB) and 1.3 s"


def test_a_cause_is_said_once_for_all_that_it_makes_unknown() -> None:
    away = (Problem(("a.b", "a.c"), "W&B is away"), Problem(("a.d",), "W&B is away"))

    assert rows(outcome(ACTIVE, problems=away))[1:] == [
        ["a.b", "unknown", "W&B is away"],
        ["a.c", "unknown"],
        ["a.d", "unknown"],
    ]


@pytest.mark.parametrize("width", [1, 12, 20, 25, 30])
def test_numbers_are_whole_in_a_terminal_however_narrow(width: int) -> None:
    hours = Sample("wandb.hours", 12_345_678, NOON, "hour", TAGS, runs=26_000)
    words = " ".join(table(outcome(ACTIVE, hours, missing=(LOSS,)), width=width)).split()

    assert {"12,345,678", "hours", "26,000", "3", "data"} <= {*words}


def test_in_a_narrow_window_the_remarks_stand_under_the_name() -> None:
    shown = table(outcome(ACTIVE, missing=(LOSS,), problems=(HOURS,)), width=60)

    assert shown[1:-1] == [
        "metric                                value   runs",
        "─" * 52,
        "wandb.runs.active                    3 runs      3",
        "wandb.metrics.latest_loss           no data",
        LOSS.why,
        "wandb.training.total_gpu_hours_7d   unknown",
        "W&B is away",
    ]


def test_what_was_delivered_is_said_in_place_of_the_dry_run() -> None:
    push = outcome(ACTIVE, deliveries=(Delivery("datadog", accepted=(ACTIVE,)),))

    assert table(push)[-1] == "datadog accepted 1 of 1 samples"


def test_without_any_metric_there_is_no_table_and_no_word_of_a_dry_run() -> None:
    assert table(outcome(problems=(HOURS,), cost=Cost(requests=1))) == []


def test_groups_are_shown_beside_the_name() -> None:
    grouped = Sample("a.b", 1.0, NOON, tags={**TAGS, "user": "ada", "lr": "0.1"})

    assert rows(outcome(grouped)) == [["a.b user:ada lr:0.1", "1"]]


def test_several_projects_are_told_apart() -> None:
    there = Sample("wandb.runs.active", 1.0, NOON, unit="run", tags=OTHER)

    shown = outcome(ACTIVE, there)

    assert table(shown)[0] == "e/p, e/q"
    assert rows(shown) == [
        ["wandb.runs.active e/p", "3 runs", "3"],
        ["wandb.runs.active e/q", "1 run"],
    ]


def test_a_project_that_failed_whole_is_told_apart_too() -> None:
    away = Problem(("wandb.runs.active",), "W&B is away", tags=OTHER)

    assert rows(outcome(ACTIVE, problems=(away,))) == [
        ["wandb.runs.active e/p", "3 runs", "3"],
        ["wandb.runs.active e/q", "unknown", "W&B is away"],
    ]


def test_a_problem_of_no_project_does_not_make_them_several() -> None:
    assert rows(outcome(ACTIVE, problems=(Problem((), "odd"),))) == [
        ["wandb.runs.active", "3 runs", "3"]
    ]


def test_a_run_without_a_name_of_its_own_is_named_by_its_id() -> None:
    for name in ("", "r1"):
        held = Sample("a.b", 1.0, NOON, tags=TAGS, run=RunRef("r1", name))

        assert rows(outcome(held)) == [["a.b", "1", "run r1"]]


def test_w21_what_a_user_wrote_is_shown_as_it_is_in_one_line_and_steers_nothing() -> None:
    name = "🔥 [red]a[/red] :smile:\n\x1b[31m\t|,'"
    held = Sample("a.b", 1.0, NOON, tags={**TAGS, "group": "[bold]"}, run=RunRef("r1", name))

    assert rows(outcome(held)) == [
        ["a.b group:[bold]", "1", "run 🔥 [red]a[/red] :smile:", "[31m |,' (r1)"]
    ]


def test_w21_a_very_long_name_is_cut_in_the_table() -> None:
    held = Sample("a.b", 1.0, NOON, tags=TAGS, run=RunRef("r1", "x" * 5000))

    assert rows(outcome(held)) == [["a.b", "1", f"run {'x' * 57}... (r1)"]]


def test_a_project_in_brackets_is_no_markup() -> None:
    odd = Sample("a.b", 1.0, NOON, tags={**TAGS, "wandb_project": "[red]"})

    assert table(outcome(odd))[0] == "e/[red]"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "run", "0 runs"),
        (1.0, "run", "1 run"),
        (26_000.0, "run", "26,000 runs"),
        (83.456, "percent", "83.46 %"),
        (100.0, "percent", "100 %"),
        (1.5, "hour", "1.5 hours"),
        (0.001234, "hour", "0.001234 hours"),
        (999.96, "hour", "1,000 hours"),
        (1234.56, "hour", "1,234.6 hours"),
        (9999.96, "hour", "10,000.0 hours"),
        (1_234_567.89, "hour", "1,234,567.9 hours"),
        (0.98765432, "", "0.987654"),
        (12345.678, "", "12,345.7"),
        (123456.78, "", "123,456.8"),
        (1e-9, "", "1e-09"),
        (-2.5, "", "-2.5"),
        (1e15, "", "1e+15"),
        (1.5e300, "", "1.5e+300"),
        (-0.0, "", "0"),
    ],
)
def test_a_value_is_shown_as_a_person_reads_it(value: float, unit: str, text: str) -> None:
    assert show_value(value, unit) == text


# lines


def test_what_a_sink_took_is_one_line() -> None:
    assert delivered(Delivery("datadog", (ACTIVE, BEST), requests=1, bytes_sent=512)) == (
        "datadog accepted 2 of 2 samples (1 request, 512 bytes)"
    )
    lost = (Drop(ACTIVE, "too_old"), Drop(BEST, "bad_name"), Drop(BEST, "bad_name"))
    assert delivered(Delivery("datadog", (), lost, (ACTIVE,), requests=2, bytes_sent=9)) == (
        "datadog accepted 0 of 4 samples (2 requests, 9 bytes); 3 dropped: bad_name, too_old"
    )


def test_a_problem_is_one_log_line_that_names_its_metrics_in_fields(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_problems(Collection(problems=(HOURS,)))

    (line,) = caplog.records
    assert (line.levelname, line.message) == ("ERROR", "W&B is away: wait")
    fields = {name: vars(line)[name] for name in ("metrics", "project", "cause", "fix")}
    assert fields == {
        "metrics": ["wandb.training.total_gpu_hours_7d"],
        "project": "e/p",
        "cause": "W&B is away",
        "fix": "wait",
    }
    assert vars(line)["exit_code"] == 75


def test_of_several_projects_each_log_line_names_its_own(caplog: pytest.LogCaptureFixture) -> None:
    log_problems(
        Collection(problems=(HOURS, Problem((), "W&B is away", tags=OTHER), Problem((), "odd")))
    )
    log_problems(Collection((Sample("a.b", 1.0, NOON, tags=OTHER),), problems=(HOURS,)))

    assert [line.message for line in caplog.records] == [
        "e/p: W&B is away: wait",
        "e/q: W&B is away",
        "odd",
        "e/p: W&B is away: wait",
    ]


# JSON


def test_the_json_holds_everything() -> None:
    drop = Drop(BEST, "too_old")
    delivery = Delivery(
        *("datadog", (ACTIVE,), (drop,), (BEST,)),
        error="no luck",
        code=ExitCode.TEMPORARY,
        requests=2,
        bytes_sent=512,
        notices=("slow",),
    )
    collection = Collection((ACTIVE, BEST), (LOSS,), (HOURS,), ("odd",), Cost(2, 300, 4000, 5))

    found = json.loads(as_json(Outcome("wandb", NOON, collection, (delivery,), False, 1.23456)))

    assert found == {
        "schema": 1,
        "collector": "wandb",
        "time": "2026-03-01T12:00:00+00:00",
        "dry_run": False,
        "exit_code": 76,
        "seconds": 1.235,
        "samples": [
            {
                "name": "wandb.runs.active",
                "value": 3.0,
                "unit": "run",
                "tags": TAGS,
                "time": "2026-03-01T12:00:00+00:00",
                "runs": 3,
                "run": None,
                "note": "",
            },
            {
                "name": "wandb.metrics.best_accuracy",
                "value": 0.98765,
                "unit": "",
                "tags": TAGS,
                "time": "2026-03-01T12:00:00+00:00",
                "runs": 1,
                "run": {
                    "id": "r1",
                    "display_name": "brave-sun-1",
                    "url": "https://wandb.ai/e/p/runs/r1",
                },
                "note": "2 of 3 runs have no 'accuracy'",
            },
        ],
        "missing": [
            {
                "name": "wandb.metrics.latest_loss",
                "unit": "",
                "tags": TAGS,
                "why": "no run has a number under 'loss'",
            }
        ],
        "problems": [
            {
                "metrics": ["wandb.training.total_gpu_hours_7d"],
                "cause": "W&B is away",
                "fix": "wait",
                "exit_code": 75,
                "tags": TAGS,
            }
        ],
        "notices": ["odd"],
        "datadog_tags": [],
        "about_itself": [],
        "deliveries": [
            {
                "sink": "datadog",
                "given": 3,
                "accepted": 1,
                "dropped": [{"name": "wandb.metrics.best_accuracy", "reason": "too_old"}],
                "spooled": 0,
                "lost": 1,
                "error": "no luck",
                "exit_code": 75,
                "requests": 2,
                "bytes_sent": 512,
                "notices": ["slow"],
            }
        ],
        "cost": {
            "requests": 2,
            "bytes_received": 300,
            "bytes_decoded": 4000,
            "runs_read": 5,
        },
    }


def test_w21_the_json_is_ascii_and_whole_whatever_a_run_is_called() -> None:
    name = "🔥\n\x1b[31m" + "x" * 5000
    text = as_json(outcome(Sample("a.b", 1.0, NOON, run=RunRef("r1", name))))

    assert text.isascii()
    assert json.loads(text)["samples"][0]["run"]["display_name"] == name


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_never_written(value: float) -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        as_json(outcome(Sample("a.b", value, NOON)))

"""docs/runmetrics.example.yaml loads, says everything, and collects."""

import pytest

from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.metrics.layout import Layout
from runmetrics.sandbox.store import StoredRun
from tests.cli.metrics.case import command
from tests.collectors.wandb.collecting import ago, collect, run, sandbox_of
from tests.docs.pages import EXAMPLE

RUNS: list[StoredRun] = [
    run(
        "night",
        display_name="nightly-1",
        summary={"val/acc": 0.5, "f1": {"max": 0.75}, "perf/tokens_per_second": 100},
        config={"lr": 0.1},
        gpu_count=8,
    ),
    run("day", summary={"val/acc": 0.25, "perf/tokens_per_second": 300}, beat=ago(hours=2)),
    run("short", summary={"val/acc": 1}, compute_seconds=10),
    run("debug", summary={"val/acc": 1, "f1": {"max": 1}}, tags=("debug",)),
    run("failed", "failed", user="ann"),
    run("silent", "running", created_at=ago(days=3), beat=ago(minutes=20)),
    run("fresh", "running", created_at=ago(hours=3), beat=ago(minutes=5)),
    run("old", created_at=ago(days=40), beat=ago(days=39, hours=14), summary={"val/acc": 0.625}),
]


def test_it_names_every_key_of_the_file() -> None:
    text = EXAMPLE.read_text()
    missing = [key for key in Layout.model_fields if f"\n{key}:" not in f"\n{text}"]

    assert missing == ["projects", "timeout_seconds", "builtin"]
    assert "# projects:" in text


def test_it_is_right() -> None:
    ended = command("config", "check", EXAMPLE)

    assert ended.code == 0
    assert ended.errors == [f"{EXAMPLE} replaces the built-in wandb.runs.completed_7d"]


def test_it_collects_what_its_comments_promise() -> None:
    text = EXAMPLE.read_text()
    accuracy_key = parse_config(text, EXAMPLE).settings["accuracy_key"]
    with sandbox_of(*RUNS) as sandbox:
        collection = collect(sandbox, yaml=text, accuracy_key=accuracy_key)

    assert collection.problems == ()
    found = {
        (each.name, *(value for tag, value in each.tags.items() if tag in ("user", "lr"))): (
            each.value
        )
        for each in collection.samples
    }
    assert found["acme.runs.failed_24h", "ann"] == 1
    assert found["acme.throughput.tokens_per_second",] == 200
    assert found["acme.quality.best_f1",] == 0.75
    assert found["acme.nightly.gpu_hours_7d", "0.1"] == 8
    assert found["acme.runs.long_and_silent",] == 1
    assert found["wandb.runs.completed_7d",] == 2
    assert found["wandb.runs.total",] == len(RUNS) - 1
    assert found["wandb.metrics.best_accuracy",] == 1
    assert found["acme.gpu_hours_ever",] == pytest.approx(
        8 + 1 + 10 / 3600 + 1 + (72 - 1 / 3) + (3 - 1 / 12) + 10
    )

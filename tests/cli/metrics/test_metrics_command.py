"""`runmetrics metrics`: what would be collected, in words, without asking anybody."""

from pathlib import Path

import pytest

from tests.cli.metrics.case import command, rows
from tests.collectors.wandb.collecting import TEN

FILE = """
packs: [health]
drop: [wandb.runs.active]
metrics:
- name: mine.tokens
  description: Tokens per second
  mean: summary.tokens/s
  state: running
  window: 24h
  by: [user, config.lr]
"""


def test_the_ten_are_listed_with_definition_unit_and_origin() -> None:
    ended = command("metrics")

    assert (ended.code, ended.err) == (0, "")
    assert [row[0] for row in rows(ended.out, "wandb.")] == list(TEN)
    assert rows(ended.out, "wandb.runs.failed_7d") == [
        [
            "wandb.runs.failed_7d",
            "number of failed or crashed runs whose last sign of life is within 7 days",
            "run",
            "built in",
        ]
    ]


def test_on_a_narrow_terminal_where_a_metric_is_from_stays_whole(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(FILE)

    ended = command("metrics", "--config", file, COLUMNS="80")

    ends = {" ".join(line.split()[-2:]) for line in ended.out.splitlines() if "wandb." in line}
    assert "pack health" in ends
    assert "built in" in ends


def test_a_files_metrics_and_packs_are_listed_and_what_it_drops_is_not(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(FILE)

    ended = command("metrics", "--config", file, "--json")

    listed = {metric["name"]: metric for metric in ended.json["metrics"]}
    assert ended.json["schema"] == 1
    assert "wandb.runs.active" not in listed
    assert listed["wandb.health.silent"]["origin"] == "packs/health.yaml"
    assert listed["mine.tokens"] == {
        "name": "mine.tokens",
        "description": "Tokens per second",
        "definition": "mean of summary.tokens/s over running runs whose last sign of life is "
        "within 24 hours, by user and config.lr",
        "unit": "",
        "tags": ["wandb_entity", "wandb_project", "collector", "user", "lr"],
        "origin": str(file),
        "builtin": False,
    }


def test_the_text_of_a_file_cannot_steer_the_terminal_or_be_taken_for_markup(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text('metrics: [{name: m.x, max: "summary.[bold]\\e[2J", window: 1d}]')

    ended = command("metrics", "--config", file)

    assert "greatest summary.[bold] [2J of runs" in ended.out
    assert "\x1b" not in ended.out


def test_a_wrong_file_is_refused_with_every_fault(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("metrics: [{name: m.x, count: runs, wndow: 7d, state: 3}]")

    ended = command("metrics", "--config", file)

    assert ended.code == 78
    assert ended.out == ""
    assert len(ended.errors) == 3
    assert ended.errors[-1] == f"{file} has 2 faults: fix what is listed"


@pytest.mark.parametrize("there", [True, False])
def test_a_wrong_file_and_wrong_settings_are_both_named_to_the_last_line(
    tmp_path: Path, *, there: bool
) -> None:
    file = tmp_path / "wrong.yaml"
    if there:
        file.write_text("packs: [helth]")

    ended = command("metrics", "--config", file, DD_SITE="nowhere", WANDB_ENTITY="a/b")

    absent = f"{file}: there is no such file"
    said = [error.partition(": ")[0] for error in ended.errors]
    assert ended.code == 78
    assert said[:-1] == [f"{file}:1" if there else str(file), "WANDB_ENTITY", "DD_SITE"]
    assert ended.errors[-1] == (
        f"{f'{file} has a fault' if there else absent}, and 2 settings are wrong: "
        "fix what is listed"
    )
    assert there or ended.errors[0] == f"{absent}: fix the path after --config"

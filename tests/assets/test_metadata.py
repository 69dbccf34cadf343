"""metadata.csv: by Datadog's rules for it, and about just what is sent."""

import csv
import io
import re
from pathlib import Path

import pytest

from runmetrics.assets.metadata import (
    COLUMNS,
    LESS_IS_BETTER,
    MORE_IS_BETTER,
    Described,
    as_csv,
    describe,
)
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.config.file_settings import FileSettings
from runmetrics.units import UNITS
from tests.assets.emitted import Emitted

FOLDER = Path(__file__).parents[2] / "devops/datadog"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


ROWS = rows((FOLDER / "metadata.csv").read_text())


def normalised(name: str) -> str:
    """As `ddev validate metadata` does it."""
    name = re.sub(r"([^a-zA-Z0-9_.]+)|(^[^a-zA-Z]+)", "_", name)
    return re.sub(r"_*\._*", ".", name).strip("_")


def faults(found: list[dict[str, str]]) -> list[str]:
    """What Datadog's validator of metadata.csv would find wrong."""
    wrong = []
    names = [row["metric_name"] for row in found]
    for row in found:
        name, description = row["metric_name"], row["description"]
        checks = {
            "columns": tuple(row) == COLUMNS,
            "duplicate": names.count(name) == 1,
            "name": name == normalised(name),
            "prefix": name.startswith(("wandb.", "runmetrics.")),
            "type": row["metric_type"] in ("count", "gauge", "rate"),
            "unit": not row["unit_name"] or row["unit_name"] in UNITS,
            "per unit": not row["per_unit_name"],
            "orientation": row["orientation"] in ("-1", "0", "1"),
            "integration": row["integration"] == "runmetrics",
            "interval": not row["interval"] or row["interval"].isdigit(),
            "description": 0 < len(description) <= 400
            and description.isascii()
            and "|" not in description,
        }
        wrong += [f"{name}: {check}" for check, right in checks.items() if not right]
    return wrong


def test_the_file_keeps_the_rules_of_datadogs_validator() -> None:
    assert faults(ROWS) == []


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("metric_name", "wandb._runs", "name"),
        ("metric_name", "runs.active", "prefix"),
        ("metric_type", "histogram", "type"),
        ("unit_name", "runs", "unit"),
        ("orientation", "up", "orientation"),
        ("interval", "30m", "interval"),
        ("description", "a | b", "description"),
        ("description", "d" * 401, "description"),
    ],
)
def test_a_row_that_breaks_a_rule_is_found(column: str, value: str, fault: str) -> None:
    broken = {**ROWS[0], column: value}
    assert faults([broken]) == [f"{broken['metric_name']}: {fault}"]


def test_it_is_about_everything_that_is_sent_in_the_units_it_is_sent_in(sent: Emitted) -> None:
    assert {row["metric_name"]: row["unit_name"] for row in ROWS} == sent.units


def test_every_opinion_is_about_a_metric_that_there_is() -> None:
    opinions = [*MORE_IS_BETTER, *LESS_IS_BETTER]

    assert len(set(opinions)) == len(opinions)
    assert set(opinions) <= {row["metric_name"] for row in ROWS}


def test_a_metric_of_the_users_own_is_described_too() -> None:
    file = parse_config(
        """
        builtin: false
        metrics:
          - {name: mine.loss, description: My loss, min: summary.loss}
          - {name: mine.runs, unit: run, count: runs, state: failed}
        """,
        Path("runmetrics.yaml"),
    )

    described = {one.name: one for one in describe(file, FileSettings(accuracy_key="acc"))}

    assert described["mine.loss"] == Described("mine.loss", "", "My loss")
    assert described["mine.runs"] == Described("mine.runs", "run", "number of failed runs")
    assert "wandb.gpu.idle" in described


def test_one_row_word_for_word() -> None:
    text = as_csv([Described("wandb.runs.failed_7d", "run", "Runs, failed")])
    assert text.splitlines()[1] == (
        'wandb.runs.failed_7d,gauge,,run,,"Runs, failed",-1,runmetrics,runs failed 7d,'
    )

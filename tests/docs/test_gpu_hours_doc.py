"""docs/GPU_HOURS.md: the worked example is what the code makes of those runs."""

from datetime import UTC, datetime, timedelta

import pytest

from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.measures import Rules, price
from runmetrics.collectors.wandb.runs import Run
from tests.docs.pages import page

PAGE = page("GPU_HOURS.md")
NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=7)
RULES = Rules(NOW, prices={"H100": 2.5, "A100": 1.8, "default": 2.0})


def rows() -> list[dict[str, str]]:
    (start,) = [at for at, line in enumerate(PAGE.splitlines()) if line.startswith("| run |")]
    lines = [line for line in PAGE.splitlines()[start:] if line.startswith("|")]
    header, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(header, cells, strict=True)) for cells in body if len(cells) == len(header)]


ROWS = rows()


def time(text: str) -> datetime | None:
    """Return a time of the table."""
    return datetime.strptime(f"2026-{text} +0000", "%Y-%m-%d %H:%M %z") if text else None


def run_of(row: dict[str, str]) -> Run:
    def number(column: str, times: float = 1) -> float | None:
        return float(row[column]) * times if row[column] else None

    gpus = number("GPUs")
    return Run(
        row["run"],
        state=row["state"],
        created_at=time(row["created"]),
        heartbeat_at=time(row["last heartbeat"]),
        compute_seconds=number("computed hours", 3600),
        logged_at=time(row["last log"]),
        logged_seconds=number("own hours at the last log", 3600),
        log_count=number("logs"),
        gpu_count=int(gpus) if gpus else None,
        gpu_type=row["GPU"],
    )


def measured(name: str, row: dict[str, str]) -> float:
    found = RUN_FIELDS[name].measure(run_of(row), RULES, SINCE)
    assert found is not None
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["run"]))
def test_each_run_of_the_example_has_the_hours_that_are_told(row: dict[str, str]) -> None:
    columns = {
        "hours": "gpu_hours",
        "active": "active_gpu_hours",
        "stalled": "stalled_gpu_hours",
        "unlogged": "unlogged_gpu_hours",
    }

    assert {column: measured(name, row) for column, name in columns.items()} == {
        column: pytest.approx(float(row[column])) for column in columns
    }
    dollars = price(run_of(row), RULES)
    if row["dollars"]:
        assert dollars is not None
        assert measured("gpu_hours", row) * dollars == pytest.approx(float(row["dollars"]))
    else:
        assert dollars is None


def test_the_sums_of_the_example_are_those_that_are_told() -> None:
    text = " ".join(PAGE.split())

    def total(column: str) -> float:
        return sum(float(row[column] or 0) for row in ROWS)

    hours, stalled = total("hours"), total("stalled")
    assert (
        f"So {hours:g} GPU hours: {total('active'):g} active, {stalled:g} stalled "
        f"({stalled / hours:.0%} percent), {total('unlogged'):g} unlogged and assumed."
    ).replace("% percent", " percent") in text
    assert f"They cost {total('dollars'):.2f} dollars" in text
    assert f"and the stalled ones {stalled * 2.5:g}." in text
    assert sum(measured("assumed_gpu_hours", row) for row in ROWS) == 12

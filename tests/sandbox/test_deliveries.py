"""`runmetrics sandbox` shows on a terminal what its Datadog received."""

import json
import os
import pty
import re
import subprocess
import sys
from datetime import datetime
from typing import Any

from runmetrics.sandbox.http import Request, Response
from runmetrics.sandbox.serve import told

NOW = datetime(2026, 3, 1, 12, 0, 3)  # noqa: DTZ001 - a person's clock


def series(name: str, value: float, *tags: str, unit: str = "") -> dict[str, Any]:
    return {
        "metric": name,
        "type": 3,
        "unit": unit,
        "points": [{"timestamp": 1, "value": value}],
        "tags": ["env:dev", *tags],
    }


def post(*sent: dict[str, Any]) -> Request:
    body = json.dumps({"series": sent}).encode()
    return Request("POST", "/api/v2/series", {}, body, 1180)


def test_a_push_is_its_size_and_each_series_with_the_tags_that_not_all_have() -> None:
    request = post(
        series("wandb.runs.active", 9, "wandb_project:p", unit="run"),
        series("gpu_hours", 12.5, "wandb_project:p", "user:ann", unit="hour"),
    )

    assert told(request, Response(202, b'{"errors": []}'), NOW).splitlines() == [
        "12:00:03  202  POST /api/v2/series: 2 series, 1,180 bytes",
        "          all are tagged env:dev, wandb_project:p",
        "          wandb.runs.active  9 runs",
        "          gpu_hours          12.5 hours  user:ann",
    ]


def test_a_push_of_many_series_is_cut() -> None:
    request = post(*(series(f"a.x{number}", 1) for number in range(32)))

    lines = told(request, Response(202), NOW).splitlines()

    assert len(lines) == 2 + 30 + 1
    assert lines[-1] == "          and 2 more"


def test_a_refusal_says_why() -> None:
    response = Response(403, b'{"errors": ["Forbidden"]}')

    assert told(post(), response, NOW) == (
        '12:00:03  403  POST /api/v2/series: {"errors": ["Forbidden"]}'
    )


def test_what_is_no_series_is_a_line() -> None:
    request = Request("GET", "/api/v1/validate?x=1", {}, b"", 0)

    assert told(request, Response(200), NOW) == "12:00:03  200  GET /api/v1/validate"


def test_a_real_push_is_seen_to_arrive_on_the_terminal() -> None:
    """As a person does it: the printed variables in another terminal, then the printed command."""
    ours, theirs = pty.openpty()
    sandbox = subprocess.Popen(
        [sys.executable, "-m", "runmetrics", "sandbox", "--runs", "40", "--in-window", "20"],
        stdout=theirs,
        env={**os.environ, "COLUMNS": "200"},
    )
    os.close(theirs)
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        while text not in shown:
            shown += os.read(ours, 65_536).decode()

    try:
        until("collect wandb --push")
        variables = dict(re.findall(r"^export (\w+)=(\S+)\r$", shown, re.MULTILINE))
        pushed = subprocess.run(
            [sys.executable, "-m", "runmetrics", "collect", "wandb", "--push"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        until("wandb.training.total_gpu_hours_7d")
    finally:
        sandbox.terminate()
        sandbox.wait(20)
        os.close(ours)

    assert pushed.returncode == 0, pushed.stderr
    assert re.search(r"202  POST /api/v2/series: \d+ series, [\d,]+ bytes", shown)
    assert re.search(r"wandb\.runs\.total +40 runs", shown)
    assert "wandb_project:metta" in shown

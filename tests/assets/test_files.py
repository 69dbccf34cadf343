"""The files themselves: what the official client makes of them, and what people read in them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.v1.model.dashboard import Dashboard
from datadog_api_client.v1.model.monitor import Monitor
from datadog_api_client.v1.model.service_level_objective_request import ServiceLevelObjectiveRequest
from hatchling.builders.wheel import WheelBuilder

from runmetrics import assets
from runmetrics.assets import Asset, Kind, find
from runmetrics.errors import ConfigurationError
from runmetrics.self_metrics import REMARKS
from tests.assets import queries
from tests.assets.conftest import compiled

DASHBOARDS, SLOS, GRAFANA = (find(kind) for kind in (Kind.DASHBOARD, Kind.SLO, Kind.GRAFANA))
MONITORS = compiled("monitors: {gpu_hours_over_budget: {threshold: 1000}}").wanted
MODELS: dict[Kind, type[Any]] = {
    Kind.DASHBOARD: Dashboard,
    Kind.MONITOR: Monitor,
    Kind.SLO: ServiceLevelObjectiveRequest,
}
REPOSITORY = Path(__file__).parents[2]
OPERATIONS = REPOSITORY / "docs/OPERATIONS.md"
each_monitor = pytest.mark.parametrize("monitor", MONITORS, ids=lambda asset: asset.path.stem)


def compiled_by_name() -> dict[str, dict[str, Any]]:
    return {asset.path.stem: asset.document for asset in MONITORS}


def as_model(document: dict[str, Any], kind: type[Any]) -> Any:
    return ApiClient(Configuration()).deserialize(json.dumps(document), (kind,), True)


@pytest.mark.parametrize(
    "asset", [*DASHBOARDS, *MONITORS, *SLOS], ids=lambda asset: asset.path.name
)
def test_the_official_client_knows_everything_in_it(asset: Asset) -> None:
    made = as_model(asset.document, MODELS[asset.kind])

    assert not made._unparsed
    assert made.to_dict() == asset.document


def test_the_official_client_tells_what_it_does_not_know() -> None:
    (board,) = DASHBOARDS
    text = board.text.replace('"type": "toplist"', '"type": "top_list"')
    assert as_model(json.loads(text), Dashboard)._unparsed


def test_the_groups_are_the_questions_that_people_ask() -> None:
    (board,) = DASHBOARDS
    groups = [widget["definition"]["title"] for widget in board.document["widgets"]]
    rows = [panel["title"] for panel in GRAFANA[0].document["panels"] if panel["type"] == "row"]

    assert groups == [
        *("What is running", "Outcome of the week", "Model quality", "GPUs"),
        *("Where the GPU hours went", "The collector itself"),
    ]
    assert rows == groups


def placed(widgets: list[dict[str, Any]], width: int) -> None:
    """Fail where two widgets overlap or one is outside."""
    taken: set[tuple[int, int]] = set()
    for widget in widgets:
        at = widget["layout"]
        cells = {
            (at["x"] + column, at["y"] + row)
            for column in range(at["width"])
            for row in range(at["height"])
        }
        assert at["x"] + at["width"] <= width
        assert not cells & taken
        taken |= cells


def test_no_widget_covers_another() -> None:
    (board,) = DASHBOARDS
    placed(board.document["widgets"], 12)
    for group in board.document["widgets"]:
        inside = group["definition"]["widgets"]
        placed(inside, 12)
        lowest = max(each["layout"]["y"] + each["layout"]["height"] for each in inside)
        assert group["layout"]["height"] == lowest + 1


def test_no_panel_of_grafana_covers_another() -> None:
    places = [panel["gridPos"] for panel in GRAFANA[0].document["panels"]]
    placed(
        [
            {"layout": {"x": at["x"], "y": at["y"], "width": at["w"], "height": at["h"]}}
            for at in places
        ],
        24,
    )


def test_no_price_stands_in_a_dashboard() -> None:
    (board,), (grafana,) = DASHBOARDS, GRAFANA
    formulas = [
        formula["formula"]
        for widget in queries.widgets(board.document)
        for request in widget.get("requests", [])
        for formula in request["formulas"]
    ]

    assert {number for text in formulas for number in re.findall(r"\b\d[\d.]*", text)} == {"100"}
    expressions = " ".join(queries.expressions(grafana.document))
    assert "* " not in expressions
    assert "price" not in expressions


def test_shares_are_ratios_of_sums() -> None:
    (board,), (grafana,) = DASHBOARDS, GRAFANA
    shares = [
        request
        for widget in queries.widgets(board.document)
        if "share" in widget.get("title", "").lower()
        for request in widget["requests"]
    ]
    ratios = [text for text in queries.expressions(grafana.document) if " / " in text]

    assert len(shares) == 6
    assert all(query["query"].startswith("sum:") for each in shares for query in each["queries"])
    assert len(ratios) == 6
    assert not [text for text in ratios if re.search(r"\b(avg|max|min)\b", text)]


@each_monitor
def test_a_message_says_what_it_means_what_to_look_at_and_what_to_do(monitor: Asset) -> None:
    message = monitor.document["message"]
    headings = re.findall(r"^## (.+)$", message, re.MULTILINE)
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", message, re.MULTILINE)]
    _, first, todo = re.split(r"^## .+\n", message, flags=re.MULTILINE)[1:]

    assert headings == ["What it means", "Look at first", "What to do"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(re.findall(r"^\d", first, re.MULTILINE)) >= 2
    assert len(re.findall(r"^\d", todo, re.MULTILINE)) >= 3
    assert re.search(r"\[[^]]+\]\(https://[^)\s]+\)", message)


@each_monitor
def test_a_message_names_other_monitors_and_rows_as_they_are_called(monitor: Asset) -> None:
    text = " ".join(monitor.document["message"].split())
    titles = [asset.title.removeprefix("[runmetrics] ") for asset in MONITORS]
    (board,) = DASHBOARDS
    groups = [widget["definition"]["title"] for widget in board.document["widgets"]]
    widgets = [widget.get("title") for widget in queries.widgets(board.document)]

    for name in re.findall(r"monitor \*([^*]+)\*", text):
        assert any(title.startswith(name) for title in titles)
    for name in re.findall(r"row \*([^*]+)\*", text):
        assert name in groups
    for name in re.findall(r"\*([^*]+)\* in the row", text):
        assert name in widgets


def test_every_kind_of_remark_is_explained() -> None:
    message = compiled_by_name()["collector_remarks"]["message"]
    assert [kind for kind in REMARKS if f"`{kind}`" not in message] == []


@each_monitor
def test_variables_in_a_message_are_groups_of_the_query(monitor: Asset) -> None:
    words = set(re.findall(r"\{\{(\w+)\.name\}\}", json.dumps(monitor.document)))
    asked = queries.datadog_monitor(monitor.document["query"])

    for each in asked:
        assert words <= each.tags


@each_monitor
def test_a_monitor_is_marked_by_its_file_and_is_in_the_documentation(monitor: Asset) -> None:
    name = monitor.path.stem

    assert monitor.document["tags"] == ["integration:runmetrics", f"monitor:{name}"]
    assert f"| `{name}` |" in OPERATIONS.read_text()


def test_of_silence_itself_somebody_is_told_and_elsewhere_it_is_only_shown() -> None:
    options = {asset.path.stem: asset.document["options"] for asset in MONITORS}
    missing = {name: option["on_missing_data"] for name, option in options.items()}

    assert missing.pop("collector_no_data") == "show_and_notify_no_data"
    assert set(missing.values()) == {"show_no_data"}


def test_a_wheel_has_every_file_where_it_is_found_once_installed(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(REPOSITORY)).build(directory=str(tmp_path), versions=["standard"])
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = """
from runmetrics.assets import *
from runmetrics.assets.alerts import shipped
print(home(), *map(len, map(find, (Kind.DASHBOARD, Kind.SLO, Kind.GRAFANA))), len(shipped()))
"""

    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    installed = tmp_path / "runmetrics/assets/devops"
    assert (ran.stdout, ran.stderr) == (f"{installed} 1 1 1 {len(MONITORS)}\n", "")


def test_what_was_exported_is_found_again(tmp_path: Path) -> None:
    written = assets.export(MONITORS, tmp_path)

    assert [path.name for path in written] == [asset.path.name for asset in MONITORS]
    assert find(Kind.MONITOR, tmp_path) == list(MONITORS)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", ("is not JSON (Expecting property name enclosed in double quotes: line 1 column 2"
         " (char 1)): export it again")),
        ("[]", "is not a JSON object: export it again"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_of_ours_is_named(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "grafana/mine.json"
    path.parent.mkdir()
    path.write_text(text)

    with pytest.raises(ConfigurationError) as caught:
        find(Kind.GRAFANA, tmp_path)
    assert str(caught.value) == f"{path} {fault}"


def test_a_directory_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find(Kind.MONITOR, tmp_path)
    assert str(caught.value) == (
        f"there is no file {tmp_path}/datadog/monitors/*.json: "
        "export the shipped ones to that directory"
    )

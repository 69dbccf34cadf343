"""The sandbox's Datadog asks for both keys, checks what is put, and keeps it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runmetrics.sandbox.intake import DatadogIntake

QUERY_OF_ALL = {"name": "a", "data_source": "metrics", "query": "max:a.b{*}"}
QUERY = {"name": "a", "data_source": "metrics", "query": "sum:a.b{$env}"}


@pytest.fixture
def intake() -> Iterator[DatadogIntake]:
    with DatadogIntake(keys=["api"], app_keys=["app"], clock=lambda: 0.0) as running:
        yield running


def ask(
    intake: DatadogIntake, method: str, path: str, body: Any = None, *, app_key: str = "app"
) -> httpx.Response:
    return httpx.request(
        method,
        f"{intake.url}/api/v1/{path}",
        json=body,
        headers={"DD-API-KEY": "api", "DD-APPLICATION-KEY": app_key},
    )


def board(formula: str = "a", **changes: Any) -> dict[str, Any]:
    request = {"queries": [QUERY], "formulas": [{"formula": formula}]}
    widget = {
        "definition": {"type": changes.pop("type", "timeseries"), "requests": [request]},
        "layout": {"x": 0, "y": 0, "width": 1, "height": 1},
    }
    return {
        "title": "T",
        "layout_type": "ordered",
        "reflow_type": "fixed",
        "template_variables": [{"name": "env"}],
        "widgets": [widget],
        **changes,
    }


def monitor(**changes: Any) -> dict[str, Any]:
    return {
        "name": "M",
        "type": "query alert",
        "query": "max(last_1h):max:a.b{*} > 1.5",
        "options": {"thresholds": {"critical": 1.5}},
        **changes,
    }


@pytest.mark.parametrize("path", ["dashboard", "monitor", "slo", "metrics/a.b"])
def test_a_wrong_application_key_is_forbidden(intake: DatadogIntake, path: str) -> None:
    answer = ask(intake, "GET", path, app_key="wrong")
    assert (answer.status_code, answer.json()) == (403, {"errors": ["Forbidden"]})


def test_a_dashboard_is_kept_and_replaced(intake: DatadogIntake) -> None:
    key = ask(intake, "POST", "dashboard", board()).json()["id"]
    ask(intake, "PUT", f"dashboard/{key}", board(title="Other"))

    assert ask(intake, "GET", f"dashboard/{key}").json()["title"] == "Other"
    (summary,) = ask(intake, "GET", "dashboard").json()["dashboards"]
    assert (summary["id"], summary["title"]) == (key, "Other")
    assert intake.assets.dashboards[key]["widgets"] == board()["widgets"]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (board(title=""), "title is missing"),
        (board(owner="me"), "unknown field owner"),
        (board(layout_type="heap"), "layout_type is neither ordered nor free"),
        (board(widgets=None), "widgets are missing"),
        (board(type="pie"), "pie: 'pie' is no type of widget known here"),
        (board("a / b"), "timeseries: formula: no query is called 'b'"),
        (board(template_variables=[]), "timeseries: no template variable is called $env"),
        (
            board(widgets=[{"definition": {"type": "note"}}]),
            "note: layout is missing",
        ),
    ],
)
def test_a_dashboard_of_the_wrong_shape_is_refused(
    intake: DatadogIntake, body: dict[str, Any], fault: str
) -> None:
    answer = ask(intake, "POST", "dashboard", body)

    assert (answer.status_code, answer.json()) == (400, {"errors": [fault]})
    assert intake.assets.dashboards == {}


def test_monitors_are_found_by_their_tags_page_by_page(intake: DatadogIntake) -> None:
    for name in ("a", "b", "c"):
        ask(intake, "POST", "monitor", monitor(name=name, tags=["x:y", f"is:{name}"]))
    ask(intake, "POST", "monitor", monitor(name="other"))

    def names(query: str) -> list[str]:
        return [one["name"] for one in ask(intake, "GET", f"monitor?{query}").json()]

    assert names("monitor_tags=x:y&page=0&page_size=2") == ["a", "b"]
    assert names("monitor_tags=x:y&page=1&page_size=2") == ["c"]
    assert names("monitor_tags=x:y,is:b") == ["b"]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (monitor(name=""), "name is missing"),
        (monitor(id=7), "unknown field id"),
        (monitor(query="max:a.b{*}"), "The query ends with no comparison"),
        (
            monitor(options={"thresholds": {"critical": 2}}),
            "Alert threshold does not match that used in the query",
        ),
        (
            monitor(options={"thresholds": {"critical": 1.5}, "notify_no_data": True}),
            "no_data_timeframe is missing",
        ),
        (
            monitor(
                options={
                    "thresholds": {"critical": 1.5},
                    "on_missing_data": "resolve",
                    "notify_no_data": False,
                }
            ),
            "on_missing_data cannot be used with notify_no_data",
        ),
        (
            monitor(options={"thresholds": {"critical": 1.5}, "on_missing_data": "hush"}),
            "a value is not one of those that are allowed",
        ),
    ],
)
def test_a_monitor_of_the_wrong_shape_is_refused(
    intake: DatadogIntake, body: dict[str, Any], fault: str
) -> None:
    answer = ask(intake, "POST", "monitor", body)
    assert (answer.status_code, answer.json()) == (400, {"errors": [fault]})


def test_a_monitor_is_deleted(intake: DatadogIntake) -> None:
    key = ask(intake, "POST", "monitor", monitor()).json()["id"]

    assert ask(intake, "DELETE", f"monitor/{key}").json() == {"deleted_monitor_id": key}
    assert ask(intake, "DELETE", f"monitor/{key}").status_code == 404


def slo(**changes: Any) -> dict[str, Any]:
    sliced = {
        "query": {"formulas": [{"formula": "default_zero(a)"}], "queries": [QUERY_OF_ALL]},
        "comparator": ">",
        "threshold": 0,
    }
    return {
        "name": "S",
        "type": "time_slice",
        "sli_specification": {"time_slice": sliced},
        "thresholds": [{"timeframe": "7d", "target": 99}],
        "tags": ["slo:s"],
        **changes,
    }


def test_an_slo_is_kept_found_by_one_tag_and_replaced(intake: DatadogIntake) -> None:
    (kept,) = ask(intake, "POST", "slo", slo()).json()["data"]
    ask(intake, "PUT", f"slo/{kept['id']}", slo(name="Other"))

    def names(query: str) -> list[str]:
        return [one["name"] for one in ask(intake, "GET", f"slo?{query}").json()["data"]]

    assert names("tags_query=slo:s") == ["Other"]
    assert names("tags_query=slo:t") == []
    assert ask(intake, "GET", f"slo/{kept['id']}").json()["data"]["name"] == "Other"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (slo(owner="me"), "unknown field owner"),
        (slo(type="weekly"), "a value is not one of those that are allowed"),
        (
            slo(sli_specification={"time_slice": {"query": {"formulas": [{"formula": "b"}]}}}),
            "formula: no query is called 'b'",
        ),
    ],
)
def test_an_slo_of_the_wrong_shape_is_refused(
    intake: DatadogIntake, body: dict[str, Any], fault: str
) -> None:
    answer = ask(intake, "POST", "slo", body)

    assert answer.status_code == 400
    assert fault in answer.json()["errors"]


def test_metadata_is_kept_for_a_metric_that_arrived_alone(intake: DatadogIntake) -> None:
    series = {"metric": "a.b", "points": [{"timestamp": 0, "value": 1}]}
    assert ask(intake, "GET", "metrics/a.b").status_code == 404
    httpx.post(
        f"{intake.url}/api/v2/series", json={"series": [series]}, headers={"DD-API-KEY": "api"}
    )

    ask(intake, "PUT", "metrics/a.b", {"type": "gauge", "unit": "run"})

    assert ask(intake, "GET", "metrics/a.b").json() == {"type": "gauge", "unit": "run"}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"type": "gauge", "unit": "runs"}, "'runs' is no unit"),
        ({"type": "mean"}, "'mean' is no type of metric"),
        ({"type": "gauge", "colour": "red"}, "unknown field colour"),
    ],
)
def test_metadata_of_the_wrong_shape_is_refused(
    intake: DatadogIntake, body: dict[str, Any], fault: str
) -> None:
    intake.assets.has_metric = lambda _name: True

    answer = ask(intake, "PUT", "metrics/a.b", body)

    assert (answer.status_code, answer.json()) == (400, {"errors": [fault]})


@pytest.mark.parametrize("path", ["dashboard/none", "monitor/7", "slo/none"])
def test_what_is_not_there_is_not_found(intake: DatadogIntake, path: str) -> None:
    assert ask(intake, "GET", path).status_code == 404

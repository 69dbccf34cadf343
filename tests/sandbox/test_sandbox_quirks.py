"""The W&B server: each quirk by itself, and what it does to an answer."""

import json
import math
from typing import Any

import pytest

from runmetrics.sandbox.quirks import ALWAYS, Quirks
from runmetrics.sandbox.store import StoredRun
from tests.sandbox.sandbox_case import PAGE, ask, holding, hours, names, page, post

QUERY_OF_SUMMARY = """{ project(name: "p", entityName: "e") { runs {
  edges { node { name summaryMetrics } } } } }"""


def scored(**summaries: Any) -> list[StoredRun]:
    return [
        StoredRun(name, created_at=hours(number), heartbeat_at=hours(number), summary=summary)
        for number, (name, summary) in enumerate(summaries.items())
    ]


def above(key: str, number: float) -> str:
    return json.dumps({f"summary_metrics.{key}": {"$gte": number}})


def test_orders_may_be_ignored_all_or_some() -> None:
    runs = scored(a={"x": 1}, b={"x": 3}, c={"x": 2})
    with holding(*reversed(runs), quirks=Quirks(orders_ignored={"summary_metrics.x"})) as sandbox:
        assert names(sandbox, order="-summary_metrics.x") == ["c", "b", "a"]
        assert names(sandbox, order="+created_at") == ["a", "b", "c"]
        sandbox.quirks = Quirks(orders_ignored={"*"})
        assert names(sandbox, order="+created_at") == ["c", "b", "a"]


def test_strings_and_nan_may_rank_above_numbers() -> None:
    runs = scored(a={"x": 1}, b={"x": "NaN"}, c={"x": math.nan}, d={"x": 2}, e={})
    with holding(*runs, quirks=Quirks(strings_above_numbers=True)) as sandbox:
        assert set(names(sandbox, order="-summary_metrics.x")[:2]) == {"b", "c"}
        assert names(sandbox, order="-summary_metrics.x")[2:] == ["d", "a", "e"]
        assert names(sandbox, filters=above("x", 2)) == ["b", "c", "d"]
        assert names(sandbox, filters='{"summary_metrics.x": {"$lt": 2}}') == ["a"]


def test_booleans_may_be_numbers() -> None:
    with holding(*scored(a={"x": 0.9}, b={"x": True}), quirks=Quirks()) as sandbox:
        assert names(sandbox, filters=above("x", 0.9)) == ["a"]
        assert names(sandbox, order="-summary_metrics.x") == ["a", "b"]
        sandbox.quirks = Quirks(booleans_as_numbers=True)
        assert names(sandbox, filters=above("x", 0.9)) == ["a", "b"]
        assert names(sandbox, order="-summary_metrics.x") == ["b", "a"]


def test_runs_without_the_value_may_come_first() -> None:
    runs = [*scored(a={"x": 1}, b={}), StoredRun("c", created_at=hours(9))]
    with holding(*runs, quirks=Quirks(missing_first=True)) as sandbox:
        assert names(sandbox, order="-summary_metrics.x") == ["b", "c", "a"]
        assert names(sandbox, order="+summary_metrics.x") == ["b", "c", "a"]
        assert names(sandbox, order="-heartbeat_at") == ["c", "b", "a"]


def test_slashed_and_dotted_keys_may_not_be_filterable() -> None:
    runs = scored(a={"val/x": 1, "n": {"y": 1}, "z": 1}, b={"val/x": 2, "n": {"y": 2}, "z": 2})
    with holding(*runs, quirks=Quirks(slashed_keys_not_filterable=True)) as sandbox:
        assert names(sandbox, filters=above("val/x", 0)) == []
        assert names(sandbox, filters=above("n.y", 0)) == []
        assert names(sandbox, filters=above("z", 0)) == ["a", "b"]
        assert names(sandbox, order="-summary_metrics.val/x") == ["a", "b"]


def test_keys_may_match_without_case_but_what_comes_back_is_exact() -> None:
    runs = scored(a={"acc": 1}, b={"Acc": 2})
    query = """{ project(name: "p", entityName: "e") { runs(order: "-summary_metrics.ACC") {
      edges { node { summaryMetrics(keys: ["acc"]) } } } } }"""
    with holding(*runs, quirks=Quirks(keys_without_case=True)) as sandbox:
        assert names(sandbox, filters=above("acc", 0)) == ["a", "b"]
        edges = ask(sandbox, query)["project"]["runs"]["edges"]
    assert [edge["node"]["summaryMetrics"] for edge in edges] == ["{}", '{"acc": 1}']


def test_counts_may_lag_behind_what_happened_last() -> None:
    runs = [StoredRun("a", created_at=hours(-2)), StoredRun("b", created_at=hours(-0.01))]
    runs.append(StoredRun("c", created_at=hours(-2), heartbeat_at=hours(-0.01)))
    with holding(*runs, quirks=Quirks(counts_lag_seconds=60)) as sandbox:
        assert page(sandbox)["runCount"] == 1
        assert names(sandbox) == ["a", "c", "b"]


def test_counts_may_come_from_a_snapshot() -> None:
    with holding(StoredRun("a", "running")) as sandbox:
        sandbox.quirks = Quirks(counts_from=sandbox.store.copy())
        sandbox.store.run("e", "p", "a").state = "finished"
        sandbox.store.add("e", "p", StoredRun("b"))
        assert page(sandbox)["runCount"] == 1
        assert page(sandbox, filters='{"state": "running"}')["runCount"] == 1
        assert names(sandbox, filters='{"state": "running"}') == []


def test_a_page_may_come_empty_with_a_next_one_once_or_always() -> None:
    empty = {"edges": [], "pageInfo": {"endCursor": None, "hasNextPage": True}}
    with holding(StoredRun("a"), quirks=Quirks(empty_pages=1)) as sandbox:
        assert page(sandbox)["runs"] == empty
        assert names(sandbox) == ["a"]
        sandbox.quirks = Quirks(empty_pages=ALWAYS)
        assert [page(sandbox)["runs"] for _ in range(3)] == [empty] * 3


def test_hidden_runs_count_and_take_their_place_on_a_page() -> None:
    runs = scored(a={}, b={}, c={})
    with holding(*runs, quirks=Quirks(hidden_rows={"a", "b"})) as sandbox:
        hidden = page(sandbox, first=2)
        assert hidden["runCount"] == 3
        assert hidden["runs"]["edges"] == []
        assert names(sandbox, first=2, after=hidden["runs"]["pageInfo"]["endCursor"]) == ["c"]


def test_a_cursor_may_never_advance() -> None:
    with holding(*scored(a={}, b={}, c={}), quirks=Quirks(repeated_cursor="same")) as sandbox:
        first = page(sandbox, first=1)["runs"]["pageInfo"]
        second = page(sandbox, first=1, after=first["endCursor"])["runs"]["pageInfo"]
    assert second == first == {"endCursor": first["endCursor"], "hasNextPage": True}


def test_a_cursor_may_go_in_a_circle() -> None:
    with holding(*scored(a={}, b={}, c={}), quirks=Quirks(repeated_cursor="cycle")) as sandbox:
        cursors: list[str | None] = [None]
        for _ in range(5):
            info = page(sandbox, first=1, after=cursors[-1])["runs"]["pageInfo"]
            assert info["hasNextPage"] is True
            cursors.append(info["endCursor"])
    assert cursors[1:] == [cursors[1], cursors[2], cursors[1], cursors[2], cursors[1]]
    assert cursors[1] != cursors[2]


def test_an_old_server_lacks_fields_and_arguments() -> None:
    old = Quirks(unknown_fields={"runInfo", "summaryMetrics(keys)"})
    query = '{ project(name: "p", entityName: "e") { run(name: "a") { %s } } }'
    with holding(StoredRun("a"), quirks=old) as sandbox:
        field = post(sandbox, query % "runInfo { gpuCount }")
        argument = post(sandbox, query % 'summaryMetrics(keys: ["x"])')
        assert ask(sandbox, query % "summaryMetrics") == {
            "project": {"run": {"summaryMetrics": "{}"}}
        }
    assert field.status_code == argument.status_code == 400
    said = field.json()["errors"][0]["message"]
    assert said.startswith('Cannot query field "runInfo" on type "Run".')
    message = 'Unknown argument "keys" on field "Run.summaryMetrics".'
    assert argument.json()["errors"][0]["message"] == message


def test_a_run_may_be_unreadable_with_500_for_the_whole_document() -> None:
    with holding(*scored(a={}, b={}), quirks=Quirks(unreadable={("b", "summaryMetrics")})) as box:
        response = post(box, QUERY_OF_SUMMARY)
        assert response.status_code == 500
        assert response.json() == {"errors": [{"message": "Internal Server Error"}]}
        assert names(box) == ["a", "b"]


@pytest.mark.parametrize(
    ("field", "node", "path"),
    [
        ("summaryMetrics", {"name": "b", "summaryMetrics": None}, ["node", "summaryMetrics"]),
        ("node", None, ["node"]),
    ],
)
def test_or_with_an_error_and_null_in_its_place(field: str, node: Any, path: list[str]) -> None:
    quirks = Quirks(unreadable={("b", field)}, unreadable_answer="errors")
    with holding(*scored(a={}, b={}), quirks=quirks) as sandbox:
        response = post(sandbox, QUERY_OF_SUMMARY)
    answer = response.json()
    assert response.status_code == 200
    assert [edge["node"] for edge in answer["data"]["project"]["runs"]["edges"]] == [
        {"name": "a", "summaryMetrics": "{}"},
        node,
    ]
    [error] = answer["errors"]
    assert error["message"] == f"could not read {field} of run b"
    assert error["path"] == ["project", "runs", "edges", 1, *path]


def test_a_moving_project_can_be_played_between_two_requests() -> None:
    with holding(StoredRun("a", "running", hours(-1), hours(0))) as sandbox:

        def move(number: int) -> None:
            if number == 2:
                sandbox.store.run("e", "p", "a").state = "finished"
                sandbox.store.add("e", "p", StoredRun("b", "running", hours(1)))

        sandbox.before_request = move
        running = [names(sandbox, filters='{"state": "running"}') for _ in range(2)]
    assert running == [["a"], ["b"]]
    assert [document.query for document in sandbox.documents] == [PAGE, PAGE]


def test_dotted_keys_may_be_paths_only() -> None:
    runs = scored(literal={"n.y": 1}, nested={"n": {"y": 2}})
    with holding(*runs, quirks=Quirks(dotted_keys_are_paths=True)) as sandbox:
        assert names(sandbox, filters=above("n.y", 0)) == ["nested"]
        sandbox.quirks = Quirks()
        assert names(sandbox, filters=above("n.y", 0)) == ["literal", "nested"]


def test_two_bounds_may_be_refused_or_match_nothing() -> None:
    between = json.dumps({"summary_metrics.x": {"$gte": 0, "$lte": 9}})
    with holding(*scored(a={"x": 1}), quirks=Quirks(bounds="none")) as sandbox:
        assert names(sandbox, filters=between) == []
        assert names(sandbox, filters=above("x", 0)) == ["a"]
        sandbox.quirks = Quirks(bounds="refused")
        response = post(sandbox, PAGE, filters=between)
        assert response.status_code == 400
        assert "summary_metrics.x: one operator was expected" in response.text


def test_what_a_strict_schema_forbids_may_be_told_too() -> None:
    query = (
        '{ project(name: "p", entityName: "e") { n: runCount runs { edges { node { name } } } } }'
    )
    quirks = Quirks(hidden_rows={"a"}, hidden_as="null", counts_say=2**70)
    with holding(*scored(a={}, b={}), quirks=quirks) as sandbox:
        project = ask(sandbox, query)["project"]
        assert project["n"] == 2**70
        assert [edge["node"] for edge in project["runs"]["edges"]] == [None, {"name": "b"}]
        sandbox.quirks = Quirks(edges_null=True)
        assert ask(sandbox, query)["project"]["runs"]["edges"] is None


def test_a_summary_may_be_shown_otherwise_than_it_is_filtered_by() -> None:
    quirks = Quirks(shown_summaries={"a": None})
    with holding(*scored(a={"x": 1}), quirks=quirks) as sandbox:
        assert names(sandbox, filters=above("x", 0)) == ["a"]
        (edge,) = ask(sandbox, QUERY_OF_SUMMARY)["project"]["runs"]["edges"]
        assert edge["node"]["summaryMetrics"] is None

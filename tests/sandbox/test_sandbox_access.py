"""The W&B server: a strict schema, who may read what, the clock and the quota it tells."""

import httpx
import pytest

from runmetrics.sandbox.resolvers import Viewer
from runmetrics.sandbox.store import StoredRun
from runmetrics.sandbox.wandb_server import SANDBOX_KEY
from tests.sandbox.sandbox_case import NOW, ask, holding, post

WHO = '{ viewer { username } project(name: "p", entityName: "e") { runCount } }'


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ viewer { shoeSize } }", 'Cannot query field "shoeSize" on type "User".'),
        (
            '{ project(name: "p", entityName: "e") { runs(since: 1) { pageInfo { endCursor } } } }',
            'Unknown argument "since" on field "Project.runs".',
        ),
        ("{ viewer {", "Syntax Error: Expected Name, found <EOF>."),
        ("query Q($n: Int!) { viewer { username } }", 'Variable "$n" is never used in operation'),
    ],
)
def test_what_the_schema_does_not_know_is_refused_with_400(query: str, message: str) -> None:
    with holding() as sandbox:
        response = post(sandbox, query)
    assert response.status_code == 400
    assert message in response.json()["errors"][0]["message"]


def test_a_body_that_is_no_graphql_request_is_refused_with_400() -> None:
    with holding() as sandbox:
        response = httpx.post(f"{sandbox.url}/graphql", content=b"[]")
    assert response.status_code == 400
    assert response.json() == {"errors": [{"message": "json body could not be decoded"}]}


def test_a_refused_key_is_no_error_but_sees_neither_viewer_nor_project() -> None:
    with holding(StoredRun("a")) as sandbox:
        response = post(sandbox, WHO, key="wrong")
    assert response.status_code == 200
    assert response.json() == {"data": {"viewer": None, "project": None}}


def test_a_public_project_is_readable_with_a_refused_key() -> None:
    with holding(StoredRun("a")) as sandbox:
        sandbox.store.project("e", "p").public = True
        response = post(sandbox, WHO, key="wrong")
    assert response.json() == {"data": {"viewer": None, "project": {"runCount": 1}}}


def test_the_key_is_taken_as_basic_and_as_bearer() -> None:
    with holding() as sandbox:
        headers = {"Authorization": f"Bearer {SANDBOX_KEY}"}
        body = {"query": "{ viewer { username } }", "operationName": ""}
        response = httpx.post(f"{sandbox.url}/graphql", json=body, headers=headers)
        assert ask(sandbox, "{ viewer { username } }") == response.json()["data"]
    assert response.json() == {"data": {"viewer": {"username": "sandbox"}}}


def test_a_project_that_is_not_there_is_null() -> None:
    with holding() as sandbox:
        assert ask(sandbox, '{ project(name: "q", entityName: "e") { id } }') == {"project": None}


def test_the_viewer_has_an_entity_an_address_and_teams() -> None:
    viewer = Viewer("ada", None, "ada@example.com", ("e",))
    with holding(viewer=viewer) as sandbox:
        query = "{ viewer { username entity email teams { edges { node { name } } } } }"
        answer = ask(sandbox, query)["viewer"]
    assert answer == {
        "username": "ada",
        "entity": None,
        "email": "ada@example.com",
        "teams": {"edges": [{"node": {"name": "e"}}]},
    }


def test_an_entity_is_there_when_it_has_projects_or_is_the_viewers_own() -> None:
    with holding(StoredRun("a")) as sandbox:
        query = '{ e: entity(name: "e") { name isTeam } s: entity(name: "sandbox") { isTeam }'
        answer = ask(sandbox, query + ' x: entity(name: "x") { id } }')
    assert answer == {"e": {"name": "e", "isTeam": True}, "s": {"isTeam": False}, "x": None}


def test_the_projects_of_an_entity_come_in_pages() -> None:
    query = """query($after: String) { models(entityName: "e", first: 1, after: $after) {
      edges { node { name entityName totalRuns } } pageInfo { endCursor hasNextPage } } }"""
    with holding(StoredRun("a")) as sandbox:
        sandbox.store.add("e", "q", StoredRun("b"), StoredRun("c"))
        first = ask(sandbox, query)["models"]
        second = ask(sandbox, query, after=first["pageInfo"]["endCursor"])["models"]
    assert first["edges"] == [{"node": {"name": "p", "entityName": "e", "totalRuns": 1}}]
    assert first["pageInfo"]["hasNextPage"] is True
    assert second["edges"] == [{"node": {"name": "q", "entityName": "e", "totalRuns": 2}}]
    assert second["pageInfo"]["hasNextPage"] is False


def test_the_date_header_tells_the_servers_clock_which_may_be_off() -> None:
    assert NOW.hour == 12
    with holding(clock_offset_seconds=-90) as sandbox:
        response = post(sandbox, WHO)
    assert response.headers.get_list("Date") == ["Sat, 10 Jan 2026 11:58:30 GMT"]


def test_headers_such_as_the_quota_can_be_added_to_every_answer() -> None:
    with holding() as sandbox:
        sandbox.headers["RateLimit-Remaining"] = "7"
        assert post(sandbox, WHO).headers["RateLimit-Remaining"] == "7"
        sandbox.headers.clear()
        assert "RateLimit-Remaining" not in post(sandbox, WHO).headers


def test_documents_are_kept_and_a_hook_runs_before_each() -> None:
    with holding(StoredRun("a")) as sandbox:
        sandbox.before_request = lambda number: sandbox.store.add("e", "p", StoredRun(str(number)))
        counts = [ask(sandbox, WHO)["project"]["runCount"] for _ in range(2)]
    assert counts == [2, 3]
    assert [document.query for document in sandbox.documents] == [WHO, WHO]

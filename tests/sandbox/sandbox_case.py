"""Asking the sandbox's W&B server the short way."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from runmetrics.sandbox.store import StoredRun
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
PAGE = """query Page($filters: JSONString, $order: String, $first: Int, $after: String) {
  project(name: "p", entityName: "e") {
    runCount(filters: $filters)
    runs(filters: $filters, order: $order, first: $first, after: $after) {
      edges { cursor node { name } }
      pageInfo { endCursor hasNextPage }
    }
  }
}"""


def hours(number: float) -> datetime:
    """So many hours after NOW; before it when negative."""
    return NOW + timedelta(hours=number)


def holding(*runs: StoredRun, **options: Any) -> WandbSandbox:
    """A sandbox whose project e/p holds these runs."""
    sandbox = WandbSandbox(clock=NOW.timestamp, **options)
    sandbox.store.add("e", "p", *runs)
    return sandbox


def post(
    sandbox: WandbSandbox, query: str, *, key: str = SANDBOX_KEY, **variables: Any
) -> httpx.Response:
    """One GraphQL request, whatever comes of it."""
    body = {"query": query, "variables": variables}
    with httpx.Client(verify=False) as client:  # no certificates to load for plain http
        return client.post(f"{sandbox.url}/graphql", json=body, auth=("api", key))


def ask(sandbox: WandbSandbox, query: str, **variables: Any) -> Any:
    """The data of a request that goes well."""
    response = post(sandbox, query, **variables)
    assert response.status_code == 200, response.text
    assert "errors" not in response.json()
    return response.json()["data"]


def page(sandbox: WandbSandbox, **arguments: Any) -> Any:
    """One page of the project's runs, with their count."""
    return ask(sandbox, PAGE, **arguments)["project"]


def names(sandbox: WandbSandbox, **arguments: Any) -> list[str]:
    """Ids of the runs on one page, in its order."""
    return [edge["node"]["name"] for edge in page(sandbox, **arguments)["runs"]["edges"]]


def of_run(sandbox: WandbSandbox, fields: str, run: str = "a") -> Any:
    """Some fields of one run."""
    query = f'{{ project(name: "p", entityName: "e") {{ run(name: "{run}") {{ {fields} }} }} }}'
    return ask(sandbox, query)["project"]["run"]

"""A server that refuses everything, for ever, is left in peace after about a dozen requests."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from runmetrics.errors import ExitCode
from runmetrics.sandbox.http import Request, Response
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.collectors.wandb.collecting import TEN, collect, run, sandbox_of, unknown, values

Body = dict[str, Any]


def stray_error(body: Body) -> tuple[int, Body]:
    """An error beside data that names none of our questions."""
    return 200, {**body, "errors": [{"message": "something went wrong"}]}


def bad_request(_body: Body) -> tuple[int, Body]:
    return 400, {"errors": [{"message": "invalid document"}]}


def nothing(body: Body) -> tuple[int, Body]:
    return 200, {"data": {**body["data"], "project": {}}}


def answering(sandbox: WandbSandbox, lie: Callable[[Body], tuple[int, Body]]) -> None:
    """Have every answer changed."""
    honest = sandbox.server.handler

    def handler(request: Request) -> Response:
        status, body = lie(json.loads(honest(request).body))
        return Response(status, json.dumps(body).encode())

    sandbox.server.handler = handler


@pytest.mark.parametrize("lie", [stray_error, bad_request, nothing])
def test_w36_a_refusal_that_lasts_costs_at_most_fifteen_requests(
    lie: Callable[[Body], tuple[int, Body]],
) -> None:
    with sandbox_of(run("a", summary={"accuracy": 0.5, "loss": 1})) as sandbox:
        answering(sandbox, lie)
        collection = collect(sandbox)
        requests = len(sandbox.server.requests)

    assert (values(collection), unknown(collection)) == ({}, {*TEN})
    assert requests <= 15
    assert all(problem.fix for problem in collection.problems)


def test_w36_many_filters_that_are_refused_leave_the_others_known() -> None:
    yaml = "metrics:\n" + "".join(
        f"- {{name: m.x{n}, count: runs, where: {{nonsense{n}: 1}}}}\n" for n in range(30)
    )
    with sandbox_of(run("a", summary={"accuracy": 0.5, "loss": 1})) as sandbox:
        collection = collect(sandbox, yaml=yaml)

    assert unknown(collection) == {f"m.x{n}" for n in range(30)}
    assert len(values(collection)) >= 8
    assert {problem.code for problem in collection.problems} == {ExitCode.CONFIGURATION}


def test_w36_a_filter_that_was_refused_once_is_not_asked_again_in_other_questions() -> None:
    yaml = """
        metrics:
        - {name: m.x, count: runs, window: 1d, where: {displayName: {$regex: "["}}}
    """
    with sandbox_of(run("a", summary={"accuracy": 0.5, "loss": 1})) as sandbox:
        collection = collect(sandbox, yaml=yaml)
        requests = len(sandbox.server.requests)

    assert unknown(collection) == {"m.x"}
    assert len(values(collection)) == 9
    assert requests == 11

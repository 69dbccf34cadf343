"""Several projects: found, read side by side, told apart, and each failing for itself."""

import asyncio
import json

import pytest

from runmetrics.collectors.wandb.projects import side_by_side
from runmetrics.config.file_settings import Project
from runmetrics.errors import ExitCode
from runmetrics.model import Collection, Missing, Sample
from runmetrics.pipeline import Outcome
from runmetrics.sandbox.http import Fault, Request, Response
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import Store
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.collectors.wandb.collecting import NOW, TEN, TOTAL, collect, run, unknown

FORBIDDEN = Fault(Response(403, b'{"errors": [{"message": "permission denied"}]}'))


def projects_of(*names: str, runs: int = 1) -> WandbSandbox:
    """A sandbox with these projects ("entity/project"), each of which holds that many runs."""
    store = Store()
    for name in names:
        entity, _, project = name.partition("/")
        store.add(entity, project, *(run(f"r{index}") for index in range(runs)))
    return WandbSandbox(store=store)


def totals(collection: Collection) -> dict[str, float]:
    """The number of runs by project."""
    return {
        f"{sample.tags['wandb_entity']}/{sample.tags['wandb_project']}": sample.value
        for sample in collection.samples
        if sample.name == TOTAL
    }


def asks_for(request: Request, project: str) -> bool:
    return bool(json.loads(request.body)["variables"].get("project") == project)


def exit_code(collection: Collection) -> ExitCode:
    return Outcome("wandb", NOW, collection, (), dry_run=True, seconds=1).exit_code


def test_projects_are_told_apart_by_their_tags() -> None:
    with projects_of("e/a", "e/b", "f/a") as sandbox:
        sandbox.store.add("f", "a", run("further"))
        collection = collect(sandbox, projects=("e/a", "e/b", "f/a"))

    assert totals(collection) == {"e/a": 1, "e/b": 1, "f/a": 2}
    assert exit_code(collection) is ExitCode.OK


def test_a_project_that_is_named_twice_is_read_once() -> None:
    with projects_of("e/a", "e/b") as sandbox:
        collection = collect(sandbox, projects=("e/a", "e/*", "e/b", "e/a"))

    assert [sample.name for sample in collection.samples].count(TOTAL) == 2
    lists = [each for each in sandbox.documents if "RunmetricsProjects" in each.query]
    reads = [each for each in sandbox.documents if each.variables.get("project") == "a"]
    assert (len(lists), len(reads)) == (1, 1)


def test_tags_of_a_project_are_on_all_its_samples_and_the_more_exact_entry_wins() -> None:
    entries = (
        Project(path="acme/*", tags={"team": "other", "tier": "2"}),
        Project(path="acme/llm", tags={"team": "nlp"}),
        Project(path="acme/plain"),
        Project(path="free/p"),
    )
    with projects_of("acme/llm", "acme/toy", "acme/plain", "free/p") as sandbox:
        sandbox.store.add("acme", "llm", run("bad", summary={"accuracy": "NaN"}))
        collection = collect(sandbox, projects=entries)

    tags: dict[str, set[tuple[str | None, str | None]]] = {}
    tagged: list[Sample | Missing] = [*collection.samples, *collection.missing]
    for each in tagged:
        project = f"{each.tags['wandb_entity']}/{each.tags['wandb_project']}"
        tags.setdefault(project, set()).add((each.tags.get("team"), each.tags.get("tier")))
    assert tags == {
        "acme/llm": {("nlp", None)},
        "acme/toy": {("other", "2")},
        "acme/plain": {(None, None)},
        "free/p": {(None, None)},
    }


def test_a_star_is_every_project_of_the_entity_over_several_pages() -> None:
    with projects_of(*(f"e/p{index:03}" for index in range(7)), "f/p") as sandbox:
        sandbox.page_cap = 3
        collection = collect(sandbox, projects=("e/*",))

    assert sorted(totals(collection)) == [f"e/p{index:03}" for index in range(7)]


def test_an_entity_without_projects_does_not_take_the_others_with_it() -> None:
    with projects_of("e/a") as sandbox:
        collection = collect(sandbox, projects=("nobody/*", "e/a"))

    assert totals(collection) == {"e/a": 1}
    (problem,) = collection.problems
    assert str(problem) == (
        "W&B shows no projects of entity 'nobody': "
        "check the name in RUNMETRICS_PROJECTS and what this key may read"
    )
    assert problem.tags == {"wandb_entity": "nobody", "collector": "wandb"}
    assert problem.code is ExitCode.CONFIGURATION
    assert exit_code(collection) is ExitCode.PARTIAL


def test_a_list_of_projects_that_begins_again_is_given_up_and_the_others_are_read() -> None:
    with projects_of("e/a", "e/b", "f/x") as sandbox:
        sandbox.page_cap = 1
        looping = {
            "viewer": {"username": "me"},
            "models": {
                "edges": [{"node": {"name": "a"}}],
                "pageInfo": {"endCursor": "same", "hasNextPage": True},
            },
        }
        answer = Fault(Response(200, json.dumps({"data": looping}).encode()))
        sandbox.server.fault_for = lambda request: (
            answer if b"RunmetricsProjects" in request.body else None
        )
        collection = collect(sandbox, projects=("e/*", "f/x"))

    assert totals(collection) == {"f/x": 1}
    (problem,) = collection.problems
    assert str(problem) == (
        "W&B sends the same page of e's projects again and again: "
        "name them one by one in RUNMETRICS_PROJECTS"
    )


def test_w2_a_project_that_is_forbidden_fails_alone() -> None:
    with projects_of("e/a", "e/b", "e/c") as sandbox:
        sandbox.server.fault_for = lambda request: FORBIDDEN if asks_for(request, "b") else None
        collection = collect(sandbox, projects=("e/*",))

    assert totals(collection) == {"e/a": 1, "e/c": 1}
    (problem,) = collection.problems
    assert problem.metrics == TEN
    assert problem.tags["wandb_project"] == "b"
    assert problem.code is ExitCode.REFUSED
    assert exit_code(collection) is ExitCode.PARTIAL


def test_w12_a_project_that_is_not_there_fails_alone_and_its_like_is_named() -> None:
    with projects_of("e/metta") as sandbox:
        collection = collect(sandbox, projects=("e/meta", "e/metta"))

    assert totals(collection) == {"e/metta": 1}
    (problem,) = collection.problems
    assert str(problem) == (
        "W&B has no project e/meta, or this key has no access to it: "
        "check RUNMETRICS_PROJECTS; did you mean metta?"
    )


def test_where_all_fail_the_most_permanent_cause_decides() -> None:
    with projects_of("e/a", "e/b") as sandbox:
        sandbox.server.fault_for = lambda request: FORBIDDEN if asks_for(request, "a") else None
        refused = collect(sandbox, projects=("e/a",))
        both = collect(sandbox, projects=("e/a", "e/gone"))

    assert exit_code(refused) is ExitCode.REFUSED
    assert exit_code(both) is ExitCode.CONFIGURATION
    assert unknown(both) == {*TEN}


def test_a_refused_key_is_not_tried_on_every_project() -> None:
    with projects_of(*(f"e/p{index}" for index in range(40))) as sandbox:
        refusal = Fault(Response(401, b"{}"))
        sandbox.server.fault_for = lambda _request: refusal
        collection = collect(sandbox, projects=tuple(f"e/p{index}" for index in range(40)))

    assert collection.cost.requests == 4
    assert len(collection.problems) == 40
    assert exit_code(collection) is ExitCode.REFUSED


def test_a_key_that_names_nobody_still_reads_what_is_public() -> None:
    with projects_of(*(f"e/p{index}" for index in range(8))) as sandbox:
        sandbox.keys = frozenset({"another"})
        sandbox.store.project("e", "p7").public = True
        collection = collect(sandbox, projects=tuple(f"e/p{index}" for index in range(8)))

    assert totals(collection) == {"e/p7": 1}


def test_a_key_that_names_nobody_cannot_list_projects() -> None:
    with projects_of("e/a") as sandbox:
        sandbox.keys = frozenset({"another"})
        collection = collect(sandbox, projects=("e/*",))

    assert exit_code(collection) is ExitCode.REFUSED


def test_w31_projects_are_listed_by_a_server_without_a_viewer_too() -> None:
    with projects_of("e/a", "e/b") as sandbox:
        sandbox.quirks = Quirks(unknown_fields={"viewer"})
        collection = collect(sandbox, projects=("e/*",))
        none = collect(sandbox, projects=("f/*",))

    assert totals(collection) == {"e/a": 1, "e/b": 1}
    assert exit_code(none) is ExitCode.CONFIGURATION


def test_no_more_projects_are_read_at_once_than_there_are_slots_just_then() -> None:
    under_way = 0
    seen: list[int] = []

    async def read(entity: str, project: str) -> str:
        nonlocal under_way
        under_way += 1
        seen.append(under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return f"{entity}/{project}"

    def slots() -> int:
        return 3 if len(seen) < 20 else 1  # the quota runs low

    projects = [("e", f"p{index}") for index in range(40)]
    done = asyncio.run(side_by_side(projects, read, slots))

    assert done == ["/".join(project) for project in projects]
    assert max(seen[:20]) == 3
    assert set(seen[25:]) == {1}


def test_a_bug_in_reading_one_project_ends_the_others() -> None:
    ended: list[str] = []

    async def read(_entity: str, project: str) -> None:
        if project == "p1":
            raise ZeroDivisionError
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(project)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(side_by_side([("e", f"p{index}") for index in range(9)], read, lambda: 3))
    assert sorted(ended) == ["p0", "p2"]

"""What queries answer with: viewer, entities, projects, counts and pages of runs."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from graphql import GraphQLError

from runmetrics.sandbox.filters import BadRequest, View
from runmetrics.sandbox.quirks import ALWAYS, Quirks
from runmetrics.sandbox.run_fields import (
    RUN_FIELDS,
    Info,
    RunNode,
    entity_fields,
    global_id,
    user_fields,
)
from runmetrics.sandbox.store import Project, Store, moment, shown

_CURSOR = "arrayconnection:"
DEFAULT_PAGE = 50


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who the accepted keys belong to."""

    username: str = "sandbox"
    entity: str | None = "sandbox"
    email: str | None = "sandbox@example.com"
    teams: tuple[str, ...] = ()


@dataclass(slots=True)
class Context:
    """One document's view of the server: one moment, one set of quirks."""

    store: Store
    quirks: Quirks
    viewer: Viewer | None
    page_cap: int
    now: float
    take_empty_page: Callable[[], bool]
    upload_url: str
    views: dict[int, View] = field(default_factory=dict)


class UnreadableError(Exception):
    """A run's field that this server fails on: HTTP 500 for the whole document."""


def cursor_at(offset: int) -> str:
    """Return the cursor of the row at `offset`."""
    return base64.b64encode(f"{_CURSOR}{offset}".encode()).decode()


def offset_after(cursor: str | None) -> int:
    """Return the offset of the first row after a cursor. Raises BadRequest."""
    if not cursor:
        return 0
    try:
        text = base64.b64decode(cursor, validate=True).decode()
        return int(text.removeprefix(_CURSOR)) + 1
    except ValueError as error:
        raise BadRequest(f"invalid cursor {cursor!r}") from error


# ----------------------------------------------------------------------------- projects and runs


def visible(context: Context, entity: str | None, name: str | None) -> Project | None:
    """Return the project, unless it is not there or not for this viewer: the two look alike."""
    if entity is None and context.viewer is not None:
        entity = context.viewer.entity
    project = context.store.projects.get((entity or "", name or ""))
    if project is None or (context.viewer is None and not project.public):
        return None
    return project


def _project(_: Any, info: Info, **names: str | None) -> Project | None:
    return visible(info.context, names.get("entityName"), names.get("name"))


def _page(
    rows: Sequence[Any], first: int | None, after: str | None, cap: int
) -> tuple[list[tuple[int, Any]], bool]:
    start = offset_after(after)
    size = min(DEFAULT_PAGE if first is None else max(0, first), cap)
    return list(enumerate(rows[start : start + size], start)), start + size < len(rows)


def _models(
    _: Any,
    info: Info,
    entityName: str | None = None,  # noqa: N803 - the argument's name in the schema
    first: int | None = None,
    after: str | None = None,
) -> Mapping[str, Any]:
    names = sorted(name for entity, name in info.context.store.projects if entity == entityName)
    projects = [p for name in names if (p := visible(info.context, entityName, name))]
    rows, more = _page(projects, first, after, info.context.page_cap)
    return connection([(cursor_at(offset), node) for offset, node in rows], more)


def connection(
    edges: Iterable[tuple[str, Any]], more: bool, end: str | None = None
) -> Mapping[str, Any]:
    shown_edges = [{"cursor": cursor, "node": node} for cursor, node in edges]
    last = end or (shown_edges[-1]["cursor"] if shown_edges else None)
    return {"edges": shown_edges, "pageInfo": {"endCursor": last, "hasNextPage": more}}


def _view(project: Project, context: Context) -> View:
    """Return what this document sees of the project."""
    if id(project) not in context.views:
        context.views[id(project)] = View(project.in_creation_order(), context.quirks)
    return context.views[id(project)]


def _run_count(project: Project, info: Info, filters: str | None = None) -> int:
    context: Context = info.context
    quirks = context.quirks
    if quirks.counts_from is not None:
        project = quirks.counts_from.project(project.entity, project.name)
    if not quirks.counts_lag_seconds:
        return _view(project, context).count(filters)
    known = datetime.fromtimestamp(context.now, UTC) - timedelta(seconds=quirks.counts_lag_seconds)
    return sum(
        all(t is None or t <= known for t in (moment(run.created_at), moment(run.heartbeat_at)))
        for run in _view(project, context).matching(filters)
    )


def _runs(
    project: Project,
    info: Info,
    filters: str | None = None,
    order: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Mapping[str, Any]:
    context: Context = info.context
    quirks = context.quirks
    view = _view(project, context)
    if quirks.orders_ignored & {"*", (order or "").lstrip("+-")}:
        chosen = {run.id for run in view.matching(filters)}
        runs = [run for run in project.runs.values() if run.id in chosen]
    else:
        runs = view.ordered(filters, order)
    if quirks.empty_pages and context.take_empty_page():
        return connection([], more=True, end=after)
    rows, more = _page(runs, first, after, context.page_cap)
    end = cursor_at(rows[-1][0]) if rows else None
    if quirks.repeated_cursor and rows:
        end, more = _stuck_cursor(rows[0][0], len(rows), after, end, quirks), True
    edges = [
        (cursor_at(offset), None if run.id in quirks.hidden_rows else RunNode(run, project))
        for offset, run in rows
        if run.id not in quirks.hidden_rows or quirks.hidden_as == "null"
    ]
    return connection(edges, more, end)


def _stuck_cursor(
    start: int, size: int, after: str | None, end: str | None, quirks: Quirks
) -> str | None:
    if quirks.repeated_cursor == "same":
        return after or end
    return cursor_at(size - 1) if start >= 2 * size else end


def _run(project: Project, _info: Info, name: str, **_: Any) -> RunNode | None:
    run = project.runs.get(name)
    return None if run is None else RunNode(run, project)


def _viewer(_: Any, info: Info) -> Mapping[str, Any] | None:
    if info.context.quirks.viewer_fails:
        raise GraphQLError("could not read viewer")
    viewer: Viewer | None = info.context.viewer
    if viewer is None:
        return None
    return user_fields(
        viewer.username, entity=viewer.entity, email=viewer.email, teams=viewer.teams
    )


def _entity(_: Any, info: Info, name: str) -> Mapping[str, Any] | None:
    context: Context = info.context
    own = context.viewer is not None and name in (context.viewer.entity, *context.viewer.teams)
    projects = [p for (entity, _), p in context.store.projects.items() if entity == name]
    if own or any(context.viewer is not None or project.public for project in projects):
        return entity_fields(name, is_team=context.viewer is None or name != context.viewer.entity)
    return None


RESOLVERS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "Query": {
        "viewer": _viewer,
        "serverInfo": lambda *_: {"features": []},
        "entity": _entity,
        "project": _project,
        "model": _project,
        "models": _models,
    },
    "Project": {
        "id": lambda project, _: global_id("Project", project.name, project.entity),
        "internalId": lambda project, _: global_id("ProjectInternalId", project.name),
        "entityName": lambda project, _: project.entity,
        "entity": lambda project, _: entity_fields(project.entity, is_team=True),
        "createdAt": lambda project, _: shown(project.created_at),
        "updatedAt": lambda project, _: shown(project.created_at),
        "isBenchmark": lambda *_: False,
        "readOnly": lambda *_: False,
        "user": lambda *_: None,
        "totalRuns": lambda project, _: len(project.runs),
        "runCount": _run_count,
        "runs": _runs,
        "run": _run,
        "bucket": _run,
    },
    "Run": RUN_FIELDS,
}


def guarded(name: str, resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same resolver, failing where the quirk `unreadable` says so."""

    def fail_or_resolve(source: Any, info: Info, **arguments: Any) -> Any:
        quirks: Quirks = info.context.quirks
        node = source["node"] if name == "node" else source
        if isinstance(node, RunNode) and (node.run.id, name) in quirks.unreadable:
            if quirks.unreadable_answer == "500":
                raise UnreadableError(f"run {node.run.id}: {name}")
            raise GraphQLError(f"could not read {name} of run {node.run.id}")
        return resolve(source, info, **arguments)

    return fail_or_resolve


def take_from(counter: list[int]) -> bool:
    """Return whether one of `counter`'s empty pages is left; it is used up by asking."""
    if counter[0] > 0:
        counter[0] -= 1
        return True
    return counter[0] == ALWAYS

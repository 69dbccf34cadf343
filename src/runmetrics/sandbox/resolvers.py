"""What queries answer with: viewer, entities, projects, sweeps, counts and pages of runs."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from graphql import GraphQLError

from runmetrics.sandbox.filters import BadRequest, View
from runmetrics.sandbox.quirks import Quirks
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
_DEFAULT_PAGE = 50


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
    empty_pages: Iterator[bool]
    upload_url: str
    views: dict[int, View] = field(default_factory=dict)


class UnreadableError(Exception):
    """A run's field that this server fails on: HTTP 500 for the whole document."""


def _cursor_at(offset: int) -> str:
    """Return the cursor of the row at `offset`."""
    return base64.b64encode(f"{_CURSOR}{offset}".encode()).decode()


def _offset_after(cursor: str | None) -> int:
    """Return the offset of the first row after a cursor. Raises BadRequest."""
    if not cursor:
        return 0
    try:
        text = base64.b64decode(cursor, validate=True).decode()
        return int(text.removeprefix(_CURSOR)) + 1
    except ValueError as error:
        raise BadRequest(f"invalid cursor {cursor!r}") from error


# ----------------------------------------------------------------------------- projects and runs


def _visible(context: Context, entity: str | None, name: str | None) -> Project | None:
    """Return the project, unless it is not there or not for this viewer: the two look alike."""
    if entity is None and context.viewer is not None:
        entity = context.viewer.entity
    project = context.store.projects.get((entity or "", name or ""))
    if project is None or (context.viewer is None and not project.public):
        return None
    return project


def _project(_: Any, info: Info, **names: str | None) -> Project | None:
    return _visible(info.context, names.get("entityName"), names.get("name"))


def _page(
    rows: Sequence[Any], first: int | None, after: str | None, cap: int
) -> tuple[list[tuple[str, Any]], bool]:
    """Return a page of rows with their cursors, and whether there are more."""
    start = _offset_after(after)
    size = min(_DEFAULT_PAGE if first is None else max(0, first), cap)
    page = [(_cursor_at(at), row) for at, row in enumerate(rows[start : start + size], start)]
    return page, start + size < len(rows)


def _models(
    _: Any, info: Info, first: int | None = None, after: str | None = None, **names: str | None
) -> Mapping[str, Any]:
    paths = sorted(
        path for path in info.context.store.projects if path[0] == names.get("entityName")
    )
    projects = [project for path in paths if (project := _visible(info.context, *path))]
    return _connection(*_page(projects, first, after, info.context.page_cap))


def _connection(
    edges: Iterable[tuple[str, Any]], more: bool, end: str | None = None
) -> Mapping[str, Any]:
    shown_edges = [{"cursor": cursor, "node": node} for cursor, node in edges]
    last = end or (shown_edges[-1]["cursor"] if shown_edges else None)
    return {"edges": shown_edges, "pageInfo": {"endCursor": last, "hasNextPage": more}}


def _view(project: Project, context: Context) -> View:
    """Return what this document sees of the project."""
    fresh = View(project.in_creation_order(), context.quirks)
    return context.views.setdefault(id(project), fresh)


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
    if next(context.empty_pages, False):
        return _connection([], more=True, end=after)
    rows, more = _page(runs, first, after, context.page_cap)
    end = rows[-1][0] if rows else None
    if quirks.repeated_cursor and rows:
        more = True
        if quirks.repeated_cursor == "same":
            end = after or end
        elif _offset_after(after) >= 2 * len(rows):
            end = _cursor_at(len(rows) - 1)
    edges = [
        (cursor, None if run.id in quirks.hidden_rows else RunNode(run, project))
        for cursor, run in rows
        if run.id not in quirks.hidden_rows or quirks.hidden_as == "null"
    ]
    return _connection(edges, more, end)


def _run(project: Project, _info: Info, name: str, **_: Any) -> RunNode | None:
    run = project.runs.get(name)
    return None if run is None else RunNode(run, project)


def _sweep(project: Project, _info: Info, **names: str) -> Mapping[str, Any] | None:
    name = names["sweepName"]
    found = project.sweeps.get(name)
    if found is None:
        return None
    runs = [RunNode(run, project) for run in project.runs.values() if run.sweep == name]
    return {
        "id": global_id("Sweep", name, project.name, project.entity),
        "name": name,
        "state": "RUNNING",
        "config": found.config,
        "runs": _connection([(node.run.id, node) for node in runs], more=False),
    }


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
    if own or any(path[0] == name and _visible(context, *path) for path in context.store.projects):
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
        "totalRuns": lambda project, _: len(project.runs),
        "runCount": _run_count,
        "runs": _runs,
        "run": _run,
        "bucket": _run,
        "sweep": _sweep,
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

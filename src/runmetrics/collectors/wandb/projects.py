"""Which projects to read: names as configured, `entity/*` as the server lists them."""

import asyncio
import difflib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from runmetrics.collectors.wandb.server.answers import Answer
from runmetrics.collectors.wandb.server.client import WandbClient
from runmetrics.collectors.wandb.server.errors import BadDocument
from runmetrics.config.settings import Settings
from runmetrics.errors import ConfigurationError, RunmetricsError, TemporaryError

_VIEWER = "  viewer { username }\n"
_LIST_PROJECTS = f"""query RunmetricsProjects($entity: String, $after: String) {{
{_VIEWER}  models(entityName: $entity, first: 100, after: $after) {{
    edges {{ node {{ name }} }} pageInfo {{ endCursor hasNextPage }}
  }}
}}"""

_T = TypeVar("_T")


@dataclass(slots=True)
class Found:
    """(entity, project) of everything to read, without repetition, and what could not be found.

    `failed` holds, by entity, why its projects are not known.
    """

    projects: list[tuple[str, str]]
    failed: dict[str, RunmetricsError]


async def find_projects(client: WandbClient, settings: Settings) -> Found:
    """Find all that the settings name; an entity that cannot be listed does not hide others."""
    projects: dict[tuple[str, str], None] = {}
    failed: dict[str, RunmetricsError] = {}
    for entry in settings.entries:
        entity, _, project = entry.path.partition("/")
        try:
            names = await list_projects(client, entity) if project == "*" else [project]
            if not names:
                raise ConfigurationError(
                    f"W&B shows no projects of entity {entity!r}",
                    f"check the name in {settings.place_of('project')} and what this key may read",
                )
        except RunmetricsError as error:
            failed[entity] = error
            continue
        projects.update(((entity, name), None) for name in names)
    return Found(list(projects), failed)


async def side_by_side(
    projects: Sequence[tuple[str, str]],
    read: Callable[[str, str], Awaitable[_T]],
    slots: Callable[[], int],
) -> list[_T]:
    """Read each project; return the results in order. As many at once as there are slots then."""
    waiting = deque(range(len(projects)))
    under_way: dict[asyncio.Future[_T], int] = {}
    done: dict[int, _T] = {}
    try:
        while waiting or under_way:
            while waiting and len(under_way) < slots():
                index = waiting.popleft()
                under_way[asyncio.ensure_future(read(*projects[index]))] = index
            finished, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            done |= {under_way.pop(task): task.result() for task in finished}
    finally:
        for task in under_way:
            task.cancel()
    return [done[index] for index in range(len(projects))]


async def list_projects(client: WandbClient, entity: str) -> list[str]:
    """Return the names of an entity's projects that this key may see."""
    names: list[str] = []
    seen: set[str | None] = set()
    after: str | None = None
    while after not in seen:
        seen.add(after)
        answer = await _listed(client, {"entity": entity, "after": after})
        if answer.errors:
            raise TemporaryError(
                f"W&B could not list the projects of {entity}: {answer.errors[0].message}",
                "try again, or name them one by one in RUNMETRICS_PROJECTS",
            )
        models = _object(answer.data.get("models"))
        nodes = [_object(_object(edge).get("node")) for edge in models.get("edges") or ()]
        names += [name for node in nodes if isinstance(name := node.get("name"), str)]
        if not names and answer.data.get("viewer", {}) is None:
            raise client.endpoint.nobody_logged_in()
        page = _object(models.get("pageInfo"))
        if not page.get("hasNextPage"):
            return names
        after = page.get("endCursor")
    raise TemporaryError(
        f"W&B sends the same page of {entity}'s projects again and again",
        "name them one by one in RUNMETRICS_PROJECTS",
    )


async def _listed(client: WandbClient, variables: Mapping[str, Any]) -> Answer:
    """Return a page of projects; a server that has no viewer is not asked for it."""
    try:
        return await client.query(_LIST_PROJECTS, variables)
    except BadDocument as refusal:
        if refusal.unknown != {"viewer"}:
            raise
    return await client.query(_LIST_PROJECTS.replace(_VIEWER, ""), variables)


async def near_projects(client: WandbClient, settings: Settings, entity: str, project: str) -> str:
    """Return the fix for a project that is not there: what the entity has instead."""
    try:
        names = await list_projects(client, entity)
    except RunmetricsError:
        names = []
    if not names:
        return f"check {settings.place_of('entity')}; this key sees no projects of {entity!r}"
    place = settings.place_of("project")
    near = difflib.get_close_matches(project, names, n=3, cutoff=0.5)
    if near:
        return f"check {place}; did you mean {' or '.join(near)}?"
    return f"check {place}; {entity} has {', '.join(sorted(names)[:5])}"


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

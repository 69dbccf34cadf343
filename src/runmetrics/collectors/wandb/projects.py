"""Which projects to read: names as configured, `entity/*` as the server lists them."""

import difflib

from runmetrics.collectors.wandb.client import WandbClient
from runmetrics.errors import ConfigurationError, RunmetricsError
from runmetrics.settings import Settings

_LIST_PROJECTS = """query RunmetricsProjects($entity: String, $after: String) {
  models(entityName: $entity, first: 100, after: $after) {
    edges { node { name } } pageInfo { endCursor hasNextPage }
  }
}"""
_MOST_PAGES = 100


async def expand(client: WandbClient, settings: Settings) -> list[tuple[str, str]]:
    """(entity, project) of everything to read, without repetition, `entity/*` discovered."""
    wanted = settings.projects or (f"{settings.entity}/{settings.project}",)
    found: dict[tuple[str, str], None] = {}
    for item in wanted:
        entity, _, project = item.partition("/")
        names = await list_projects(client, entity) if project == "*" else [project]
        if not names:
            raise ConfigurationError(
                f"W&B shows no projects of entity {entity!r}",
                "check the name in RUNMETRICS_PROJECTS and what this key may read",
            )
        found.update(((entity, name), None) for name in names)
    return list(found)


async def list_projects(client: WandbClient, entity: str) -> list[str]:
    """Names of an entity's projects that this key may see."""
    names: list[str] = []
    after: str | None = None
    for _ in range(_MOST_PAGES):
        answer = await client.query(_LIST_PROJECTS, {"entity": entity, "after": after})
        models = answer.data.get("models") or {}
        names += [edge["node"]["name"] for edge in models.get("edges") or () if edge.get("node")]
        info = models.get("pageInfo") or {}
        if not info.get("hasNextPage") or info.get("endCursor") in (None, after):
            break
        after = info["endCursor"]
    return names


async def near_projects(client: WandbClient, entity: str, project: str) -> str:
    """The mend for a project that is not there: what the entity has instead."""
    try:
        names = await list_projects(client, entity)
    except RunmetricsError:
        names = []
    if not names:
        return f"check WANDB_ENTITY; this key sees no projects of {entity!r}"
    near = difflib.get_close_matches(project, names, n=3, cutoff=0.5)
    if near:
        return f"check WANDB_PROJECT; did you mean {' or '.join(near)}?"
    return f"check WANDB_PROJECT; {entity} has {', '.join(sorted(names)[:5])}"

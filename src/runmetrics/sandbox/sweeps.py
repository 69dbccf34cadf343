"""What a sweep's agent asks: the sweep, to be known, and with each heartbeat what to do next."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from runmetrics.sandbox.filters import BadRequest
from runmetrics.sandbox.resolvers import Context, connection
from runmetrics.sandbox.run_fields import Info, RunNode, global_id
from runmetrics.sandbox.store import Project, Sweep


def sweep(
    project: Project,
    _info: Info,
    sweepName: str,  # noqa: N803 - the argument's name in the schema
) -> Mapping[str, Any] | None:
    """Return a sweep as the schema has it; None where there is no such."""
    found = project.sweeps.get(sweepName)
    if found is None:
        return None
    runs = [RunNode(run, project) for run in project.runs.values() if run.sweep == sweepName]
    return {
        "id": global_id("Sweep", sweepName, project.name, project.entity),
        "name": sweepName,
        "state": "RUNNING",
        "config": found.config,
        "runs": connection([(run.run.id, run) for run in runs], more=False),
    }


def create_agent(
    _: Any,
    info: Info,
    input: Mapping[str, Any],  # noqa: A002 - the argument's name in the schema
) -> Mapping[str, Any]:
    """Make an agent known; its id says of which sweep it is."""
    agent = global_id("Agent", input["sweep"], input["projectName"], input["entityName"])
    _sweep_of(info.context, agent)
    return {"agent": {"id": agent}}


def agent_heartbeat(
    _: Any,
    info: Info,
    input: Mapping[str, Any],  # noqa: A002 - the argument's name in the schema
) -> Mapping[str, Any]:
    """Hand out the next command, if there is one."""
    commands = _sweep_of(info.context, input["id"]).commands
    due = [commands.pop(0)] if commands else []
    return {"agent": {"id": input["id"]}, "commands": json.dumps(due)}


def _sweep_of(context: Context, agent: str) -> Sweep:
    if context.viewer is None:
        raise BadRequest("user is not logged in")
    _kind, _version, name, project, entity = base64.b64decode(agent).decode().split(":")
    try:
        return context.store.projects[entity, project].sweeps[name]
    except KeyError:
        raise BadRequest(f"no sweep {name}") from None


SWEEPS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "Project": {"sweep": sweep},
    "Mutation": {"createAgent": create_agent, "agentHeartbeat": agent_heartbeat},
}

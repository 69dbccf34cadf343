"""What each field of a run answers with."""

import base64
import functools
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from graphql import GraphQLResolveInfo

from runmetrics.sandbox.store import Project, StoredRun, config_values, project_keys, shown

Info: TypeAlias = "GraphQLResolveInfo[Any]"  # generic or not by the version of graphql-core


class RunNode(NamedTuple):
    """A run and where it lives."""

    run: StoredRun
    project: Project


def global_id(kind: str, *parts: str) -> str:
    """Return an opaque id as W&B makes them."""
    return base64.b64encode(":".join((kind, "v1", *parts)).encode()).decode()


def parts_of(opaque: str) -> list[str]:
    """Return the parts that a global id was made of."""
    _kind, _version, *parts = base64.b64decode(opaque).decode().split(":")
    return parts


def _system_metrics(node: RunNode, _info: Info) -> str | None:
    value = node.run.system_metrics
    if callable(value):
        return value()
    return project_keys(value, None)


def _summary(node: RunNode, info: Info, keys: Sequence[str] | None = None) -> str | None:
    otherwise: Mapping[str, str | None] = info.context.quirks.shown_summaries
    if node.run.id in otherwise:
        return otherwise[node.run.id]
    return project_keys(node.run.summary, keys)


def _config(node: RunNode, info: Info, keys: Sequence[str] | None = None) -> str | None:
    otherwise: Mapping[str, str | None] = info.context.quirks.shown_configs
    if node.run.id in otherwise:
        return otherwise[node.run.id]
    return project_keys(node.run.config, keys, wrap=True)


def _wandb_config(node: RunNode, _info: Info, keys: Sequence[str] | None = None) -> str | None:
    return project_keys(config_values(node.run.config).get("_wandb") or {}, keys)


def _run_info(node: RunNode, _info: Info) -> Mapping[str, Any] | None:
    if node.run.gpu is None and node.run.gpu_count is None:
        return None
    return {"gpu": node.run.gpu, "gpuCount": node.run.gpu_count}


def _user(node: RunNode, _info: Info) -> Mapping[str, Any] | None:
    return None if node.run.user is None else _owner(node.run.user)


@functools.lru_cache(maxsize=1024)
def _owner(name: str) -> Mapping[str, Any]:
    return user_fields(name, entity=name)


def user_fields(
    name: str, *, entity: str | None, email: str | None = None, teams: Sequence[str] = ()
) -> Mapping[str, Any]:
    """Return a user as the schema has it."""
    return {
        "id": global_id("User", name),
        "name": name,
        "username": name,
        "email": email,
        "entity": entity,
        "admin": False,
        "flags": "{}",
        "deletedAt": None,
        "apiKeys": {"edges": []},
        "teams": {"edges": [{"node": entity_fields(team, is_team=True)} for team in teams]},
    }


def entity_fields(name: str, *, is_team: bool) -> Mapping[str, Any]:
    """Return an entity as the schema has it."""
    return {
        "id": global_id("Entity", name),
        "name": name,
        "isTeam": is_team,
        "organization": {"coreWeaveOrganizationId": None},
    }


def _history_keys(node: RunNode, _info: Info) -> Mapping[str, Any]:
    rows = [json.loads(line) for line in _lines(node, "history")]
    counts = Counter(key for row in rows for key in row)
    return {
        "sets": [],
        "keys": {
            key: {"typeCounts": [{"type": "number", "count": count}]}
            for key, count in counts.items()
        },
        "lastStep": max((row.get("_step", 0) for row in rows), default=-1),
    }


def _lines(node: RunNode, stream: str) -> list[str]:
    return [] if node.run.log is None else list(getattr(node.run.log, stream))


def _history(
    node: RunNode, _info: Info, samples: int | None = None, **steps: int | None
) -> list[str]:
    low, high = steps.get("minStep") or 0, steps.get("maxStep")
    lines = [
        line
        for line in _lines(node, "history")
        if low <= (step := json.loads(line).get("_step", 0)) and (high is None or step < high)
    ]
    return _sampled(lines, samples)


def _sampled(lines: list[str], samples: int | None) -> list[str]:
    if samples is None or samples <= 0 or len(lines) <= samples:
        return lines
    return [lines[index * len(lines) // samples] for index in range(samples)]


def _sampled_history(
    node: RunNode, _info: Info, specs: Sequence[str]
) -> list[list[dict[str, Any]]]:
    rows = [json.loads(line) for line in _lines(node, "history")]
    answer = []
    for spec in map(json.loads, specs):
        keys = spec.get("keys") or []
        answer.append([{k: row[k] for k in keys} for row in rows if all(k in row for k in keys)])
    return answer


def _stored(name: str) -> Callable[[RunNode, Info], Any]:
    return lambda node, _info: getattr(node.run, name)


def _time(name: str) -> Callable[[RunNode, Info], str | None]:
    return lambda node, _info: shown(getattr(node.run, name))


RUN_FIELDS: Mapping[str, Callable[..., Any]] = {
    "id": lambda n, _: global_id("Run", n.run.id, n.project.name, n.project.entity),
    "name": _stored("id"),
    "projectId": lambda *_: "1",
    "project": lambda node, _: node.project,
    "displayName": lambda node, _: node.run.display_name or node.run.id,
    "description": _stored("description"),
    "notes": _stored("notes"),
    "state": _stored("state"),
    "createdAt": _time("created_at"),
    "heartbeatAt": _time("heartbeat_at"),
    "updatedAt": lambda node, _: shown(node.run.updated_at or node.run.heartbeat_at),
    "computeSeconds": _stored("compute_seconds"),
    "group": _stored("group"),
    "jobType": _stored("job_type"),
    "sweepName": _stored("sweep"),
    "host": _stored("host"),
    "readOnly": lambda *_: False,
    "stopped": _stored("stopped"),
    "shouldStop": _stored("stopped"),
    "running": lambda node, _: node.run.state == "running",
    "failed": lambda node, _: node.run.state == "failed",
    "tags": _stored("tags"),
    "user": _user,
    "config": _config,
    "wandbConfig": _wandb_config,
    "summaryMetrics": _summary,
    "systemMetrics": _system_metrics,
    "runInfo": _run_info,
    "historyLineCount": lambda node, _: node.run.history_line_count or len(_lines(node, "history")),
    "eventsLineCount": lambda node, _: len(_lines(node, "events")),
    "logLineCount": lambda *_: 0,
    "historyTail": lambda node, _: json.dumps(_lines(node, "history")[-1:]),
    "eventsTail": lambda node, _: json.dumps(_lines(node, "events")[-1:]),
    "historyKeys": _history_keys,
    "history": _history,
    "events": lambda n, _, samples=None: _sampled(_lines(n, "events"), samples),
    "sampledHistory": _sampled_history,
    "parquetHistory": lambda *_, **__: {"parquetUrls": [], "liveData": []},
}

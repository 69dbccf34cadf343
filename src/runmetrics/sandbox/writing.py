"""What clients write: runs, the stream of a run's lines, and what the agents of sweeps say."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from runmetrics.sandbox.filters import BadRequest
from runmetrics.sandbox.resolvers import Context, Viewer
from runmetrics.sandbox.run_fields import RunNode, global_id, parts_of
from runmetrics.sandbox.store import (
    Project,
    RunLog,
    Store,
    StoredRun,
    Sweep,
    as_object,
    config_values,
    moment,
)

_TEXTS = {
    "displayName": "display_name",
    "description": "description",
    "notes": "notes",
    "groupName": "group",
    "jobType": "job_type",
    "host": "host",
    "sweep": "sweep",
    "state": "state",
    "summaryMetrics": "summary",
}


def _instant(seconds: float) -> datetime:
    """Return an instant in whole seconds, as the server keeps the times of runs."""
    return datetime.fromtimestamp(math.floor(seconds), UTC)


def _writer(context: Context) -> Viewer:
    """Return who writes. Raises BadRequest where that is not known."""
    if context.viewer is None:
        raise BadRequest("user is not logged in")
    return context.viewer


def _upsert_bucket(context: Context, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make a run, or change what is given of one; a null argument means keep."""
    writer = _writer(context)
    given = {key: value for key, value in asked.items() if value is not None}
    found = _by_global_id(context.store, given["id"]) if given.get("id") else None
    if found is None:
        entity = given.get("entityName") or writer.entity
        name = given.get("modelName") or "uncategorized"
        if not entity or "name" not in given:
            raise BadRequest("a run needs an entity and a name")
        project = context.store.project(entity, name)
        project.created_at = project.created_at or _instant(context.now)
        run = project.runs.get(given["name"])
    else:
        run, project = found
    inserted = run is None
    if run is None:
        now = _instant(context.now)
        run = StoredRun(
            given["name"],
            "running",
            now,
            now,
            display_name=f"run-{len(project.runs) + 1}",
            user=writer.username,
            log=RunLog(),
        )
        project.add(run)
    _change(run, given, resumed=not inserted and found is None)
    return {"bucket": RunNode(run, project), "inserted": inserted}


def _by_global_id(store: Store, opaque: str) -> RunNode | None:
    run_id, name, entity = parts_of(opaque)
    run = store.find(entity, name, run_id)
    return None if run is None else RunNode(run, store.project(entity, name))


def _change(run: StoredRun, given: Mapping[str, Any], *, resumed: bool) -> None:
    for argument, attribute in _TEXTS.items():
        if argument in given:
            setattr(run, attribute, given[argument])
    if "tags" in given:
        run.tags = tuple(given["tags"])
    if "config" in given:
        run.config = {**config_values(run.config), **config_values(given["config"])}
        _note_gpus(run)
    if resumed and "state" not in given:
        run.state = "running"


def _note_gpus(run: StoredRun) -> None:
    """GPU count and type, from the environment that the client put into the config last."""
    writers = (config_values(run.config).get("_wandb") or {}).get("e") or {}
    for environment in sorted(writers.values(), key=lambda writer: writer.get("startedAt", "")):
        run.gpu_count = environment.get("gpu_count") or run.gpu_count
        run.gpu = environment.get("gpu") or run.gpu


def _create_run_files(context: Context, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Say where a run's files are to be put."""
    _writer(context)
    entity, project, run = asked["entityName"], asked["projectName"], asked["runName"]
    base = f"{context.upload_url}/storage/{quote(entity)}/{quote(project)}/{quote(run)}"
    return {
        "runID": global_id("Run", run, project, entity),
        "uploadHeaders": [],
        "files": [{"name": f, "uploadUrl": f"{base}/{quote(f)}"} for f in asked["files"]],
    }


def _create_agent(context: Context, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make an agent known; its id says of which sweep it is."""
    agent = global_id("Agent", asked["sweep"], asked["projectName"], asked["entityName"])
    _sweep_of(context, agent)
    return {"agent": {"id": agent}}


def _agent_heartbeat(context: Context, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Hand out the next command, if there is one."""
    commands = _sweep_of(context, asked["id"]).commands
    due = [commands.pop(0)] if commands else []
    return {"agent": {"id": asked["id"]}, "commands": json.dumps(due)}


def _sweep_of(context: Context, agent: str) -> Sweep:
    _writer(context)
    name, project, entity = parts_of(agent)
    try:
        return context.store.projects[entity, project].sweeps[name]
    except KeyError:
        raise BadRequest(f"no sweep {name}") from None


def _mutation(
    write: Callable[[Context, Mapping[str, Any]], Mapping[str, Any]],
) -> Callable[..., Mapping[str, Any]]:
    """Return the resolver of a mutation, whose one argument in the schema is `input`."""
    return lambda _root, info, **arguments: write(info.context, arguments["input"])


MUTATIONS: Mapping[str, Callable[..., Any]] = {
    "upsertBucket": _mutation(_upsert_bucket),
    "createRunFiles": _mutation(_create_run_files),
    "createAgent": _mutation(_create_agent),
    "agentHeartbeat": _mutation(_agent_heartbeat),
}


def stream(run: StoredRun, post: Mapping[str, Any], now: float) -> None:
    """Take one file_stream post: lines, the summary, and at the end the exit code."""
    log = run.log = run.log or RunLog()
    for name, chunk in (post.get("files") or {}).items():
        lines, offset = chunk.get("content") or [], chunk.get("offset") or 0
        if name == "wandb-history.jsonl":
            log.history[offset:] = lines
        elif name == "wandb-events.jsonl":
            log.events[offset:] = lines
            _note_system_metrics(run, lines)
        elif name == "wandb-summary.json" and lines:
            run.summary = lines[-1]
    run.heartbeat_at = _instant(now)
    run.compute_seconds = _runtime(run)
    if post.get("preempting"):
        run.state = "preempting"
    elif post.get("complete"):
        ended_badly = "killed" if run.stopped else "failed"
        run.state = ended_badly if post.get("exitcode") else "finished"
    else:
        run.state = "running"


def _note_system_metrics(run: StoredRun, lines: list[str]) -> None:
    """Keep the latest value of each key: some clients send GPUs and CPU in lines of their own."""
    known = run.system_metrics
    merged = dict(known) if isinstance(known, Mapping) else {}
    for line in lines:
        merged.update(json.loads(line))
    run.system_metrics = merged


def _runtime(run: StoredRun) -> float | None:
    """Whole seconds the run has worked, as its client counts them: idle gaps of a resumed run not.

    The client tells them in its summary and with each sample of the machine.
    """
    summary, sample = as_object(run.summary), run.system_metrics
    told = [summary.get("_runtime"), (summary.get("_wandb") or {}).get("runtime")]
    told.append(sample.get("_runtime") if isinstance(sample, Mapping) else None)
    seconds = [value for value in told if isinstance(value, int | float)]
    return float(int(max(seconds))) if seconds else run.compute_seconds


def crash_silent_runs(project: Project, now: float, after_seconds: float) -> None:
    """Sweep as the server does: a running run without a heartbeat for so long has crashed."""
    limit = datetime.fromtimestamp(now, UTC) - timedelta(seconds=after_seconds)
    for run in project.runs.values():
        beat = moment(run.heartbeat_at)
        if run.state == "running" and beat is not None and beat < limit:
            run.state = "crashed"

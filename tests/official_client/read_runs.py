"""What the official client reads back, as JSON on stdout: python read_runs.py."""

import json
from typing import Any

import wandb


def as_read(run: Any) -> dict[str, Any]:
    """A run in the public API's own words."""
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "group": run.group,
        "job_type": run.job_type,
        "tags": run.tags,
        "user": run.user.username,
        "created_at": run.created_at,
        "heartbeat_at": run.heartbeat_at,
        "config": run.config,
        "summary": run.summary_metrics,
        "system": run.system_metrics,
        "history": run.history(pandas=False),
        "scanned": list(run.scan_history(keys=["_step", "accuracy"])),
        "events": run.history(pandas=False, stream="system"),
    }


def main() -> None:
    """Read every run of the project, and a few of them by filter and order."""
    api = wandb.Api()
    runs = api.runs("sandbox/metta", per_page=2, lazy=False)
    best = api.runs(
        "sandbox/metta",
        filters={"summary_metrics.accuracy": {"$gte": 0.7}, "state": {"$in": ["finished"]}},
        order="-heartbeat_at",
    )
    answer = {
        "viewer": api.viewer.username,
        "projects": [project.name for project in api.projects("sandbox")],
        "length": len(runs),
        "runs": {run.id: as_read(run) for run in runs},
        "finished": sorted(run.id for run in best),
        "one": as_read(api.run("sandbox/metta/finished"))["id"],
    }
    print(json.dumps(answer))  # noqa: T201 - the answer to the test


if __name__ == "__main__":
    main()

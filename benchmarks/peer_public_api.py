"""A peer: the ten by the best means that the official client's public API offers.

Only the runs of the window are read, whole pages at a time and not lazily (a lazy run costs a
request of its own as soon as its summary is looked at), and the rest comes from counts and
orders. What the API cannot do: ask for a part of a run, for several things in one request, for the
computed seconds, or for the GPU count but by a file of each run (so GPUs are counted in the
system metrics).
"""

import json
import math
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import wandb

WINDOW = timedelta(days=7)
EVER = datetime.min.replace(tzinfo=UTC)


def main(path: str) -> dict[str, float]:
    """Return the ten, with none of our proofs."""
    start = datetime.now(UTC) - WINDOW
    api = wandb.Api()
    scored = {"summary_metrics.accuracy": {"$exists": True}}
    best = api.runs(path, scored, order="-summary_metrics.accuracy", per_page=1, lazy=False)[0]
    lossy = {"summary_metrics.loss": {"$exists": True}}
    beats = api.runs(path, lossy, order="-heartbeat_at", per_page=10, lazy=False)
    lossy_runs = [beats[place] for place in range(10)]
    latest = max(
        (run for run in lossy_runs if numeric(run.summary_metrics["loss"]) is not None),
        key=lambda run: (run.heartbeat_at, run.created_at, run.id),
    )
    lately = {"heartbeatAt": {"$gt": f"{start:%Y-%m-%dT%H:%M:%SZ}"}}
    recent = list(api.runs(path, lately, per_page=1000, lazy=False))
    done = [run for run in recent if run.state == "finished"]
    accuracies = [numeric(run.summary_metrics.get("accuracy")) for run in done]
    used = [use for run in recent if (use := mean(utilization(run))) is not None]
    return {
        "wandb.runs.active": len(api.runs(path, {"state": "running"}, per_page=1)),
        "wandb.runs.completed_7d": len(done),
        "wandb.runs.failed_7d": sum(run.state in ("failed", "crashed") for run in recent),
        "wandb.runs.total": len(api.runs(path, per_page=1)),
        "wandb.metrics.best_accuracy": best.summary_metrics["accuracy"],
        "wandb.metrics.latest_loss": latest.summary_metrics["loss"],
        "wandb.metrics.avg_accuracy_7d": mean([a for a in accuracies if a is not None]) or 0.0,
        "wandb.training.avg_duration_hours": mean([hours(run) for run in done]) or 0.0,
        "wandb.training.gpu_utilization_avg": mean(used) or 0.0,
        "wandb.training.total_gpu_hours_7d": math.fsum(
            gpus(run) * hours(run, start) for run in recent
        ),
    }


def numeric(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def hours(run: Any, since: datetime = EVER) -> float:
    length = moment(run.heartbeat_at) - max(moment(run.created_at), since)
    return length.total_seconds() / 3600


def utilization(run: Any) -> list[float]:
    keys = [key for key in run.system_metrics if re.fullmatch(r"system\.gpu\.\d+\.gpu", key)]
    return [run.system_metrics[key] for key in keys]


def gpus(run: Any) -> int:
    return len(utilization(run)) or 1


if __name__ == "__main__":
    print(json.dumps(main(f"{os.environ['WANDB_ENTITY']}/{os.environ['WANDB_PROJECT']}")))

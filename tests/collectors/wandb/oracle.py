"""The ten computed by brute force from the definitions in docs/METRICS.md, over every run there is.

Deliberately naive and with no code of the package: a run here is a plain dict with id, state,
created_at and heartbeat_at (aware datetimes or None), summary and system (dicts), compute_seconds
and gpu_count (numbers or None).
"""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

RunDict = Mapping[str, Any]


def the_ten(runs: Iterable[RunDict], now: datetime) -> dict[str, float]:
    """Name to value; what has no data is absent."""
    runs = list(runs)
    start = now - timedelta(days=7)
    recent = [run for run in runs if _last(run) is not None and _last(run) >= start]
    done = [run for run in recent if run["state"] == "finished"]
    ten: dict[str, float | None] = {
        "wandb.runs.active": sum(run["state"] == "running" for run in runs),
        "wandb.runs.completed_7d": len(done),
        "wandb.runs.failed_7d": sum(run["state"] in ("failed", "crashed") for run in recent),
        "wandb.runs.total": len(runs),
        "wandb.metrics.best_accuracy": max(_numbers(runs, "accuracy"), default=None),
        "wandb.metrics.latest_loss": _latest_loss(runs),
        "wandb.metrics.avg_accuracy_7d": _mean(_numbers(done, "accuracy")),
        "wandb.training.avg_duration_hours": _mean(
            [seconds / 3600 for run in done if (seconds := _duration(run)) is not None]
        ),
        "wandb.training.gpu_utilization_avg": _mean(
            [mean for run in recent if (mean := _mean(_utilization(run))) is not None]
        ),
        "wandb.training.total_gpu_hours_7d": math.fsum(_gpu_hours(run, start) for run in recent),
    }
    return {name: float(value) for name, value in ten.items() if value is not None}


def _last(run: RunDict) -> Any:
    return run["heartbeat_at"] if run["heartbeat_at"] is not None else run["created_at"]


def _numeric(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(runs: Iterable[RunDict], key: str) -> list[float]:
    return [run["summary"][key] for run in runs if _numeric(run["summary"].get(key))]


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _latest_loss(runs: list[RunDict]) -> float | None:
    able = [run for run in runs if run["heartbeat_at"] and _numeric(run["summary"].get("loss"))]
    if not able:
        return None
    winner = max(able, key=lambda run: (run["heartbeat_at"], run["created_at"], run["id"]))
    return float(winner["summary"]["loss"])


def _duration(run: RunDict) -> float | None:
    if run["compute_seconds"] is not None and run["compute_seconds"] > 0:
        return float(run["compute_seconds"])
    if run["heartbeat_at"] is None or run["created_at"] is None:
        return None
    seconds = (run["heartbeat_at"] - run["created_at"]).total_seconds()
    return seconds if seconds >= 0 else None


def _utilization(run: RunDict) -> list[float]:
    return [
        value
        for key, value in run["system"].items()
        if re.fullmatch(r"system\.gpu\.\d+\.gpu(/l:.*)?", key) and _numeric(value)
    ]


def _gpus(run: RunDict) -> int:
    if run["gpu_count"]:
        return int(run["gpu_count"])
    seen = set()
    for key in run["system"]:
        if match := re.match(r"system\.gpu\.(\d+)\.[^/]*(/l:.*)?$", key):
            seen.add((match[1], match[2]))
    return len(seen) or 1


def _gpu_hours(run: RunDict, start: datetime) -> float:
    seconds = _duration(run)
    if seconds is None:
        return 0.0
    began = _last(run) - timedelta(seconds=seconds)
    overlap: float = (_last(run) - max(began, start)).total_seconds()
    return _gpus(run) * overlap / 3600

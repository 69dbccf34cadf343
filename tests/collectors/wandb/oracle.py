"""The ten computed by brute force from the definitions of docs/METRICS.md, over every run there is.

Deliberately naive and with no code of the package: a run here is a plain dict with id, state,
created_at and heartbeat_at (aware datetimes or None), summary and system (dicts), compute_seconds
and gpu_count (numbers or None).
"""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

RunDict = Mapping[str, Any]
DAY = timedelta(days=1)


def the_ten(
    runs: Iterable[RunDict], now: datetime, accuracy_key: str = "accuracy"
) -> dict[str, float]:
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
        "wandb.metrics.best_accuracy": max(_numbers(runs, accuracy_key), default=None),
        "wandb.metrics.latest_loss": _latest_loss(runs),
        "wandb.metrics.avg_accuracy_7d": _mean(_numbers(done, accuracy_key)),
        "wandb.training.avg_duration_hours": _mean(
            [seconds / 3600 for run in done if (seconds := _duration(run)) is not None]
        ),
        "wandb.training.gpu_utilization_avg": _mean(
            [mean for run in recent if (mean := _mean(_utilization(run))) is not None]
        ),
        "wandb.training.total_gpu_hours_7d": math.fsum(_gpu_hours(run, start) for run in recent),
    }
    return {name: float(value) for name, value in ten.items() if value is not None}


def _logged(run: RunDict) -> datetime | None:
    seconds = run["summary"].get("_timestamp")
    return datetime.fromtimestamp(seconds, UTC) if _numeric(seconds) else None


def _exit_seconds(run: RunDict) -> float:
    own = run["summary"].get("_wandb")
    seconds: Any = own.get("runtime") if isinstance(own, dict) else None
    return float(seconds) if _numeric(seconds) else 0.0


def _own_seconds(run: RunDict) -> float:
    seconds = run["summary"].get("_runtime")
    return _exit_seconds(run) or (float(seconds) if _numeric(seconds) else 0.0)


def _imported(run: RunDict) -> bool:
    created, beat, logged = run["created_at"], run["heartbeat_at"], _logged(run)
    if run["state"] == "running" or created is None or beat is None or logged is None:
        return False
    beaten = (beat - created).total_seconds()
    return bool(created - logged > DAY and _own_seconds(run) > 2 * beaten)


def _beat(run: RunDict) -> Any:
    return _logged(run) if _imported(run) else run["heartbeat_at"]


def _last(run: RunDict) -> Any:
    return _beat(run) if _beat(run) is not None else run["created_at"]


def _start(run: RunDict) -> Any:
    return _last(run) - timedelta(seconds=_duration(run) or 0) if _imported(run) else None


def _numeric(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _under(found: Any, key: str) -> Any:
    """What a dotted key means: the literal key where it is there, else the path."""
    if key in found:
        return found[key]
    head, dot, rest = key.partition(".")
    inner = found.get(head)
    return _under(inner, rest) if dot and isinstance(inner, dict) else None


def _numbers(runs: Iterable[RunDict], key: str) -> list[float]:
    values = [_under(run["summary"], key) for run in runs]
    return [value for value in values if _numeric(value)]


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _latest_loss(runs: list[RunDict]) -> float | None:
    able = [run for run in runs if _beat(run) and _numeric(run["summary"].get("loss"))]
    if not able:
        return None
    winner = max(able, key=lambda run: (_beat(run), _start(run) or run["created_at"], run["id"]))
    return float(winner["summary"]["loss"])


def _duration(run: RunDict) -> float | None:
    if _imported(run):
        return _own_seconds(run)
    if run["compute_seconds"] is not None and run["compute_seconds"] > 0:
        return float(run["compute_seconds"])
    if run["state"] in ("finished", "failed") and _exit_seconds(run) > 0:
        return _exit_seconds(run)
    if run["heartbeat_at"] is None or run["created_at"] is None:
        return None
    seconds = (run["heartbeat_at"] - run["created_at"]).total_seconds()
    return seconds if seconds >= 0 else None


def _gpu_keys(run: RunDict) -> list[tuple[str, str, str, Any]]:
    """GPU, name, label and value; where some have a label and some have none, the former alone."""
    found = []
    for key, value in run["system"].items():
        if match := re.fullmatch(r"system\.gpu\.(\d+)\.([^/]*)(/l:.*)?", key):
            found.append((match[1], match[2], match[3] or "", value))
    labelled = [each for each in found if each[2]]
    return labelled or found


def _utilization(run: RunDict) -> list[float]:
    return [value for _, name, _, value in _gpu_keys(run) if name == "gpu" and _numeric(value)]


def _gpus(run: RunDict) -> int:
    seen = len({(gpu, label) for gpu, _, label, _ in _gpu_keys(run)})
    nodes = len({label for _, _, label, _ in _gpu_keys(run) if label})
    if nodes > 1:
        return max(int(run["gpu_count"] or 0), seen)
    return int(run["gpu_count"] or 0) or seen or 1


def _gpu_hours(run: RunDict, start: datetime) -> float:
    seconds = _duration(run)
    if seconds is None:
        return 0.0
    began = _last(run) - timedelta(seconds=seconds)
    overlap: float = (_last(run) - max(began, start)).total_seconds()
    return _gpus(run) * overlap / 3600

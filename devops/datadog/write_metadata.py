"""Write metadata.csv, what Datadog is to know of each metric; --check only says if it is stale.

The rows are the catalog's. Whether more is better is said here: it is a matter of opinion.
"""

import sys
from pathlib import Path

from runmetrics.assets.metadata import as_csv, describe

PATH = Path(__file__).with_name("metadata.csv")
MORE_IS_BETTER = (
    "wandb.runs.completed_7d",
    "wandb.metrics.best_accuracy",
    "wandb.metrics.avg_accuracy_7d",
    "wandb.training.gpu_utilization_avg",
    "wandb.gpu.utilization_running",
    "wandb.throughput.finished_24h",
    "runmetrics.up",
)
LESS_IS_BETTER = (
    "wandb.runs.failed_7d",
    "wandb.metrics.latest_loss",
    "wandb.health.stale",
    "wandb.health.longest_silence_minutes",
    "wandb.health.crashed_7d",
    "wandb.health.preempted_7d",
    "wandb.health.loss_not_finite_7d",
    "wandb.health.accuracy_not_finite_7d",
    "wandb.gpu.idle",
    "wandb.throughput.failed_24h",
    "runmetrics.metrics_unknown",
    "runmetrics.samples_dropped",
    "runmetrics.data_age_seconds",
)


def text() -> str:
    """The file as it ought to be."""
    orientation = dict.fromkeys(MORE_IS_BETTER, 1) | dict.fromkeys(LESS_IS_BETTER, -1)
    return as_csv(describe(None, accuracy_key="accuracy", loss_key="loss"), orientation)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        stale = not PATH.exists() or PATH.read_text() != text()
        sys.exit(f"{PATH.name} is stale: run {Path(__file__).name}" if stale else 0)
    PATH.write_text(text())

"""Say what Datadog is told about each metric: unit, description, type, a short name."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runmetrics import self_metrics
from runmetrics.collectors.wandb.metrics.catalog import Catalog, load_catalog
from runmetrics.collectors.wandb.metrics.file import ConfigFile, parse_config
from runmetrics.collectors.wandb.metrics.layout import PACKS
from runmetrics.config.file_settings import FileSettings

INTEGRATION = "runmetrics"
COLUMNS = (
    *("metric_name", "metric_type", "interval", "unit_name", "per_unit_name", "description"),
    *("orientation", "integration", "short_name", "curated_metric"),
)
"""Of a metadata.csv in Datadog's repositories of integrations."""

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
    "wandb.health.silent",
    "wandb.health.longest_silence_minutes",
    "wandb.health.stalled",
    "wandb.health.longest_stall_minutes",
    "wandb.health.crashed_7d",
    "wandb.health.preempted_7d",
    "wandb.health.loss_not_finite_7d",
    "wandb.health.accuracy_not_finite_7d",
    "wandb.gpu.idle",
    "wandb.gpu_hours.stalled_7d",
    "wandb.gpu_hours.unlogged_7d",
    "wandb.gpu_hours.assumed_7d",
    "wandb.cost.total_7d",
    "wandb.cost.stalled_7d",
    "wandb.throughput.failed_24h",
    "runmetrics.metrics_unknown",
    "runmetrics.remarks",
    "runmetrics.samples_dropped",
    "runmetrics.data_age_seconds",
)
"""Whether a greater value is better is a matter of opinion: these are ours."""

_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Described:
    """One metric, a gauge as all of ours; `unit` is a word of Datadog's catalogue or empty."""

    name: str
    unit: str
    description: str

    @property
    def short_name(self) -> str:
        """Return the name without its first part, in words."""
        return self.name.partition(".")[2].replace(".", " ").replace("_", " ") or self.name

    def metadata(self) -> dict[str, str]:
        """Return it as Datadog keeps it."""
        told = {
            "type": "gauge",
            "unit": self.unit,
            "description": self.description,
            "short_name": self.short_name,
        }
        return {key: value for key, value in told.items() if value}


def describe(config: ConfigFile | None, settings: FileSettings) -> list[Described]:
    """Describe all built-in metrics, packs included, the user's own, and those about ourselves."""
    everything = parse_config(f"packs: [{', '.join(PACKS)}]", Path("packs"), shipped=True)
    found: dict[str, Described] = {}
    for file in (everything, config):
        found |= {each.name: each for each in _described(load_catalog(file, settings))}
    for name, (unit, description) in self_metrics.DESCRIPTIONS.items():
        found[name] = Described(name, unit, description)
    return list(found.values())


def as_csv(metrics: Iterable[Described]) -> str:
    """Return a metadata.csv; orientation is 1 where more is better, -1 where less is, else 0."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in metrics:
        better = (one.name in MORE_IS_BETTER) - (one.name in LESS_IS_BETTER)
        about = (one.unit, "", one.description, better, INTEGRATION, one.short_name, "")
        writer.writerow((one.name, "gauge", "", *about))
    return out.getvalue()


def _described(catalog: Catalog) -> Iterable[Described]:
    for metric in catalog.metrics:
        yield Described(metric.name, metric.unit, (metric.description or metric.words())[:_LONGEST])

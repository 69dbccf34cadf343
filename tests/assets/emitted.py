"""What is really sent: every pack collected from a sandbox, and read back at both ends."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from runmetrics import pipeline, self_metrics
from runmetrics.collectors.wandb.collector import WandbCollector
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.metrics.layout import PACKS
from runmetrics.config.credentials import ApiKey
from runmetrics.config.file_settings import Project
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.model import Delivery, Drop
from runmetrics.plugins import Setup
from runmetrics.sandbox.intake import INTAKE_KEY, DatadogIntake
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox
from runmetrics.sinks.datadog import DatadogSink
from runmetrics.sinks.prometheus.families import families_of
from runmetrics.testing import CapturingSink
from tests.collectors.wandb.collecting import NOW, ago, run, sandbox_of

Tags = dict[str, frozenset[str]]


@dataclass(frozen=True)
class Emitted:
    """Names and the keys of their tags, at Datadog and as Prometheus' families; units there."""

    datadog: Tags
    units: dict[str, str]
    prometheus: Tags


def emitted() -> Emitted:
    """One collection with all packs, of a team; env, service and version are set."""
    whole: dict[str, Any] = {
        "summary": {"accuracy": 0.5, "loss": 0.25},
        "gpu_count": 2,
        "gpu": "NVIDIA H100",
        "system_metrics": {"system.gpu.0.gpu": 80},
    }
    runs = [run("done", **whole), run("live", "running", beat=ago(minutes=1), **whole)]
    with sandbox_of(*runs) as wandb, DatadogIntake(clock=NOW.timestamp) as intake:
        capturing = CapturingSink()
        key = ApiKey(SecretStr(INTAKE_KEY), "DD_API_KEY")
        unified = ["env:prod", "service:wandb-collector", "version:1"]
        sink = DatadogSink(lambda _deadline: key, url=intake.url, tags=unified, clock=NOW.timestamp)
        outcome = pipeline.run(_collector(wandb), [sink, capturing], NOW, Deadline(60))
        assert not outcome.collection.problems
        assert not outcome.collection.missing
        lost = Delivery("datadog", dropped=(Drop(outcome.collection.samples[0], "rejected"),))
        dropped = self_metrics.dropped("wandb", [lost], NOW)
        assert len(sink.deliver(dropped, Deadline(60)).accepted) == len(dropped)
        kept = [each for each in capturing.samples if each.name != self_metrics.DATA_AGE]
        taken = Delivery("datadog", accepted=outcome.collection.samples)
        told = self_metrics.delivered("wandb", [taken], {"datadog": NOW.timestamp()}, NOW)
        read_at = self_metrics.data_time(NOW, {"collector": "wandb"})
        families = families_of([*kept, *dropped, *told, read_at]).families
        return Emitted(
            datadog={
                point.name: frozenset(tag.split(":")[0] for tag in point.tags)
                for point in intake.points
            },
            units={point.name: point.unit for point in intake.points},
            prometheus={
                family.name: frozenset(name for labels in family.points for name, _ in labels)
                for family in families
            },
        )


def _collector(wandb: WandbSandbox) -> WandbCollector:
    settings = Settings(
        wandb_api_key=SecretStr(SANDBOX_KEY),
        projects=(Project(path="e/p", tags={"team": "nlp"}),),
        base_url=wandb.url,
    )
    text = f"packs: [{', '.join(PACKS)}]\ngpu_prices: {{default: 2}}"
    packs = parse_config(text, Path("runmetrics.yaml"))
    return WandbCollector(Setup(settings, packs))

"""The ten through the real sinks into a store that others wrote, read back with PromQL.

With FULL_CI set, and a Go toolchain to build the store: it takes minutes, once.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runmetrics.deadline import Deadline
from runmetrics.model import Sample
from runmetrics.plugins import open_sinks
from runmetrics.testing import setup_with
from tests.sinks.conftest import CACHE
from tests.sinks.prometheus.prometheus_case import ten
from tests.sinks.victoria_metrics import (
    VictoriaMetrics,
    find_victoria_metrics,
    running_victoria_metrics,
)

pytestmark = [
    pytest.mark.skipif(not os.environ.get("FULL_CI"), reason="builds a server, once"),
    pytest.mark.skipif(not shutil.which("go"), reason="no Go toolchain"),
]

TAGS = {"collector": "wandb", "wandb_project": "metta", "team": "Ada & Bob"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaMetrics]:
    command = find_victoria_metrics(CACHE)
    with running_victoria_metrics(command, tmp_path_factory.mktemp("victoria")) as server:
        yield server


@pytest.fixture(scope="module")
def pushed(store: VictoriaMetrics) -> list[Sample]:
    """The ten, each with another value, delivered by both sinks as the command opens them."""
    now = datetime.now(UTC)
    samples = [
        replace(one, time=now, value=number + 0.25, tags=TAGS)
        for number, one in enumerate(ten(), start=1)
    ]
    setup = setup_with(
        {
            "DD_API_KEY": "k" * 32,
            "DD_URL": f"{store.url}/datadog",
            "DD_ENV": "prod",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{store.url}/opentelemetry",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        }
    )
    for sink in open_sinks(["datadog", "otlp"], setup):
        sink.check(Deadline(60))
        delivery = sink.deliver(samples, Deadline(60))
        assert (delivery.accepted, delivery.error) == (tuple(samples), "")
    return samples


def test_datadogs_series_arrive_with_names_values_and_times_in_whole_seconds(
    store: VictoriaMetrics, pushed: list[Sample]
) -> None:
    found = [store.ask(one.name, 'env="prod"') for one in pushed]

    assert [(each.labels["__name__"], each.value, each.time) for each in found] == [
        (one.name, one.value, float(int(one.time.timestamp()))) for one in pushed
    ]


def test_datadogs_series_have_their_tags_and_no_others(
    store: VictoriaMetrics, pushed: list[Sample]
) -> None:
    assert store.ask(pushed[0].name, 'env="prod"').labels == {
        "__name__": "wandb.runs.active",
        "collector": "wandb",
        "env": "prod",
        "team": "ada_bob",
        "wandb_project": "metta",
    }


def test_otlp_points_arrive_with_names_values_tags_and_times_to_the_millisecond(
    store: VictoriaMetrics, pushed: list[Sample]
) -> None:
    found = [store.ask(one.name, 'service.name="runmetrics"') for one in pushed]

    assert [(each.labels["__name__"], each.value, each.time) for each in found] == [
        (one.name, one.value, int(one.time.timestamp() * 1000) / 1000) for one in pushed
    ]
    assert all(each.labels.items() >= TAGS.items() for each in found)
    assert {each.labels["deployment.environment.name"] for each in found} == {"prod"}

"""What the OTLP sink sends, where to, and as whom; read back from a receiver we did not write."""

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode
from runmetrics.plugins import Setup, Sink
from runmetrics.sinks.otlp import OtlpSink
from tests.sinks.otlp.otlp_agent import OtlpAgent
from tests.sinks.otlp.otlp_case import CANARY, NANOSECONDS, NOW, deliver, metrics, receiver, sample

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def words(attributes: list[dict[str, Any]]) -> dict[str, str]:
    return {one["key"]: one["value"]["string_value"] for one in attributes}


def speaker(agent: OtlpAgent) -> dict[str, str]:
    (found,) = agent.resource_metrics()
    return words(found["resource"]["attributes"])


def test_a_receiver_of_others_reads_name_unit_value_tags_and_time(otlp_agent: OtlpAgent) -> None:
    delivery = deliver(
        otlp_agent.url,
        [
            sample(
                "wandb.training.total_gpu_hours_7d",
                2.5,
                unit="hour",
                description="GPU hours",
                tags={"wandb_project": "metta"},
            )
        ],
    )

    assert (delivery.code, delivery.requests, len(delivery.accepted)) == (ExitCode.OK, 1, 1)
    (scope,) = otlp_agent.resource_metrics()[0]["scope_metrics"]
    assert scope["scope"]["name"] == "runmetrics"
    assert scope["metrics"] == [
        {
            "name": "wandb.training.total_gpu_hours_7d",
            "description": "GPU hours",
            "unit": "h",
            "gauge": {
                "data_points": [
                    {
                        "time_unix_nano": str(NANOSECONDS),
                        "as_double": 2.5,
                        "attributes": [
                            {"key": "wandb_project", "value": {"string_value": "metta"}}
                        ],
                    }
                ]
            },
        }
    ]


def test_each_point_keeps_its_own_time(otlp_agent: OtlpAgent) -> None:
    deliver(otlp_agent.url, [sample(value=1, time=NOW - timedelta(minutes=50)), sample(value=2)])

    (metric,) = otlp_agent.resource_metrics()[0]["scope_metrics"][0]["metrics"]
    assert {
        int(point["time_unix_nano"]): point["as_double"] for point in metric["gauge"]["data_points"]
    } == {NANOSECONDS - 3_000_000_000_000: 1.0, NANOSECONDS: 2.0}


def opened(url: str, settings: Settings | None = None, **variables: str) -> OtlpSink:
    """The sink as these settings and variables say."""
    return OtlpSink.open(Setup(settings or Settings(), environ={ENDPOINT: url, **variables}))


def test_it_speaks_as_runmetrics_where_nothing_is_set(otlp_agent: OtlpAgent) -> None:
    opened(otlp_agent.url).deliver([sample()], Deadline(60))

    assert speaker(otlp_agent) == {"service.name": "runmetrics"}


def test_it_speaks_as_the_unified_service_tags_say(otlp_agent: OtlpAgent) -> None:
    settings = Settings(dd_service="training", dd_env="prod", dd_version="1.2")

    opened(otlp_agent.url, settings).deliver([sample()], Deadline(60))

    assert speaker(otlp_agent) == {
        "service.name": "training",
        "service.version": "1.2",
        "deployment.environment": "prod",
        "deployment.environment.name": "prod",
    }


def test_opentelemetrys_own_variables_win(otlp_agent: OtlpAgent) -> None:
    settings = Settings(dd_service="training", dd_env="prod")

    opened(
        otlp_agent.url,
        settings,
        OTEL_SERVICE_NAME="mine",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=dev,team=ml%20ops",
    ).deliver([sample()], Deadline(60))

    assert speaker(otlp_agent) == {
        "service.name": "mine",
        "deployment.environment": "prod",
        "deployment.environment.name": "dev",
        "team": "ml ops",
    }


def test_headers_compression_and_the_metrics_endpoint_are_honoured() -> None:
    with receiver() as server:
        opened(
            "http://127.0.0.1:9",
            OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"{server.url}/custom",
            OTEL_EXPORTER_OTLP_METRICS_HEADERS=f"api-key={CANARY}",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        ).deliver([sample()], Deadline(60))

    (request,) = server.requests
    assert request.path == "/custom"
    assert request.headers["api-key"] == CANARY
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert [metric.name for metric in metrics(request)] == ["wandb.runs.active"]


def test_the_environment_of_the_process_is_not_asked_past_the_setup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiver() as server:
        sink = opened(server.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-from=the-process")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "the-process")
        sink.deliver([sample()], Deadline(60))

    (request,) = server.requests
    assert "x-from" not in request.headers
    assert b"the-process" not in request.body


def test_it_is_a_sink() -> None:
    found: Sink = opened("http://localhost:4318")

    assert found.name == "otlp"


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from runmetrics.config.settings import Settings\n"
        "from runmetrics import Setup\n"
        "from runmetrics.sinks.otlp import OtlpSink\n"
        "try: OtlpSink.open(Setup(Settings()))\n"
        "except Exception as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert said.stdout.decode() == (
        "the sink otlp needs packages that are not installed:"
        " install runmetrics with its extra, runmetrics[otlp]"
        " (in a clone: uv run --extra otlp runmetrics ...)\n"
    )


def test_opening_the_sink_does_not_import_opentelemetry() -> None:
    program = (
        "import sys; from runmetrics.config.settings import Settings;"
        "from runmetrics import Setup; from runmetrics.sinks.otlp import OtlpSink;"
        "OtlpSink.open(Setup(Settings()));"
        "loaded = {'opentelemetry.proto', 'httpx', 'google.protobuf'} & set(sys.modules);"
        "sys.exit(bool(loaded))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

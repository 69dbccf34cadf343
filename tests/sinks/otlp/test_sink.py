"""What the OTLP sink sends, where to, and as whom; read back from a receiver we did not write."""

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, ExitCode
from runmetrics.logs import redact
from runmetrics.sinks import Sink
from runmetrics.sinks.otlp.sink import OtlpSink, metrics_url
from tests.sinks.otlp.otlp_agent import OtlpAgent
from tests.sinks.otlp.otlp_case import CANARY, NANOSECONDS, NOW, deliver, metrics, receiver, sample

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def words(attributes: list[dict[str, Any]]) -> dict[str, str]:
    return {one["key"]: one["value"]["string_value"] for one in attributes}


def speaker(agent: OtlpAgent) -> dict[str, str]:
    (found,) = agent.resource_metrics()
    return words(found["resource"]["attributes"])


def test_a_receiver_of_others_reads_name_unit_value_tags_and_time(
    otlp_agent: OtlpAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, otlp_agent.url)

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


def test_each_point_keeps_its_own_time(
    otlp_agent: OtlpAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, otlp_agent.url)

    deliver(otlp_agent.url, [sample(value=1, time=NOW - timedelta(minutes=50)), sample(value=2)])

    (metric,) = otlp_agent.resource_metrics()[0]["scope_metrics"][0]["metrics"]
    assert {
        int(point["time_unix_nano"]): point["as_double"] for point in metric["gauge"]["data_points"]
    } == {NANOSECONDS - 3_000_000_000_000: 1.0, NANOSECONDS: 2.0}


def test_it_speaks_as_runmetrics_where_nothing_is_set(
    otlp_agent: OtlpAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, otlp_agent.url)

    OtlpSink.open(Settings(), Deadline(5)).deliver([sample()], Deadline(5))

    assert speaker(otlp_agent) == {"service.name": "runmetrics"}


def test_it_speaks_as_the_unified_service_tags_say(
    otlp_agent: OtlpAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, otlp_agent.url)
    settings = Settings(dd_service="training", dd_env="prod", dd_version="1.2")

    OtlpSink.open(settings, Deadline(5)).deliver([sample()], Deadline(5))

    assert speaker(otlp_agent) == {
        "service.name": "training",
        "service.version": "1.2",
        "deployment.environment": "prod",
        "deployment.environment.name": "prod",
    }


def test_opentelemetrys_own_variables_win(
    otlp_agent: OtlpAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, otlp_agent.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=dev,team=ml")
    settings = Settings(dd_service="training", dd_env="prod")

    OtlpSink.open(settings, Deadline(5)).deliver([sample()], Deadline(5))

    assert speaker(otlp_agent) == {
        "service.name": "mine",
        "deployment.environment": "prod",
        "deployment.environment.name": "dev",
        "team": "ml",
    }


def test_headers_compression_and_the_metrics_endpoint_are_honoured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiver() as server:
        monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{server.url}/custom")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", f"api-key={CANARY}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")

        OtlpSink.open(Settings(), Deadline(5)).deliver([sample()], Deadline(5))

    (request,) = server.requests
    assert request.path == "/custom"
    assert request.headers["api-key"] == CANARY
    assert request.headers["content-encoding"] == "gzip"
    assert [metric.name for metric in metrics(request)] == ["wandb.runs.active"]


def test_the_values_of_headers_are_hidden_from_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"api-key=Basic%20{CANARY}, tenant=t")

    metrics_url()

    assert redact(f"header 'Basic {CANARY}'") == "header '***'"


def test_a_password_of_the_netrc_file_does_not_go_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login user password {CANARY}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with receiver() as server:
        monkeypatch.setenv(ENDPOINT, server.url)
        deliver(server.url, [sample()])

    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://localhost:4318/v1/metrics"),
        ({"ENDPOINT": "http://otel.svc:4318/"}, "http://otel.svc:4318/v1/metrics"),
        ({"ENDPOINT": "https://a.test/x", "HEADERS": "k=v"}, "https://a.test/x/v1/metrics"),
        (
            {"ENDPOINT": "https://a.test", "METRICS_ENDPOINT": "https://b.test/m"},
            "https://b.test/m",
        ),
    ],
)
def test_the_url_of_messages_is_where_the_exporter_posts(
    variables: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)

    assert metrics_url() == url


@pytest.mark.parametrize(
    ("endpoint", "headers", "fault"),
    [
        ("ftp://a.test", "", '"ftp://a.test" is not an https URL: write https://HOST'),
        (
            "http://a.test",
            f"api-key={CANARY}",
            (
                "would send the key to a.test unencrypted: "
                "use https, or set RUNMETRICS_ALLOW_INSECURE_HTTP=true"
            ),
        ),
        (
            f"https://user:{CANARY}@a.test",
            "",
            "holds a user name or a password: write https://HOST without them",
        ),
    ],
)
def test_an_address_that_is_none_or_over_which_a_key_must_not_go_is_refused(
    endpoint: str, headers: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", headers)

    with pytest.raises(ConfigurationError) as refused:
        OtlpSink.open(Settings(), Deadline(5))

    assert str(refused.value) == f"{ENDPOINT} {fault}"


def test_it_is_a_sink() -> None:
    found: Sink = OtlpSink.open(Settings(), Deadline(5))

    assert found.name == "otlp"


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from runmetrics.config.settings import Settings\n"
        "from runmetrics.sinks.otlp.sink import OtlpSink\n"
        "try: OtlpSink.open(Settings(), None)\n"
        "except Exception as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert said.stdout.decode() == 'the sink otlp needs an extra: pip install "runmetrics[otlp]"\n'


def test_opening_the_sink_does_not_import_opentelemetry() -> None:
    program = (
        "import sys; from runmetrics.config.settings import Settings;"
        "from runmetrics.sinks.otlp.sink import OtlpSink; OtlpSink.open(Settings(), None);"
        "loaded = {'opentelemetry.sdk', 'requests', 'httpx', 'google.protobuf'} & set(sys.modules);"
        "sys.exit(bool(loaded))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

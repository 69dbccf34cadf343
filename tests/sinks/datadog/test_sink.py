"""How the Datadog sink is found, configured and kept from sending a key astray."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from datadog_api_client import Configuration
from pydantic import SecretStr

from runmetrics.config.rules import DATADOG_SITES
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.plugins import Setup, Sink, open_sinks
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sinks.datadog import DatadogSink
from runmetrics.sinks.datadog.sink import intake_url
from tests.sinks.datadog.datadog_case import CANARY, key, sample


def test_the_datadog_sink_is_found_by_its_name() -> None:
    (found,) = open_sinks(["datadog"], Setup(Settings()))

    assert isinstance(found, DatadogSink)


def test_it_is_a_sink() -> None:
    found: Sink = DatadogSink(lambda _deadline: key())

    assert found.name == "datadog"


def test_a_site_is_the_api_host_of_one_that_the_official_client_lists() -> None:
    listed = Configuration().get_host_settings()[0]["variables"]["site"]["enum_values"]

    assert set(DATADOG_SITES) == set(listed)
    assert intake_url("us5.datadoghq.com") == "https://api.us5.datadoghq.com"


def test_a_whole_url_overrides_the_site() -> None:
    assert intake_url("datadoghq.com", "https://proxy.test/dd/") == "https://proxy.test/dd"


@pytest.mark.parametrize(
    ("site", "url", "variable"),
    [
        ("datadoghq.test", None, "DD_SITE"),
        ("datadoghq.com@evil.test", None, "DD_SITE"),
        ("datadoghq.com", "http://intake.test", "DD_URL"),
        ("datadoghq.com", "ftp://intake.test", "DD_URL"),
        ("datadoghq.com", "https://user:pass@intake.test", "DD_URL"),
        ("datadoghq.com", "https://intake.test?to=evil", "DD_URL"),
        ("datadoghq.com", "http://169.254.169.254", "DD_URL"),
    ],
)
def test_an_address_over_which_a_key_must_not_go_is_refused(
    site: str, url: str | None, variable: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{variable} "):
        DatadogSink(lambda _deadline: key(), site=site, url=url)


def test_settings_give_address_and_unified_service_tags_before_dd_tags() -> None:
    with DatadogIntake(keys=[CANARY]) as intake:
        settings = Settings(
            dd_api_key=SecretStr(CANARY),
            dd_url=intake.url,
            dd_env="prod",
            dd_service="training",
            dd_version="1.2",
            dd_tags=("env:ignored", "team:ml"),
        )

        found = DatadogSink.open(Setup(settings))
        found.deliver([sample(time=datetime.now(UTC))], Deadline(60))

        assert [point.tags for point in intake.points] == [
            ("env:prod", "service:training", "team:ml", "version:1.2")
        ]


def test_a_key_in_a_file_that_rotates_is_read_anew_by_each_delivery(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with DatadogIntake(keys=["canary-of-today"]) as intake:
        sink = DatadogSink.open(Setup(Settings(dd_api_key_file=file, dd_url=intake.url)))
        codes = []
        for key_in_file, key_that_counts in (
            ("canary-of-today", "canary-of-today"),
            ("canary-of-tomorrow", "canary-of-tomorrow"),
        ):
            file.write_text(key_in_file)
            intake.keys = {key_that_counts}
            one = sample(f"wandb.{key_in_file}", time=datetime.now(UTC))
            codes.append(sink.deliver([one], Deadline(60)).code)

        assert codes == [0, 0]
        assert [request.headers["dd-api-key"] for request in intake.server.requests] == [
            "canary-of-today",
            "canary-of-tomorrow",
        ]


def test_importing_the_sink_does_not_import_the_slow_client() -> None:
    program = (
        "import sys, runmetrics.sinks.datadog;"
        "sys.exit(not {'datadog_api_client', 'httpx'}.isdisjoint(sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_preloading_imports_what_a_delivery_needs() -> None:
    program = (
        "import sys; from runmetrics.sinks.datadog import DatadogSink; DatadogSink(None).preload();"
        "needed = {'datadog_api_client.v2.api.metrics_api', 'httpx'};"
        "sys.exit(not needed <= set(sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

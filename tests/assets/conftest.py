"""What the tests of the assets share: what is sent, and a Datadog to push to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from runmetrics.assets.alerts import Split
from runmetrics.assets.monitors import Compiled, compile_monitors
from runmetrics.collectors.wandb.metrics.catalog import load_catalog
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.metrics.layout import PACKS
from runmetrics.config.file_settings import FileSettings
from runmetrics.sandbox.intake import DatadogIntake
from tests.assets.emitted import Emitted, emitted
from tests.cli.metrics.case import Ended, command
from tests.sinks.prometheus.promtool import find_promtool

API_KEY = "api-canary-of-no-known-pattern"
APP_KEY = "app-canary-of-no-known-pattern"


@pytest.fixture(scope="session")
def sent() -> Emitted:
    return emitted()


@pytest.fixture(scope="session")
def promtool() -> Path:
    return find_promtool(Path(__file__).parents[2] / ".cache")


def compiled(
    text: str = "", *, pages: str = "https://wandb.ai", tags: Sequence[str] = ()
) -> Compiled:
    """The monitors of a file with all packs; `tags` are what every project carries."""
    file = parse_config(f"packs: [{', '.join(PACKS)}]\n{text}", Path("mine.yaml"), shipped=True)
    catalog = load_catalog(file, FileSettings())
    return compile_monitors(catalog, file, Split(pages, tuple(tags)))


@dataclass(frozen=True)
class Datadog:
    """An organisation at Datadog, and its keys in the environment."""

    intake: DatadogIntake

    def run(self, *arguments: str | Path, **environment: str) -> Ended:
        """Run one command against it; no key is ever shown."""
        ours = {"DD_URL": self.intake.url, "DD_API_KEY": API_KEY, "DD_APP_KEY": APP_KEY}
        ended = command(*arguments, sandbox=None, **{**ours, **environment})
        assert not any(key in ended.out + ended.err for key in (API_KEY, APP_KEY))
        assert "Traceback" not in ended.err
        return ended

    @property
    def written(self) -> list[str]:
        """Requests that changed something, so far."""
        return [
            f"{request.method} {request.path}"
            for request in self.intake.server.requests
            if request.method != "GET"
        ]


@pytest.fixture
def organisation() -> Iterator[Datadog]:
    with DatadogIntake(keys=[API_KEY], app_keys=[APP_KEY]) as intake:
        yield Datadog(intake)

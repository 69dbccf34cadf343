"""Judges of what the sinks deliver, each of which we did not write."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.otlp.otlp_agent import OtlpAgent, find_agent, running_agent
from tests.sinks.prometheus.promtool import find_promtool

CACHE = Path(__file__).parents[2] / ".cache"


@pytest.fixture(scope="session")
def promtool() -> Path:
    return find_promtool(CACHE)


@pytest.fixture(scope="session")
def running_otlp_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtlpAgent]:
    with running_agent(find_agent(CACHE), tmp_path_factory.mktemp("otlp-agent")) as agent:
        yield agent


@pytest.fixture
def otlp_agent(running_otlp_agent: OtlpAgent) -> OtlpAgent:
    running_otlp_agent.clear()
    return running_otlp_agent

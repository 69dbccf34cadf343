"""What the tests of `serve` look with: a project known by heart, a Prometheus, a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import intake, store, wandb  # noqa: F401 - fixtures
from tests.serve.chromium import FLAGS, find_chromium
from tests.sinks.conftest import CACHE, promtool  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def chromium() -> Path:
    return find_chromium(CACHE)


@pytest.fixture(scope="module")
def browser(chromium: Path) -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield started
        started.close()

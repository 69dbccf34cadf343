"""The chart, rendered by the real helm."""

import pytest

from .helm_chart import REPOSITORY, Chart, find_helm


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return Chart(find_helm(REPOSITORY / ".cache"), home=tmp_path_factory.mktemp("helm-home"))

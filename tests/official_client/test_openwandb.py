"""The official client logs into a server that we did not write, and the ten come out right.

openwandb cannot filter, has no system metrics and takes a failed run for a finished one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from runmetrics.errors import ExitCode
from runmetrics.model import Collection
from tests.collectors.wandb.collecting import (
    ACTIVE,
    AVERAGE,
    BEST,
    COMPLETED,
    DURATION,
    FAILED,
    GPU_HOURS,
    LATEST,
    TEN,
    TOTAL,
    UTILIZATION,
    collect,
    unknown,
    values,
)
from tests.official_client.openwandb import ENTITY, KEY, OpenWandb, running
from tests.official_client.real_runs import log

OF_A_TEAM = """
builtin: false
metrics:
  - name: wandb.runs.of_a_team
    unit: run
    count: runs
    where: {group: nightly}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenWandb]:
    """openwandb with three runs that the official client logged."""
    home: Path = tmp_path_factory.mktemp("openwandb")
    with running(home) as server:
        for how in ("finished", "failed", "resumed"):
            log(server, home, how, WANDB_API_KEY=KEY, WANDB_ENTITY=ENTITY)
        yield server


def read(server: OpenWandb, yaml: str = "") -> Collection:
    now, key = datetime.now(UTC), SecretStr(KEY)
    return collect(server, yaml=yaml, now=now, wandb_api_key=key, entity=ENTITY, project="metta")


def test_the_ten_are_right_or_unknown_and_named(server: OpenWandb) -> None:
    found = read(server)
    assert unknown(found) == {UTILIZATION}
    sent = values(found)
    assert sent.keys() == {*TEN} - {UTILIZATION}
    assert (sent[TOTAL], sent[ACTIVE], sent[FAILED]) == (3, 0, 0)
    assert sent[COMPLETED] == 3
    assert (sent[BEST], sent[LATEST]) == (0.7, 1.0)
    assert sent[AVERAGE] == pytest.approx(0.7)
    assert 0 < sent[DURATION] < 0.1
    assert sent[GPU_HOURS] == pytest.approx(3 * sent[DURATION])


def test_what_the_server_cannot_do_is_said(server: OpenWandb) -> None:
    found = read(server)
    assert "this W&B server cannot filter runs: all 3 of the project were read" in found.notices
    [problem] = found.problems
    assert problem.cause == "this W&B server has no field 'systemMetrics'"
    assert problem.code is ExitCode.CONFIGURATION


def test_a_metric_with_a_filter_is_unknown(server: OpenWandb) -> None:
    found = read(server, OF_A_TEAM)
    assert values(found) == {}
    [problem] = found.problems
    assert problem.cause == (
        "this W&B server cannot filter runs, so what `where` matches is not known "
        '(where: {"group": "nightly"})'
    )

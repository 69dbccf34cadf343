"""A push that a signal stops: nothing more is written, and it says how far it came (row H3)."""

import pytest

from runmetrics.sandbox.http import Fault, Request
from tests.assets.conftest import API_KEY, APP_KEY, Datadog
from tests.cli.child import Child
from tests.cli.metrics.case import NOWHERE


def slow_to_write(request: Request) -> Fault | None:
    return Fault(delay_seconds=1.0) if request.method != "GET" else None


@pytest.mark.parametrize(
    ("noun", "written", "total"),
    [
        ("dashboards", ["POST /api/v1/dashboard"], 1),
        ("monitors", ["POST /api/v1/monitor"], 3),
        ("slos", ["POST /api/v1/slo"], 1),
    ],
)
def test_h3_a_push_that_is_stopped_ends_what_it_writes_and_writes_no_more(
    organisation: Datadog, noun: str, written: list[str], total: int
) -> None:
    organisation.intake.server.fault_for = slow_to_write

    child = pushing(organisation, noun)
    child.terminate_when(lambda: organisation.written == written)
    ended = child.end()

    assert organisation.written == written
    assert (ended.code, ended.said()) == (143, [f"stopped by a signal: 1 of {total} pushed"])


def test_h3_a_push_that_is_stopped_while_it_compares_writes_nothing(organisation: Datadog) -> None:
    organisation.intake.server.fault_for = lambda _request: Fault(delay_seconds=1.0)

    child = pushing(organisation, "metadata")
    child.terminate_when(lambda: len(organisation.intake.server.requests) == 1)
    ended = child.end()

    assert len(organisation.intake.server.requests) == 1
    (said,) = ended.said()
    assert (ended.code, said.split(" of ")[0]) == (143, "stopped by a signal: 1")


def pushing(organisation: Datadog, noun: str) -> Child:
    environment = {
        "DD_URL": organisation.intake.url,
        "DD_API_KEY": API_KEY,
        "DD_APP_KEY": APP_KEY,
        "WANDB_BASE_URL": NOWHERE,
        "WANDB_ENTITY": "e",
        "WANDB_PROJECT": "p",
    }
    return Child(["push"], environment, entry=("-m", "runmetrics"), collector=(noun,))

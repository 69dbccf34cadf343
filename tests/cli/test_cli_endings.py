"""How a run ends: at its deadline, on SIGTERM, whatever hangs (rows W7, W8, H3, H6)."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runmetrics.sandbox.http import Fault, Request, Response
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.cli.child import Child, delivered, run, surroundings
from tests.cli.conftest import VALUES

SILENT = Fault(silent=True)


@pytest.mark.parametrize("fault", [SILENT, Fault(drip_seconds=0.3)], ids=["w7", "w8"])
def test_h6_a_server_that_does_not_come_to_an_end_is_given_up_at_the_deadline(
    wandb: WandbSandbox, fault: Fault
) -> None:
    wandb.server.fault_for = lambda _request: fault

    ended = run("--timeout", "2", wandb=wandb)

    assert (ended.code, ended.out) == (75, "")
    assert ended.said() == [
        f"the time for reading W&B at {wandb.url} is over: raise --timeout, or ask for less"
    ]
    assert 2 < ended.seconds < 29  # a request alone may take 30 s


def test_of_a_short_deadline_half_is_kept_for_delivery(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.server.latency_seconds = 0.2

    quick = run("--push", "--timeout", "60", wandb=wandb, intake=intake)
    wandb.server.requests.clear()
    wandb.server.fault_for = lambda _request: SILENT
    silent = run("--push", "--json", "--timeout", "24", wandb=wandb, intake=intake)

    assert (quick.code, delivered(intake)) == (0, VALUES)
    assert silent.code == 75
    assert len(wandb.server.requests) == 1
    assert silent.report["seconds"] < 24  # a request alone may take 30 s


def silent_about_q(request: Request) -> Fault | None:
    return SILENT if b'"q"' in request.body else None


def test_h6_what_was_read_before_the_deadline_is_delivered(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.server.fault_for = silent_about_q
    both = surroundings(wandb, intake, RUNMETRICS_PROJECTS="e/p,e/q")

    ended = Child(["--push", "--timeout", "19"], both).end()

    assert ended.code == 76
    assert delivered(intake) == VALUES
    assert f"e/q: the time for reading W&B at {wandb.url} is over" in ended.err


def test_a_name_that_dns_never_answers_for_does_not_outlive_the_deadline() -> None:
    ended = run(
        *("--timeout", "1"),
        wandb="http://wandb.invalid",
        NEVER_RESOLVED="wandb.invalid",
        RUNMETRICS_ALLOW_INSECURE_HTTP="true",
    )

    assert ended.code == 75
    assert ended.said() == [
        "the time for reading W&B at http://wandb.invalid is over: raise --timeout, or ask for less"
    ]
    assert ended.seconds < 25


def test_h3_sigterm_while_wandb_does_not_answer_ends_at_once_with_143(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.server.fault_for = lambda _request: SILENT
    child = Child(["--push"], surroundings(wandb, intake))

    told = child.terminate_when(lambda: len(wandb.server.requests) == 1)
    ended = child.end()

    assert ended.code == 143
    assert time.monotonic() - told < 25  # in place of 30 s
    assert ended.said() == [f"reading W&B at {wandb.url} was stopped by a signal"]
    assert len(wandb.server.requests) == 1
    assert intake.server.requests == []


def test_h3_sigterm_in_the_wait_before_another_try_ends_it(
    wandb: WandbSandbox, tmp_path: Path
) -> None:
    limit = Fault(response=Response(429, b"{}", {"Retry-After": "30"}))
    wandb.server.fault_for = lambda _request: limit
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        child = Child([], surroundings(wandb), err=stderr)

    told = child.terminate_when(lambda: b"trying again in 30" in log.read_bytes())
    ended = child.end()

    assert ended.code == 143
    assert time.monotonic() - told < 25  # in place of 30 s
    assert f"reading W&B at {wandb.url} was stopped by a signal" in log.read_text()
    assert len(wandb.server.requests) == 1


def test_h3_sigterm_between_two_documents_begins_no_delivery(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.server.fault_for = silent_about_q
    both = surroundings(wandb, intake, RUNMETRICS_PROJECTS="e/p,e/q")
    child = Child(["--push", "--json"], both)

    child.terminate_when(lambda: len(wandb.server.requests) > 2)
    ended = child.end()

    assert ended.code == ended.report["exit_code"] == 143
    assert ended.values.items() <= VALUES.items()
    assert intake.server.requests == []


def test_h3_sigterm_lets_a_push_under_way_end_and_cuts_one_that_hangs(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    with DatadogIntake(keys=intake.keys) as hanging:
        intake.server.fault_for = lambda _request: Fault(delay_seconds=1.0)
        hanging.server.fault_for = lambda _request: SILENT
        slow = Child(["--push"], surroundings(wandb, intake))
        cut = Child(["--push"], surroundings(wandb, hanging))

        slow.terminate_when(lambda: len(intake.server.requests) == 1)
        told = cut.terminate_when(lambda: len(hanging.server.requests) == 1)
        slow_end, cut_end = slow.end(), cut.end()
        seconds = time.monotonic() - told

        assert len(hanging.server.requests) == 1
    assert (slow_end.code, delivered(intake)) == (143, VALUES)
    assert cut_end.code == 143
    assert seconds < 25
    assert re.search(r"^datadog accepted 0 of 10 samples \(1 request", cut_end.out, re.MULTILINE)
    assert any("did not answer" in line for line in cut_end.said())


def test_h3_sigterm_in_the_wait_between_two_pushes_ends_it(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    unavailable = Fault(response=Response(429, b"{}", {"X-RateLimit-Reset": "30"}))
    intake.server.fault_for = lambda _request: unavailable
    child = Child(["--push"], surroundings(wandb, intake))

    told = child.terminate_when(lambda: len(intake.server.requests) == 1)
    ended = child.end()

    assert ended.code == 143
    assert time.monotonic() - told < 25  # in place of 30 s
    assert len(intake.server.requests) == 1


SIGNAL_AT_AN_IMPORT = """
import os, sys
number, module, *sys.argv[1:] = sys.argv[1:]

class Signalling:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), int(number))

from runmetrics.__main__ import run
sys.meta_path.insert(0, Signalling())
run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["runmetrics.cli.main", "runmetrics.config.settings"])
def test_h3_a_signal_while_the_program_still_loads_ends_it_with_143_without_a_word(
    number: signal.Signals, module: str
) -> None:
    program = [sys.executable, "-c", SIGNAL_AT_AN_IMPORT, str(int(number)), module, "discover"]

    ended = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "", "")

"""Streams: a terminal, a closed pipe, a full disk, and the memory of the process (H7, H8)."""

import os
import pty
import re
import termios
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runmetrics.sandbox.history import fill
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.store import Store
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.cli.child import WANDB_KEY, Child, delivered, run, surroundings
from tests.cli.conftest import VALUES


def on_a_terminal(environment: dict[str, str], columns: int = 140) -> tuple[int, str]:
    """Return the exit code and all that a terminal of so many columns was sent."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    child = Child([], {**environment, "TERM": "xterm"}, out=theirs, err=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65_536):
            shown += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(ours)
    assert WANDB_KEY not in shown.decode()
    return child.end().code, shown.decode()


def test_logs_are_json_lines_in_a_pipe_and_words_on_a_terminal(wandb: WandbSandbox) -> None:
    environment = surroundings(wandb, WANDB_PROJECT="zzz")

    piped = Child([], environment).end()
    code, shown = on_a_terminal(environment)

    (line,) = piped.logs
    assert (line["level"], line["logger"], code) == ("error", "runmetrics", 78)
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    (words,) = [line for line in lines if "W&B" in line]  # a slow machine shows a bar before
    assert re.search(r"[\d:]+Z error    W&B has no project e/zzz, or this key has no access", words)


@pytest.mark.parametrize("report", ["/dev/stdout", "out"])
def test_a_report_never_replaces_the_file_that_the_output_goes_to(
    report: str, wandb: WandbSandbox
) -> None:
    file = Path(os.environ["HOME"], "out")
    file.write_text("kept\n")
    with file.open("ab") as out:
        ended = Child(["--report", report], surroundings(wandb), out=out).end()

    assert ended.code == 0
    assert ended.said() == [
        f"the report {report} is the file that the output goes to: give another --report"
    ]
    assert file.read_text().startswith("kept\n")
    assert "wandb.runs.total" in file.read_text()


def test_a_progress_bar_shows_after_a_second_and_leaves_nothing_behind(
    wandb: WandbSandbox,
) -> None:
    wandb.server.latency_seconds = 0.8  # of each of two requests, one after the other

    code, shown = on_a_terminal(surroundings(wandb))

    assert code == 0
    bar, table = shown.rsplit("\x1b[2K", 1)  # the bar's line is erased for the last time
    assert "reading runs" in bar
    assert "reading runs" not in table
    assert "wandb.runs.total" in table
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")  # the cursor is back


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_the_table_fits_the_terminal_and_keeps_names_and_words_whole(
    wandb: WandbSandbox, columns: int
) -> None:
    code, shown = on_a_terminal(surroundings(wandb), columns)

    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).splitlines()
    words = " ".join(lines).split()
    assert code == 0
    assert max(map(len, lines)) <= columns
    assert [word for word in words if word in VALUES] == [*VALUES]
    assert " ".join(words).count("2 of 4 runs have no GPU utilization") == 1


@pytest.mark.parametrize("redirection", ["| true", "> /dev/full", ">&-", "2>&-", "2> /dev/full"])
def test_h7_a_stream_that_takes_nothing_changes_neither_the_work_nor_the_exit_code(
    wandb: WandbSandbox, intake: DatadogIntake, redirection: str
) -> None:
    wandb.clock_offset_seconds = 3600.0  # so that there is something to log
    program = ["bash", "-c", f'"$@" --push {redirection}; exit "${{PIPESTATUS[0]}}"', "bash"]

    ended = Child([], surroundings(wandb, intake), shell=program).end()

    assert (ended.code, delivered(intake)) == (0, VALUES)
    if not redirection.startswith("2"):
        full = "the output is lost (No space left on device): write it somewhere else"
        assert ended.said("error", "critical") == [full] * ("full" in redirection)


@pytest.mark.parametrize(
    "arguments",
    [
        ["collect", "wandb"],
        ["collect", "wandb", "--json"],
        ["metrics"],
        ["plan"],
        ["doctor"],
        ["collectors"],
        ["config", "schema"],
        ["monitors", "list"],
        ["--version"],
        ["--help"],
        ["monitors", "push", "--help"],
    ],
    ids=" ".join,
)
def test_h7_output_that_a_full_disk_lost_is_said_where_it_was_all_there_was_to_do(
    wandb: WandbSandbox, intake: DatadogIntake, arguments: list[str]
) -> None:
    lost = "the output is lost (No space left on device): write it somewhere else"
    for redirection, code, said in (("> /dev/full", 75, [lost]), ("| true", 0, [])):
        program = ["bash", "-c", f'"$@" {redirection}; exit "${{PIPESTATUS[0]}}"', "bash"]
        ended = Child(
            arguments,
            surroundings(wandb, intake),
            entry=("-m", "runmetrics"),
            collector=(),
            shell=program,
        ).end()

        assert (ended.code, ended.said("error", "critical")) == (code, said)


@pytest.mark.parametrize("redirection", ["2> /dev/full", "2> >(true)", "2>&-"])
def test_h7_a_wrong_command_line_is_2_also_where_nobody_reads_why(
    wandb: WandbSandbox, redirection: str
) -> None:
    program = ["bash", "-c", f'"$@" {redirection}', "bash"]

    ended = Child(["--nonsense"], surroundings(wandb), shell=program).end()

    assert ended.code == 2


def test_h8_ten_thousand_runs_in_the_window_need_less_than_128_mib() -> None:
    store = Store()
    fill(store, "e", "p", runs=10_000, in_window=10_000, now=datetime.now(UTC))
    with WandbSandbox(store=store, keys=frozenset({WANDB_KEY})) as wandb:
        ended = run("--json", "--timeout", "120", wandb=wandb)

    assert ended.code == 0
    assert ended.values["wandb.runs.total"] == 10_000
    assert ended.report["cost"]["runs_read"] == 10_000
    assert 0 < ended.peak_kib < 128 * 1024

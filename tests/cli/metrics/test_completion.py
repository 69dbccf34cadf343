"""The shell completes commands, options and names of metrics."""

import pytest

from tests.cli.metrics.case import Ended, command


def completed(line: str) -> list[str]:
    """What bash offers at the end of a line."""
    words = line.split(" ")
    ended = command(
        _RUNMETRICS_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(len(words) - 1),
    )
    return ended.out.split()


def test_commands_are_completed() -> None:
    assert completed("runmetrics expl") == ["explain"]


def test_names_of_metrics_are_completed() -> None:
    assert completed("runmetrics explain wandb.runs.a") == ["wandb.runs.active"]


def test_a_wrong_configuration_completes_nothing_and_says_nothing() -> None:
    ended: Ended = command(
        _RUNMETRICS_COMPLETE="complete_bash",
        COMP_WORDS="runmetrics explain wandb.",
        COMP_CWORD="2",
        DD_SITE="nowhere.example",
    )

    assert (ended.out.strip(), ended.err) == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_that_a_shell_needs_is_shown(shell: str) -> None:
    ended = command("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")

    assert ended.code == 0
    assert f"_RUNMETRICS_COMPLETE=complete_{shell}" in ended.out

"""What somebody sees who has only just installed it."""

from importlib.metadata import version

import pytest
import typer.main
from typer.testing import CliRunner

from runmetrics.cli.main import app
from runmetrics.text import typed


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version") == f"runmetrics {version('runmetrics')}\n"


def test_the_bare_command_shows_where_to_begin_with_commands_that_there_are() -> None:
    commands = [line.split()[1] for line in run().splitlines()[2:]]

    assert commands[0] == "demo"
    assert {*commands} - {"--help"} <= {*typer.main.get_group(app).commands}


def test_in_a_clone_commands_are_spelled_as_they_are_typed_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert typed("discover") == "runmetrics discover"
    assert "\n  runmetrics demo " in run()

    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")

    assert typed("discover") == "uv run runmetrics discover"
    assert "\n  uv run runmetrics demo " in run()

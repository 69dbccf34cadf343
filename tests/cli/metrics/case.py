"""Runs a command in this process, as a user would type it, against a sandbox."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runmetrics.cli.main import main
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox

NOWHERE = "http://127.0.0.1:9"
"""Where nobody answers: what is shown with it was shown without asking."""


@dataclass(frozen=True)
class Ended:
    """Exit code and both streams of a command; `errors` are the messages on stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stdout holds."""
        return json.loads(self.out)

    @property
    def errors(self) -> list[str]:
        """The messages on stderr."""
        return [json.loads(line)["message"] for line in self.err.splitlines()]


def command(
    *arguments: str | Path, sandbox: WandbSandbox | None = None, **environment: str
) -> Ended:
    """Run one command, on project e/p of the sandbox if there is one."""
    variables = {
        "WANDB_API_KEY": SANDBOX_KEY,
        "WANDB_ENTITY": "e",
        "WANDB_PROJECT": "p",
        "WANDB_BASE_URL": sandbox.url if sandbox else NOWHERE,
        "COLUMNS": "200",
        **environment,
    }
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        pytest.MonkeyPatch.context() as environ,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        for name, value in variables.items():
            environ.setenv(name, value)
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())


def rows(text: str, first: str) -> list[list[str]]:
    """Cells of a table's rows whose first cell begins so; cells are two spaces apart."""
    found = [line.strip() for line in text.splitlines() if line.strip().startswith(first)]
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in found]

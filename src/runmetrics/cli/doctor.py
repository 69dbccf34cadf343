"""The command `doctor`: what is wrong, from the configuration to both ends, a line each."""

from typing import Annotated

import typer

from runmetrics import logs
from runmetrics.cli.options import ConfigOption, JsonOption, VerboseOption
from runmetrics.cli.terminal import say, stopped_by_signals
from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode

app = typer.Typer()

_COLOURS = {
    "ok": typer.colors.GREEN,
    "warning": typer.colors.YELLOW,
    "broken": typer.colors.RED,
    "not asked": typer.colors.BRIGHT_BLACK,
}


@app.command()
def doctor(
    push: Annotated[
        bool,
        typer.Option("--push", help="Send a point too, runmetrics.doctor, to Datadog and OTLP."),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Check every step from the configuration to both ends, and say how to fix what is broken.

    The first broken line is the cause; what depends on it is not asked. Warnings leave the exit
    code at 0.
    """
    logs.configure(verbose)
    from runmetrics.doctor import check_configuration, examine, findings

    found: list[findings.Finding] = []

    def tell(finding: findings.Finding) -> None:
        found.append(finding)
        if not as_json:
            verdict, rest = str(finding)[:9], str(finding)[9:]
            say(typer.style(verdict, fg=_COLOURS[finding.verdict]) + rest)

    first, setup = check_configuration(config)
    for finding in first:
        tell(finding)
    stopped = False
    if setup is not None:
        deadline = Deadline(setup.settings.timeout_seconds)
        with stopped_by_signals(deadline):
            for finding in examine(setup, deadline, push=push):
                tell(finding)
        stopped = deadline.stopped
    code = ExitCode.TERMINATED if stopped else findings.exit_code(found)
    if as_json:
        say(findings.as_json(found, code))
    raise typer.Exit(int(code))

"""The command line: parses, calls, prints, and exits with the right code. Nothing else does."""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from runmetrics import logs
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, ExitCode, RunmetricsError

if TYPE_CHECKING:
    from runmetrics.config_file import ConfigFile
    from runmetrics.pipeline import Outcome
    from runmetrics.settings import Settings

TERMINATION_GRACE_SECONDS = 10.0
"""What a push under way gets to end after SIGTERM; Kubernetes kills after 30 s."""

app = typer.Typer(
    name="runmetrics",
    help="Metrics about Weights & Biases training runs, exact, on your dashboards.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_log = logging.getLogger("runmetrics")


@app.callback()
def _program() -> None:
    """Metrics about Weights & Biases training runs, exact, on your dashboards."""


@app.command()
def collect(
    collector: Annotated[str, typer.Argument(help="Which collector: wandb, or an installed one.")],
    push: Annotated[
        bool, typer.Option("--push", help="Deliver to Datadog. Without it this is a dry run.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what is done, with tracebacks.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of further metrics and settings.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds for the whole run. Default: 90.")
    ] = None,
) -> None:
    """Collect metrics once and print them; with --push also deliver them."""
    logs.configure(verbose)
    settings, file = load_settings(config, timeout)
    outcome = _collect(collector, settings, file, push=push)
    _show(outcome, as_json=as_json)
    raise typer.Exit(int(outcome.exit_code))


def load_settings(
    config: Path | None, timeout: float | None = None
) -> "tuple[Settings, ConfigFile | None]":
    """The settings of this run, and the user's file if there is one; faults of both at once."""
    from runmetrics.config_file import find_config
    from runmetrics.settings import Settings, with_env_file

    overrides = {"timeout_seconds": timeout, "config": config}
    try:
        file = find_config(config, with_env_file())
    except ConfigurationError as error:
        try:
            Settings.load(overrides)
        except ConfigurationError as more:
            faults = [*error.faults, *more.faults]
            raise ConfigurationError(error.cause, error.mend, faults) from None
        raise
    return Settings.load(overrides, file.settings if file else None), file


def _collect(
    name: str, settings: "Settings", file: "ConfigFile | None", *, push: bool
) -> "Outcome":
    from runmetrics import pipeline
    from runmetrics.collectors import Setup, find_collector
    from runmetrics.sinks import open_sinks

    now = datetime.now(UTC)
    deadline = Deadline(settings.timeout_seconds)
    with _stopped_by_signals(deadline), _progress() as progress:
        collector = find_collector(name)(Setup(settings, file, progress))
        sinks = open_sinks(["datadog"] if push else [], settings, deadline)
        return pipeline.run(collector, sinks, now, deadline)


def _show(outcome: "Outcome", *, as_json: bool) -> None:
    from runmetrics import report

    problems = outcome.collection.problems
    several = len({tuple(problem.tags.items()) for problem in problems}) > 1
    for notice in outcome.collection.notices:
        _log.warning(notice)
    for problem in problems:
        _log.error(report.problem_line(problem, several_projects=several))
    for delivery in outcome.deliveries:
        for notice in delivery.notices:
            _log.warning(notice)
        if delivery.error:
            _log.error(delivery.error)
    with _reader_may_be_gone():
        if as_json:
            sys.stdout.write(report.as_json(outcome) + "\n")
        else:
            from rich.console import Console

            width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 140
            report.print_table(outcome, Console(width=width))
        sys.stdout.flush()


@contextmanager
def _reader_may_be_gone() -> Iterator[None]:
    """A closed stdout or a full disk under it does not change what was delivered, nor our code."""
    try:
        yield
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until exit


@contextmanager
def _stopped_by_signals(deadline: Deadline) -> Iterator[None]:
    """SIGTERM and Ctrl-C end the run in good order: no new request, a short grace for a push."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        deadline.stop(TERMINATION_GRACE_SECONDS)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress() -> "Iterator[Progress]":
    """A bar on a terminal's stderr once reading takes more than a second."""
    from runmetrics.collectors import no_progress

    if not sys.stderr.isatty():
        yield no_progress
        return
    from runmetrics.progress import Bar

    with Bar() as bar:
        yield bar.update


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; every error that is ours ends as a line and an exit code."""
    logs.configure()
    try:
        app(args=None if arguments is None else list(arguments), prog_name="runmetrics")
    except RunmetricsError as error:
        for fault in getattr(error, "faults", ()):
            _log.error(fault)
        _log.error(str(error), exc_info=True)
        sys.exit(int(error.exit_code))
    except Exception as error:  # noqa: BLE001 - the last word on a bug of ours
        _log.critical(
            f"a bug of runmetrics: {type(error).__name__}: {error}: please report it with "
            "the output of the same command with --verbose",
            exc_info=True,
        )
        sys.exit(int(ExitCode.BUG))


if TYPE_CHECKING:
    from runmetrics.collectors import Progress

if __name__ == "__main__":
    main()

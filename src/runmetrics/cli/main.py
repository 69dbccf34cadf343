"""The command line: parses, calls, prints, and exits with the right code. Nothing else does."""

import dataclasses
import gc
import io
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated

import typer

from runmetrics import logs, pipeline, report
from runmetrics.atomic_file import replace_file
from runmetrics.cli import assets as cli_assets
from runmetrics.cli import doctor as cli_doctor
from runmetrics.cli import metrics as cli_catalog
from runmetrics.cli import serve as cli_serve
from runmetrics.cli.options import (
    DEFAULT_SINKS,
    PATH,
    CollectorArgument,
    ConfigOption,
    JsonOption,
    ShardOption,
    SinkOption,
    SpoolOption,
    VerboseOption,
    chosen_sinks,
    timeout_option,
)
from runmetrics.cli.terminal import console, help_output, output, progress, say, stopped_by_signals
from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode, RunmetricsError
from runmetrics.plugins import (
    COLLECTORS,
    SINKS,
    Setup,
    find_collector,
    installed,
    need,
    open_sinks,
    package_of,
)
from runmetrics.setup import load_setup
from runmetrics.spool import Spool
from runmetrics.text import typed

app = typer.Typer(
    name="runmetrics",
    help="Metrics about Weights & Biases training runs, exact, on your dashboards.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_catalog.app)
app.add_typer(cli_assets.app)
app.add_typer(cli_doctor.app)
app.add_typer(cli_serve.app)
_log = logging.getLogger("runmetrics")

_WHERE_TO_BEGIN = {
    "demo": "see it work on this machine, without an account",
    "doctor": "check keys, names and both ends, and say how to fix what is broken",
    "collect wandb": "read your project and print its metrics; nothing is sent",
    "collect wandb --push": "deliver them, too",
    "discover": "print a configuration for what your runs log",
    "serve": "collect every 30 minutes, with a page and Prometheus metrics",
    "--help": "every command",
}

_OBJECTS_BETWEEN_SEARCHES = 50_000
"""A run makes many objects and hardly a cycle: Python's 700 cost a twentieth of its time."""


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Metrics about Weights & Biases training runs, exact, on your dashboards."""
    if version:
        say(f"runmetrics {version_of('runmetrics')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say("Metrics about Weights & Biases training runs, on your dashboards. Begin with:\n")
        for command, purpose in _WHERE_TO_BEGIN.items():
            say(f"  {typed(command):40} {purpose}")


@app.command()
def collect(
    collector: CollectorArgument,
    push: Annotated[
        bool, typer.Option("--push", help="Deliver to Datadog. Without it this is a dry run.")
    ] = False,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    timeout: Annotated[
        float | None, timeout_option("Seconds for the whole run. Default: 90.")
    ] = None,
    sink: SinkOption = None,
    spool: SpoolOption = None,
    report_file: Annotated[
        Path | None,
        typer.Option("--report", help="Write what --json prints to this file too.", parser=PATH),
    ] = None,
    shard: ShardOption = None,
) -> None:
    """Collect metrics once and print them; with --push also deliver them."""
    logs.configure(verbose)
    sinks = chosen_sinks(sink, spool, push=push)
    setup = load_setup(config, timeout, shard=shard, spool_dir=spool)
    outcome = _collect(collector, setup, sinks)
    if report_file is not None:
        _write_report(outcome, report_file)
    _show(outcome, as_json, setup.config.layout.custom_metric_price if setup.config else None)
    raise typer.Exit(int(outcome.exit_code))


@app.command()
def collectors() -> None:
    """List the collectors and sinks that are installed, and the packages that brought them."""
    for kind, group in (("collector", COLLECTORS), ("sink", SINKS)):
        for name, found in sorted(installed(group).items()):
            say(f"{kind:9}  {name:12}  {package_of(found)}")


@app.command()
def demo() -> None:
    """See it work, without any account: from training runs to Datadog, on this machine alone."""
    logs.configure()
    need("graphql", "sandbox", "the demo")
    from runmetrics.cli import demo as scene

    deadline = Deadline(scene.SECONDS)
    try:
        with stopped_by_signals(deadline), scene.staged(deadline, say) as stage:
            outcome = _collect("wandb", Setup(stage.settings), DEFAULT_SINKS)
            _show(outcome, as_json=False)
            if outcome.exit_code:
                raise typer.Exit(int(outcome.exit_code))
            for line in stage.received():
                say(line)
    except RunmetricsError:
        if not deadline.stopped:
            raise
        raise typer.Exit(int(ExitCode.TERMINATED)) from None


@app.command()
def sandbox(
    runs: Annotated[int, typer.Option(min=0, help="Runs in the project's history.")] = 26_000,
    in_window: Annotated[int, typer.Option(min=0, help="Runs alive in the last 7 days.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal runs.")] = 0,
    latency_ms: Annotated[float, typer.Option(min=0, help="Added to each answer, in ms.")] = 0.0,
    port: Annotated[int, typer.Option(help="Port of the W&B server; 0 takes a free one.")] = 0,
) -> None:
    """Serve a W&B and a Datadog of made-up runs on this machine, to try a configuration.

    It prints the variables that point every other command at it, to be set in another terminal; to
    a program it prints the addresses and keys as one line of JSON. Ctrl-C ends it.
    """
    need("graphql", "sandbox", "the sandbox")
    from runmetrics.sandbox.serve import serve

    serve(runs=runs, in_window=in_window, seed=seed, latency_ms=latency_ms, port=port)
    raise typer.Exit(int(ExitCode.TERMINATED))


def _collect(name: str, setup: Setup, sinks: Sequence[str]) -> pipeline.Outcome:
    from runmetrics.sinks.datadog.common_tags import changed_tags, sent_tags

    now, settings = datetime.now(UTC), setup.settings
    deadline = Deadline(settings.timeout_seconds)
    with stopped_by_signals(deadline), progress() as tell:
        setup = dataclasses.replace(setup, progress=tell)
        made = find_collector(name)(setup)
        opened = open_sinks(sinks, setup)
        with Spool(settings.spool_dir if sinks else None) as kept:
            outcome = pipeline.run(made, opened, now, deadline, kept)
    if sinks and "datadog" not in sinks:
        return outcome
    return dataclasses.replace(
        outcome,
        notices=(*outcome.notices, *changed_tags(settings)),
        datadog_tags=() if sinks else sent_tags(settings),
    )


def _show(outcome: pipeline.Outcome, as_json: bool, price: float | None = None) -> None:
    report.log_outcome(outcome)
    report.log_bill(outcome, price)
    decided = bool(outcome.deliveries or outcome.exit_code)
    with output(is_all=not decided):
        if as_json:
            sys.stdout.write(report.as_json(outcome) + "\n")
        else:
            report.print_table(outcome, console())


def _write_report(outcome: pipeline.Outcome, path: Path) -> None:
    """Write what --json prints to a file; where that fails it is said, and the exit code stays."""
    if _takes_output(path):
        _log.error(f"the report {path} is the file that the output goes to: give another --report")
        return
    try:
        replace_file(path, f"{report.as_json(outcome)}\n".encode(), mode=0o644)
    except OSError as error:
        _log.error(f"cannot write the report {path} ({error.strerror}): give another --report")


def _takes_output(path: Path) -> bool:
    """Return whether what is printed goes to the file at `path`: to replace it would lose that."""
    with suppress(OSError):
        return path.is_file() and any(os.path.samestat(path.stat(), os.fstat(fd)) for fd in (1, 2))
    return False


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; every error that is ours ends as a line and an exit code."""
    gc.set_threshold(_OBJECTS_BETWEEN_SEARCHES)
    _fix_streams()
    logs.configure()
    try:
        with help_output():
            app(args=None if arguments is None else list(arguments), prog_name="runmetrics")
    except RunmetricsError as error:
        for fault in getattr(error, "faults", ()):
            if fault not in error.cause:  # where a key was looked for is told in one line
                _log.error(fault)
        _log.error(str(error), exc_info=_log.isEnabledFor(logging.DEBUG))
        sys.exit(int(error.exit_code))
    except Exception as error:  # noqa: BLE001 - the last word on a bug of ours
        _log.critical(
            f"a bug of runmetrics: {type(error).__name__}: {error}: please report it with "
            "the output of the same command with --verbose",
            exc_info=True,
        )
        sys.exit(int(ExitCode.BUG))


def _fix_streams() -> None:
    """Make the streams take everything: W&B's text is of any kind, and a daemon has no streams."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - until exit
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")

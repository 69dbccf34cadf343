"""The command `serve`: a process that stays, collects on an interval and shows what it knows."""

import logging
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from runmetrics import logs, pipeline, report
from runmetrics.cli.options import (
    TEXT,
    CollectorArgument,
    ConfigOption,
    ShardOption,
    SinkOption,
    SpoolOption,
    VerboseOption,
    by_rule,
    chosen_sinks,
    timeout_option,
)
from runmetrics.cli.terminal import stopped_by_signals
from runmetrics.config import rules
from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode
from runmetrics.plugins import Collector, Sink, find_collector, need, open_sinks
from runmetrics.setup import load_setup
from runmetrics.spool import Spool
from runmetrics.text import counted

app = typer.Typer()
_log = logging.getLogger("runmetrics")

_LONGEST_SECONDS = 7 * 86_400.0


def _interval(text: str) -> float:
    try:
        seconds = rules.length(text).total_seconds()
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= _LONGEST_SECONDS:
        raise ValueError(f"{text[:80]!r} is no interval: write 30m, 90s or 2h, up to 7d")
    return seconds


@app.command()
def serve(
    collector: CollectorArgument = "wandb",
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to listen on; :: for all, of IPv6 and IPv4.", parser=TEXT
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65_535, help="Port to listen on; 0 takes a free one."),
    ] = 9464,
    interval: Annotated[
        float,
        typer.Option(
            "--interval",
            metavar="LENGTH",
            parser=by_rule(_interval),
            help="Time between two collections, such as 90s, 30m or 1h.",
        ),
    ] = "30m",  # type: ignore[assignment]  # typer parses it
    push: Annotated[
        bool, typer.Option("--push", help="Also deliver to Datadog after each collection.")
    ] = False,
    sink: SinkOption = None,
    spool: SpoolOption = None,
    config: ConfigOption = None,
    timeout: Annotated[
        float | None,
        timeout_option("Seconds for each collection, at most the interval. Default: 90."),
    ] = None,
    shard: ShardOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Collect on an interval, and serve a page at / and Prometheus metrics at /metrics.

    What cannot be read keeps its last good value; /healthz and /readyz answer probes. SIGTERM and
    Ctrl-C end it within 10 seconds, with exit code 143.
    """
    logs.configure(verbose)
    sinks = chosen_sinks(sink, spool, push=push)
    setup = load_setup(config, timeout, shard=shard, spool_dir=spool)
    for module in ("prometheus_client", "waitress"):
        need(module, "serve", "serve")
    from runmetrics.serve.loop import Loop
    from runmetrics.serve.server import Server
    from runmetrics.sinks.datadog.common_tags import changed_tags

    for text in changed_tags(setup.settings) if "datadog" in sinks else ():
        _log.warning(text)
    made, opened = find_collector(collector)(setup), open_sinks(sinks, setup)
    collect = partial(_collect, made, opened, setup.settings.spool_dir if sinks else None)
    loop = Loop(collect, interval=interval, timeout=setup.settings.timeout_seconds)
    life = Deadline(math.inf)
    with stopped_by_signals(life), Server(loop, host, port) as server:
        _log.info(f"{server.url}/ shows {collector}, {server.url}/metrics is for Prometheus")
        loop.run(life)
    raise typer.Exit(int(ExitCode.TERMINATED))


def _collect(
    collector: Collector, sinks: Sequence[Sink], spool: Path | None, deadline: Deadline
) -> pipeline.Outcome:
    """Collect and deliver once, and say in the log what became of it."""
    now = datetime.now(UTC)
    with Spool(spool) as kept:
        outcome = pipeline.run(collector, sinks, now, deadline, kept)
    report.log_outcome(outcome)
    known, problems = len(outcome.collection.samples), len(outcome.collection.problems)
    said = [f"{known} series known, {counted(problems, 'problem')}, {outcome.seconds:.1f} s"]
    _log.info("; ".join([*said, *map(report.delivered, outcome.deliveries)]))
    return outcome

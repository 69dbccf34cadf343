"""Commands that look before anything is pushed: metrics, explain, plan, discover, config."""

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runmetrics import logs, pipeline
from runmetrics.cli.options import PATH, TEXT, ConfigOption, JsonOption, VerboseOption, by_rule
from runmetrics.cli.terminal import console, output, progress, say, stopped_by_signals
from runmetrics.config import rules
from runmetrics.deadline import Deadline
from runmetrics.plugins import Setup
from runmetrics.report import log_problems
from runmetrics.setup import load_setup, setup_of
from runmetrics.text import counted

if TYPE_CHECKING:
    from runmetrics.collectors.wandb.metrics.catalog import Catalog

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

app = typer.Typer()
config_app = typer.Typer(
    name="config",
    help="Check a configuration file, or print its JSON Schema.",
    no_args_is_help=True,
)
app.add_typer(config_app)
_log = logging.getLogger("runmetrics")


def _complete_name(incomplete: str) -> list[str]:
    """Return names of metrics for the shell; none where the configuration is wrong."""
    try:
        catalog = _catalog(load_setup(None))
    except Exception:  # noqa: BLE001 - the shell's line is no place to say why
        return []
    return [metric.name for metric in catalog.metrics if metric.name.startswith(incomplete)]


@app.command()
def metrics(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List what would be collected, each metric with its definition in words."""
    from runmetrics.cli import metrics_report

    catalog = _catalog(load_setup(config))
    _say_notices(catalog)
    with output():
        if as_json:
            typer.echo(metrics_report.metrics_as_json(catalog))
        else:
            metrics_report.print_metrics(catalog, console())


@app.command()
def explain(
    name: Annotated[
        str, typer.Argument(help="A metric's name.", autocompletion=_complete_name, parser=TEXT)
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show what a metric's value comes from: filter, formula, and the runs behind it.

    The value is collected as `collect` does it; nothing is pushed.
    """
    logs.configure(verbose)
    setup = load_setup(config)
    from runmetrics.cli import metrics_report
    from runmetrics.collectors.wandb.collector import WandbCollector
    from runmetrics.collectors.wandb.inspect.explain import Explainer

    deadline = Deadline(setup.settings.timeout_seconds)
    with stopped_by_signals(deadline), progress() as tell:
        explainer = Explainer(WandbCollector(replace(setup, progress=tell)), name)
        outcome = pipeline.run(explainer, (), datetime.now(UTC), deadline)
    for default in outcome.collection.defaults:
        _log.warning(default)
    log_problems(outcome.collection)
    with output():
        if as_json:
            typer.echo(metrics_report.explanation_as_json(explainer, outcome))
        else:
            metrics_report.print_explanation(explainer, outcome, console())
    raise typer.Exit(int(outcome.exit_code))


@app.command()
def plan(
    config: ConfigOption = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print the GraphQL document, too.")
    ] = False,
) -> None:
    """Show the requests that a configuration costs, without making any."""
    from runmetrics.cli import metrics_report
    from runmetrics.collectors.wandb.reading.plan import compile_plan

    setup = load_setup(config)
    catalog, settings = _catalog(setup), setup.settings
    for notice in (*settings.defaults_in_use, *catalog.notices):
        _log.warning(notice)
    compiled = compile_plan(catalog.metrics, settings.gpus_per_run)
    projects = [entry.path for entry in settings.entries]
    price = setup.config.layout.custom_metric_price if setup.config else None
    now = datetime.now(UTC)
    with output():
        metrics_report.print_plan(compiled, projects, now, console())
        metrics_report.print_bill(catalog, projects, price, console())
        if verbose:
            metrics_report.print_documents(compiled, now, console())


@app.command()
def discover(
    config: ConfigOption = None,
    entity: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=by_rule(rules.entity),
            help="W&B entity, instead of the settings'.",
        ),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=by_rule(rules.project),
            help="W&B project, instead of the settings'.",
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=1000, help="Newest runs to look at.")] = 50,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the configuration alone, to be kept in a file.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Read what a project's newest runs log, and print a configuration to start from."""
    logs.configure(verbose)
    one_only = () if entity or project else None
    settings = load_setup(config, entity=entity, project=project, projects=one_only).settings
    from runmetrics.cli import metrics_report
    from runmetrics.collectors.wandb.inspect.discover import sample
    from runmetrics.collectors.wandb.inspect.propose import propose

    for default in settings.defaults_in_use:
        _log.warning(default)
    deadline = Deadline(settings.timeout_seconds)
    with stopped_by_signals(deadline):
        found = sample(settings, runs, deadline)
    with output():
        if not as_yaml:
            metrics_report.print_sampled(found, console())
        typer.echo(propose(found), nl=False)


@config_app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from runmetrics.collectors.wandb.metrics.layout import config_schema

    say(json.dumps({"$schema": SCHEMA_DIALECT, **config_schema()}, indent=2))


@config_app.command()
def check(file: Annotated[Path, typer.Argument(help="The YAML file.", parser=PATH)]) -> None:
    """Say whether a configuration file is right, or everything that is wrong with it."""
    from runmetrics.assets.monitors import faults_of_monitors, monitors_of
    from runmetrics.collectors.wandb.inspect.describe_plan import dotted_filters, dotted_keys
    from runmetrics.collectors.wandb.metrics.file import FileError, read_config
    from runmetrics.collectors.wandb.reading.plan import compile_plan

    try:
        found = read_config(file)
    except FileError as error:
        more = faults_of_monitors(setup_of(error.rest)) if error.rest else ()
        raise FileError(file, [*error.faults, *more]) from None
    setup = setup_of(found)
    catalog = _catalog(setup)
    _say_notices(catalog)
    monitors_of(setup)
    whole = counted(len(catalog.metrics), "metric")
    say(f"{file} is right: {whole}, {len(found.layout.metrics)} of them of its own")
    keys = dotted_keys(compile_plan(catalog.metrics, setup.settings.gpus_per_run))
    for said in filter(None, (keys, dotted_filters(catalog.metrics))):
        say(f"{file}: {said}")


def _catalog(setup: Setup) -> "Catalog":
    from runmetrics.collectors.wandb.metrics.catalog import load_catalog

    return load_catalog(setup.config, setup.settings)


def _say_notices(catalog: "Catalog") -> None:
    for notice in catalog.notices:
        _log.warning(notice)

"""Commands that bring dashboards, monitors and metadata to where people look."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runmetrics import logs
from runmetrics.assets import Asset, Kind, export, find
from runmetrics.cli.options import PATH, TEXT, ConfigOption, VerboseOption
from runmetrics.cli.terminal import output, say, stopped_by_signals
from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode
from runmetrics.plugins import Setup
from runmetrics.setup import load_setup

if TYPE_CHECKING:
    from runmetrics.assets.account import Account
    from runmetrics.assets.push import Pushed

_log = logging.getLogger("runmetrics")

_HELP = {
    "dashboards": "Dashboards for Datadog and Grafana: list, export to files, push to Datadog.",
    "monitors": "Datadog monitors: list, export to files, push.",
    "slos": "Datadog service level objectives: list, export to files, push.",
    "metadata": "Units, descriptions and types of the metrics, for Datadog.",
}
app = typer.Typer()
dashboards_app, monitors_app, slos_app, metadata_app = (
    typer.Typer(name=name, help=text, no_args_is_help=True) for name, text in _HELP.items()
)
for _group in (dashboards_app, monitors_app, slos_app, metadata_app):
    app.add_typer(_group)

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would change; nothing is written.")
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from", help="Directory of exported, edited files, instead of the shipped.", parser=PATH
    ),
]
DirectoryArgument = Annotated[Path, typer.Argument(help="Directory to write below.", parser=PATH)]

_MOST_DIFFERENCES = 20


def _add_commands(group: typer.Typer, what: str, mark: str, kind: Kind, *unpushed: Kind) -> None:
    """Give a group the commands for what is shipped as files; `mark` is how a push finds it."""

    def shipped() -> list[Asset]:
        return [asset for each in (kind, *unpushed) for asset in find(each)]

    @group.command("list", help=f"List the {what} that are shipped.")
    def list_shipped() -> None:
        for asset in shipped():
            say(f"{asset.path.as_posix():44}  {asset.title}")

    export_help = f"Write the {what} as JSON files, to be imported by hand or edited and pushed."

    @group.command("export", help=export_help)
    def export_shipped(directory: DirectoryArgument) -> None:
        _print_paths(export(shipped(), directory))

    push_help = f"Create or update the {what} of Datadog, found by {mark} (DD_API_KEY, DD_APP_KEY)."

    @group.command("push", help=push_help)
    def push_shipped(
        dry_run: DryRunOption = False,
        directory: FromOption = None,
        verbose: VerboseOption = False,
    ) -> None:
        logs.configure(verbose)
        _push_files(kind, directory, dry_run=dry_run)


@monitors_app.command("list")
def list_monitors(config: ConfigOption = None) -> None:
    """List the monitors for what is collected, and those that are off or need a pack."""
    from runmetrics.assets.monitors import monitors_of

    compiled = monitors_of(load_setup(config))
    for asset in compiled.wanted:
        say(f"{asset.path.stem:44}  {asset.title}")
    for name in compiled.off:
        say(f"{name:44}  off")
    for name, needs in compiled.lacking.items():
        say(f"{name:44}  {needs}")


@monitors_app.command("export")
def export_monitors(directory: DirectoryArgument, config: ConfigOption = None) -> None:
    """Write the monitors as JSON files, to be imported by hand or edited and pushed."""
    from runmetrics.assets.monitors import monitors_of

    _print_paths(export(monitors_of(load_setup(config)).wanted, directory))


@monitors_app.command("push")
def push_monitors(
    config: ConfigOption = None,
    dry_run: DryRunOption = False,
    directory: FromOption = None,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            parser=TEXT,
            metavar="HANDLE",
            help="Whom to tell, such as @slack-ml, instead of the file's `monitors: notify`; may "
            "be repeated.",
        ),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Create or update the monitors, found by their tags (DD_API_KEY, DD_APP_KEY).

    Those that the file switches off are deleted.
    """
    logs.configure(verbose)
    if wrong := [handle for handle in notify or () if not handle.startswith("@")]:
        raise typer.BadParameter(
            f"{wrong[0]!r} does not begin with @: write @{wrong[0]}", param_hint="--notify"
        )
    if notify and directory:
        text = "whom to tell stands in the exported files: write it there, or leave --from out"
        raise typer.BadParameter(text, param_hint="--notify")
    if directory:
        _push_files(Kind.MONITOR, directory, dry_run=dry_run)
        return
    with _account(config) as (account, setup):
        from runmetrics.assets.monitors import monitors_of
        from runmetrics.assets.push import Monitors, push, remove

        shelf = Monitors(account)
        compiled = monitors_of(setup, notify or ())
        pushed = chain(
            push(shelf, compiled.wanted, dry_run=dry_run),
            remove(shelf, compiled.off, dry_run=dry_run),
        )
        total = len(compiled.wanted) + len(compiled.off)
        _print_pushed(pushed, total, account, dry_run=dry_run)
        with output(is_all=False):
            for name, needs in compiled.lacking.items():
                typer.echo(f"left out  {name}: {needs}")


@metadata_app.command("push")
def push_metadata(
    config: ConfigOption = None, dry_run: DryRunOption = False, verbose: VerboseOption = False
) -> None:
    """Set unit, description and type of every metric that Datadog has (DD_API_KEY, DD_APP_KEY)."""
    logs.configure(verbose)
    with _account(config) as (account, setup):
        from runmetrics.assets import metadata, push

        described = metadata.describe(setup.config, setup.settings)
        pushed = push.push_metadata(account, described, dry_run=dry_run)
        _print_pushed(pushed, len(described), account, dry_run=dry_run)


@contextmanager
def _account(config: Path | None = None) -> "Iterator[tuple[Account, Setup]]":
    setup = load_setup(config)
    from runmetrics.assets.account import Account

    deadline = Deadline(setup.settings.timeout_seconds)
    with stopped_by_signals(deadline):
        try:
            yield Account(setup.settings, deadline), setup
        finally:
            if deadline.stopped:
                raise typer.Exit(int(ExitCode.TERMINATED))


def _push_files(kind: Kind, directory: Path | None, *, dry_run: bool) -> None:
    assets = find(kind, directory)
    with _account() as (account, _):
        from runmetrics.assets.push import push, shelf_of

        pushed = push(shelf_of(kind, account), assets, dry_run=dry_run)
        _print_pushed(pushed, len(assets), account, dry_run=dry_run)


def _print_paths(paths: Iterable[Path]) -> None:
    for path in paths:
        say(str(path))


def _print_pushed(
    pushed: "Iterable[Pushed]", total: int, account: "Account", *, dry_run: bool
) -> None:
    would, count = "would be " if dry_run else "", 0
    try:
        for count, one in enumerate(pushed, 1):  # noqa: B007 - said after the loop
            with output(is_all=False):
                changed = one.verdict in ("created", "updated", "deleted")
                typer.echo(f"{would if changed else ''}{one.verdict}  {one.title}")
                for difference in one.differences[:_MOST_DIFFERENCES]:
                    typer.echo(f"    {difference}")
                if (more := len(one.differences) - _MOST_DIFFERENCES) > 0:
                    typer.echo(f"    and {more} more")
    finally:
        if account.deadline.stopped:
            what = "compared" if dry_run else "pushed"
            _log.error(f"stopped by a signal: {count} of {total} {what}")
            raise typer.Exit(int(ExitCode.TERMINATED))


_add_commands(dashboards_app, "dashboards", "their titles", Kind.DASHBOARD, Kind.GRAFANA)
_add_commands(slos_app, "service level objectives", "their tags", Kind.SLO)

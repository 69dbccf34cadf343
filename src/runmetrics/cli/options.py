"""The options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from runmetrics.shard import Shard

Value = TypeVar("Value")

DEFAULT_SINKS = ("datadog",)
"""Where --push delivers unless --sink says otherwise."""

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="YAML file of further metrics and settings.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Log what is done, with tracebacks.")
]
CollectorArgument = Annotated[
    str, typer.Argument(help="Which collector: wandb, or an installed one.")
]
SinkOption = Annotated[
    list[str] | None,
    typer.Option("--sink", metavar="NAME", help="With --push: where to deliver; may be repeated."),
]
SpoolOption = Annotated[
    Path | None, typer.Option("--spool", help="Directory that keeps what is not delivered.")
]


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_timeout(text: str) -> float:
    """Read the seconds of --timeout, by the rule that the file's have."""
    from runmetrics.config.rules import timeout

    return _by_rule(timeout, text)


def parse_entity(text: str) -> str:
    """Read --entity, by the rule of WANDB_ENTITY."""
    from runmetrics.config.rules import entity

    return _by_rule(entity, text)


def parse_project(text: str) -> str:
    """Read --project, by the rule of WANDB_PROJECT."""
    from runmetrics.config.rules import project

    return _by_rule(project, text)


def _by_rule(rule: Callable[[object], Value], text: str) -> Value:
    try:
        return rule(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def timeout_option(text: str) -> Any:
    """Return the option --timeout; `text` says what it bounds."""
    return typer.Option("--timeout", metavar="SECONDS", parser=parse_timeout, help=text)


ShardOption = Annotated[
    Shard | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        parser=_shard,
        help="Read one of N shares of the projects only; I from 0.",
    ),
]


def chosen_sinks(sink: list[str] | None, *, push: bool) -> tuple[str, ...]:
    """Return the sinks to deliver to; --sink without --push is a fault of the command line."""
    if sink and not push:
        raise typer.BadParameter("says where --push delivers: add --push", param_hint="--sink")
    return tuple(dict.fromkeys(sink or DEFAULT_SINKS)) if push else ()

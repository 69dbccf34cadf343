"""The options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from runmetrics.config import rules
from runmetrics.shard import Shard

Value = TypeVar("Value")

DEFAULT_SINKS = ("datadog",)
"""Where --push delivers unless --sink says otherwise."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Log what is done, with tracebacks.")
]


def by_rule(rule: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return the parser of an option: `rule`, whose ValueError says what would be right."""

    def parse(text: str) -> Value:
        try:
            return rule(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse


PATH, TEXT = by_rule(rules.path), by_rule(rules.text)
"""Parsers of every path and name: by the rules of settings, so that none is empty."""

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file of further metrics and settings.", parser=PATH),
]
CollectorArgument = Annotated[
    str, typer.Argument(help="Which collector: wandb, or an installed one.", parser=TEXT)
]
SinkOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sink",
        help="With --push: where to deliver; may be repeated.",
        metavar="NAME",
        parser=TEXT,
    ),
]
SpoolOption = Annotated[
    Path | None,
    typer.Option("--spool", help="With --push: directory for what is not delivered.", parser=PATH),
]


def timeout_option(text: str) -> Any:
    """Return the option --timeout; `text` says what it bounds."""
    return typer.Option("--timeout", metavar="SECONDS", parser=by_rule(rules.timeout), help=text)


ShardOption = Annotated[
    Shard | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        parser=by_rule(Shard.parse),
        help="Read one of N shares of the projects only; I from 0.",
    ),
]


def chosen_sinks(sink: list[str] | None, spool: Path | None, *, push: bool) -> tuple[str, ...]:
    """Return the sinks to deliver to; what is about them is a fault without --push."""
    for option, given in (("--sink", sink), ("--spool", spool)):
        if given and not push:
            text = "is for --push alone: add --push, or leave it out"
            raise typer.BadParameter(text, param_hint=option)
    return tuple(dict.fromkeys(sink or DEFAULT_SINKS)) if push else ()

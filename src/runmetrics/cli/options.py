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


def by_rule(rule: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return the parser of an option: `rule`, whose ValueError says what would be right."""

    def parse(text: str) -> Value:
        try:
            return rule(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse


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


def chosen_sinks(sink: list[str] | None, *, push: bool) -> tuple[str, ...]:
    """Return the sinks to deliver to; --sink without --push is a fault of the command line."""
    if sink and not push:
        raise typer.BadParameter("says where --push delivers: add --push", param_hint="--sink")
    return tuple(dict.fromkeys(sink or DEFAULT_SINKS)) if push else ()

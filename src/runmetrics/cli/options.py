"""Options that `collect` and `serve` share."""

from typing import Annotated

import typer

from runmetrics.shard import Shard

DEFAULT_SINKS = ("datadog",)
"""Where --push delivers unless --sink says otherwise."""


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


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
    """Names of the sinks to deliver to; --sink without --push is a fault of the command line."""
    if sink and not push:
        raise typer.BadParameter("says where --push delivers: add --push", param_hint="--sink")
    return tuple(dict.fromkeys(sink or DEFAULT_SINKS)) if push else ()

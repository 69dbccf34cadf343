"""What an answer holds for each question of a document: its answer, or why it did not come."""

from collections.abc import Container
from typing import TypeVar

from runmetrics.collectors.wandb.reading.document import Ask
from runmetrics.collectors.wandb.server.answers import Answer
from runmetrics.collectors.wandb.server.errors import GraphQLError
from runmetrics.collectors.wandb.unknown import Unknown

T = TypeVar("T")


def strays(answer: Answer, named: Container[str | int]) -> list[GraphQLError]:
    """Return the errors beside data that name none of the questions."""
    return [
        error
        for error in answer.errors
        if error.path[:1] != ("project",) or len(error.path) < 2 or error.path[1] not in named
    ]


def result(answer: Answer, alias: str, ask: Ask[T], *, alone: bool) -> T | Unknown:
    """Return the answer to a question; every error beside the answer to one alone is its own."""
    own = [error for error in answer.errors if alone or error.path[:2] == ("project", alias)]
    if own:
        return not_served(own[0])
    return ask.read((answer.data.get("project") or {}).get(alias))


def not_served(error: GraphQLError) -> Unknown:
    """Say that W&B failed on what was asked."""
    return Unknown(
        f"W&B could not serve this part of the project: {error.message}",
        "the next collection tries again; if it stays, ask support@wandb.com with this message",
    )

"""Has several readers ask in rounds: what they ask in one round travels in one document.

So what a reader concludes from which answers can be read, and tested, without a network.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast

from runmetrics.collectors.wandb.reading.document import Asks, Reader, Unanswered
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.errors import RunmetricsError

T = TypeVar("T")
K = TypeVar("K")


def note(notes: dict[K, T], key: K, reader: Reader[T]) -> Reader[None]:
    """Write down what a reader learns, or why it is Unknown, which T has to allow."""
    try:
        notes[key] = yield from reader
    except Unanswered as lacking:
        notes[key] = cast(T, lacking.why)
    except RunmetricsError as error:
        notes[key] = cast(T, Unknown.because(error))


async def together(client: ProjectClient, readers: Sequence[Reader[None]]) -> None:
    """Run readers to their end, with one document for each round.

    An error that makes asking pointless is raised in every reader that waits for an answer.
    """
    asked: dict[Reader[None], Asks] = {}

    def advance(reader: Reader[None], resume: Callable[[], Asks]) -> None:
        asked.pop(reader, None)
        with suppress(StopIteration):
            asked[reader] = resume()

    for reader in readers:
        advance(reader, partial(next, reader))
    while asked:
        try:
            answers = await client.ask([ask for asks in asked.values() for ask in asks])
        except RunmetricsError as error:
            for reader in tuple(asked):
                advance(reader, partial(reader.throw, error))
        else:
            for reader in tuple(asked):
                advance(reader, partial(reader.send, answers))


async def apart(client: ProjectClient, readers: Sequence[Reader[None]]) -> None:
    """Run readers to their end, each with documents of its own, as many as the server takes."""
    await asyncio.gather(*(together(client, [reader]) for reader in readers))

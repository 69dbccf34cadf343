"""Readers that ask in rounds: one document for each, whoever asks in it."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from runmetrics.collectors.wandb.reading.document import Answers, Ask, CountAsk, Reader
from runmetrics.collectors.wandb.reading.filters import Filter
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.reading.rounds import apart, note, together
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.errors import TemporaryError

Notes = dict[str, int | Unknown]
AWAY = TemporaryError("W&B is away", "wait")


class Counting(ProjectClient):
    """Answers each count with the number that its filter names, and keeps what each document asked.

    From the document on that `fails` numbers, W&B is away.
    """

    def __init__(self, fails: int = 99) -> None:
        self.documents: list[list[int]] = []
        self.fails = fails

    async def ask(self, asks: Iterable[Ask[Any]]) -> Answers:
        found = {ask: _number(ask) for ask in asks}
        self.documents.append(sorted(each for each in found.values() if isinstance(each, int)))
        if len(self.documents) >= self.fails:
            raise AWAY
        return Answers(found)


def count(number: int) -> CountAsk:
    return CountAsk(Filter.of({"n": number}))


def _number(ask: Ask[Any]) -> int | Unknown:
    number: int = ask.matching.as_mapping()["n"] if ask.matching else 0
    return number if number >= 0 else Unknown("no such number")


def summing(*numbers: int) -> Reader[int | Unknown]:
    """Ask for one number after another, and add them up."""
    total = 0
    for number in numbers:
        answers = yield [count(number)]
        total += answers.known(count(number))
    return total


def run(client: Counting, *readers: Reader[None]) -> None:
    asyncio.run(together(client, readers))


def test_what_is_asked_in_the_same_round_travels_in_one_document_each_question_once() -> None:
    client, notes = Counting(), Notes()

    run(client, note(notes, "a", summing(1, 2)), note(notes, "b", summing(1, 3, 4)))

    assert client.documents == [[1], [2, 3], [4]]
    assert notes == {"a": 3, "b": 8}


def test_apart_each_has_documents_of_its_own() -> None:
    client, notes = Counting(), Notes()

    readers = [note(notes, "a", summing(1)), note(notes, "b", summing(1))]
    asyncio.run(apart(client, readers))

    assert client.documents == [[1], [1]]


def test_a_reader_that_asks_nothing_costs_nothing() -> None:
    client, notes = Counting(), Notes()

    run(client, note(notes, "a", summing()))

    assert (client.documents, notes) == ([], {"a": 0})


def test_an_answer_that_is_needed_and_unknown_makes_unknown_what_it_was_for() -> None:
    client, notes = Counting(), Notes()

    run(client, note(notes, "a", summing(-1, 2)), note(notes, "b", summing(1)))

    assert notes == {"a": Unknown("no such number"), "b": 1}


def test_an_error_makes_unknown_what_every_waiting_reader_would_have_learned() -> None:
    client, notes = Counting(fails=2), Notes()

    run(client, note(notes, "a", summing(1)), note(notes, "b", summing(1, 2)))

    assert notes == {"a": 1, "b": Unknown.because(AWAY)}


def test_without_notes_an_error_is_raised() -> None:
    def reader() -> Reader[None]:
        yield [count(1)]

    with pytest.raises(TemporaryError):
        run(Counting(fails=1), reader())

"""Valid answers, changed on their way: never a wrong number, never a bug.

`READING_FUZZ=1500 uv run pytest -n 0 tests/collectors/wandb/reading/test_fuzz.py` tries as many.
"""

import copy
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from runmetrics.errors import ExitCode
from runmetrics.sandbox.http import Request, Response
from runmetrics.sandbox.store import StoredRun
from tests.collectors.wandb.collecting import (
    BEST,
    LATEST,
    NOW,
    ago,
    run,
    sandbox_of,
    unknown,
    values,
)
from tests.collectors.wandb.oracle import the_ten
from tests.collectors.wandb.reading.test_faults_reading import outcome

CASES = int(os.environ.get("READING_FUZZ", "40"))
KEPT = (52, 67, 107, 635, 679, 820, 5172, 5202, 9753)
"""Seeds that found something once."""

Answer = dict[str, Any]
Lie = Callable[[Random, Answer], None]


def population() -> list[StoredRun]:
    """Runs in and out of the week, in every state, with and without values."""
    states = ("finished", "failed", "crashed", "killed", "running")
    return [
        run(
            f"r{number:02}",
            states[number % 5],
            beat=ago(hours=7 * number + 1),
            created_at=ago(hours=7 * number + 3),
            summary={"accuracy": number * 37 % 100 / 100, "loss": "NaN" if number < 2 else number},
            compute_seconds=3600,
            gpu_count=1 + number % 3,
            system_metrics={"system.gpu.0.gpu": number},
        )
        for number in range(40)
    ]


def truth(runs: list[StoredRun]) -> dict[str, float]:
    """The ten of these runs."""
    return the_ten(
        (
            {
                "id": each.id,
                "state": each.state,
                "created_at": each.created_at,
                "heartbeat_at": each.heartbeat_at,
                "summary": each.summary,
                "system": each.system_metrics,
                "compute_seconds": each.compute_seconds,
                "gpu_count": each.gpu_count,
            }
            for each in runs
        ),
        NOW,
    )


# ------------------------------------------------------------------------------------- lies


def connections(answer: Answer) -> list[Answer]:
    """Return the pages of an answer."""
    return [each for each in aliases(answer).values() if isinstance(each, dict) and "edges" in each]


def aliases(answer: Answer) -> Answer:
    """Return what an answer holds by the aliases of the document."""
    found: Answer = (answer.get("data") or {}).get("project") or {}
    return found


def some(random: Random, things: list[Any]) -> Iterator[Any]:
    """Yield one of some things, or each of them."""
    yield from things if random.random() < 0.4 else [random.choice(things)] if things else []


def hide(answer: Answer, names: set[str], null: bool) -> None:
    """Leave runs out of all pages, or put null in their place."""
    for page in connections(answer):
        rows = [edge for edge in page["edges"] if edge["node"]["name"] in names]
        for edge in rows:
            edge["node"] = None
        if not null:
            page["edges"] = [edge for edge in page["edges"] if edge["node"] is not None]


def rows_twice(random: Random, answer: Answer) -> None:
    for page in some(random, connections(answer)):
        page["edges"] += random.choices(page["edges"], k=3) if page["edges"] else []


def rows_in_another_order(random: Random, answer: Answer) -> None:
    for page in some(random, connections(answer)):
        random.shuffle(page["edges"])


def rows_of_another_kind(random: Random, answer: Answer) -> None:
    for page in some(random, connections(answer)):
        page["edges"] = random.choice([None, {}, "rows", [None], [[]], [{"node": {"name": 3}}]])


def ends_of_pages(random: Random, answer: Answer) -> None:
    for page in some(random, connections(answer)):
        info = page["pageInfo"]
        junk: list[Any] = [True, False, None, "yes", 0]
        info[random.choice(["hasNextPage", "endCursor"])] = random.choice(junk)


def no_page_info(random: Random, answer: Answer) -> None:
    for page in some(random, connections(answer)):
        page["pageInfo"] = random.choice([None, [], {}])


def counts(random: Random, answer: Answer) -> None:
    numbers = [name for name, value in aliases(answer).items() if isinstance(value, int)]
    for name in some(random, numbers):
        # one more or one less than there are is a lie that nobody can tell from a fact
        lies: list[Any] = [0, -1, 2**70, None, "7", True, 3.5, []]
        aliases(answer)[name] = random.choice(lies)


def parts_left_out(random: Random, answer: Answer) -> None:
    for name in some(random, list(aliases(answer))):
        if random.random() < 0.5:
            del aliases(answer)[name]
        else:
            aliases(answer)[name] = random.choice([None, {}, [], "x", 7.5])


def errors_beside_data(random: Random, answer: Answer) -> None:
    name = random.choice([*aliases(answer), "a99"])
    paths: list[Any] = [["project", name], ["project"], ["viewer"], ["accuracy"], [], None, "x", 7]
    answer["errors"] = [{"message": "broken", "path": random.choice(paths)}]
    if random.random() < 0.5 and name in aliases(answer):
        aliases(answer)[name] = None


def odd_errors(random: Random, answer: Answer) -> None:
    answer["errors"] = random.choice([["broken"], "broken", {"message": "broken"}, [None], [7]])


def viewer(random: Random, answer: Answer) -> None:
    answer["data"]["viewer"] = random.choice([None, {}, 7])


def another_shape(random: Random, answer: Answer) -> None:
    answer["data"] = random.choice([None, [], "x", {}, {"project": None}, {"project": []}])


LIES: tuple[Lie, ...] = (
    *(rows_twice, rows_in_another_order, rows_of_another_kind, ends_of_pages, no_page_info),
    *(counts, parts_left_out, errors_beside_data, odd_errors, viewer, another_shape),
)


@pytest.mark.parametrize("seed", [*KEPT, *range(CASES)])
def test_changed_answers_give_right_numbers_or_unknown_ones(seed: int) -> None:
    random = Random(seed)
    lies = random.sample(LIES, k=random.choice([0, 1, 1, 2]))
    first, last = random.choice([(1, 10**6), (1, 1), (2, 2), (2, 3), (3, 10**6)])
    hidden = set(random.sample([each.id for each in population()], k=random.choice([0, 0, 1, 3])))
    null = random.random() < 0.5
    with sandbox_of(*population(), page_cap=random.choice([7, 1000])) as sandbox:
        honest = sandbox.server.handler

        def handle(request: Request) -> Response:
            response = honest(request)
            try:
                answer = json.loads(response.body)
            except ValueError:
                return response
            if first <= len(sandbox.documents) <= last and "data" in answer:
                hide(answer, hidden, null)
                for lie in lies:
                    before = copy.deepcopy(answer)
                    try:
                        lie(random, answer)
                    except (TypeError, KeyError, AttributeError):  # another lie was in its way
                        answer = before
            return dataclasses.replace(response, body=json.dumps(answer).encode())

        sandbox.server.handler = handle
        ended = outcome(sandbox)

    found, lost = values(ended.collection), unknown(ended.collection)
    told = f"seed {seed}: {[lie.__name__ for lie in lies]}, {first} to {last}, hidden {hidden}"
    every = truth(population())
    known_hidden = hidden & {f"r{number:02}" for number in range(24)}  # those of the week
    less = truth([each for each in population() if each.id not in known_hidden])
    said = any("does not show" in each for each in ended.collection.notices)
    assert ended.exit_code is not ExitCode.BUG, told
    for name, value in found.items():
        if said and rows_of_another_kind in lies and name not in (BEST, LATEST):
            continue  # whole pages of runs are hidden by it, and that is said
        if hidden and counts in lies and name in (BEST, LATEST):
            continue  # a run that is neither shown nor counted is not there
        right = {round(every[name], 9)}
        if said and name not in (BEST, LATEST):
            right.add(round(less[name], 9))
        assert round(value, 9) in right, (told, name)
    assert every.keys() <= found.keys() | lost, told

"""What can be asked of a project, as typed values; the document that asks it; what came of it.

A question is hashable, knows how it is written in GraphQL, and reads its own answer: an `Ask[T]`
is answered by a T or by Unknown. Orders are snake_case, unlike the names in filters (the official
client's documentation of `Api.runs`).
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Container, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter
from runmetrics.collectors.wandb.reading.long_texts import shortened
from runmetrics.collectors.wandb.runs import Run, make_run
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.server.answers import Answer
from runmetrics.collectors.wandb.server.errors import GraphQLError
from runmetrics.collectors.wandb.unknown import Unknown

T = TypeVar("T")

PAGES_TAKE_FILTERS = "runs(filters)"
"""What is dropped where a server's pages of runs take no filter: they hold all runs."""

_TOO_MANY = 2**53
_SERVER = "see whether WANDB_BASE_URL is a W&B server; if it is, ask support@wandb.com"
_LEFT_OUT = Unknown("W&B left out a part of its answer without an error", _SERVER)


class Ask(ABC, Generic[T]):
    """A question whose answer is a T."""

    __slots__ = ()

    @property
    def matching(self) -> Filter | None:
        """The filter that travels with the question as a variable; None where it has none."""
        return None

    @abstractmethod
    def graphql(self, variable: str, dropped: frozenset[str]) -> str:
        """Return the field of the project that answers; `variable` is the filter's name."""

    @abstractmethod
    def read(self, data: object) -> T | Unknown:
        """Return the answer from what came in the question's place."""


@dataclass(frozen=True, slots=True)
class CountAsk(Ask[int]):
    """How many runs match."""

    filter: Filter

    @property
    def matching(self) -> Filter:
        return self.filter

    def graphql(self, variable: str, dropped: frozenset[str]) -> str:  # noqa: ARG002
        return f"runCount(filters: ${variable})"

    def read(self, data: object) -> int | Unknown:
        if not isinstance(data, int) or isinstance(data, bool):
            return _LEFT_OUT
        if not 0 <= data < _TOO_MANY:
            return Unknown(f"W&B counts {str(data)[:25]} runs, which cannot be", _SERVER)
        return data


@dataclass(frozen=True, slots=True)
class TotalAsk(Ask[int]):
    """How many runs there are, asked of a server whose counts take no filter."""

    def graphql(self, variable: str, dropped: frozenset[str]) -> str:  # noqa: ARG002
        return "runCount"

    def read(self, data: object) -> int | Unknown:
        return CountAsk(EVERYTHING).read(data)


@dataclass(slots=True)
class Page:
    """A page as it came; `hidden` is how many of its rows show no run.

    `unreadable` names, by run id, the parts the server could not serve.
    """

    nodes: list[dict[str, Any]]
    end_cursor: str | None = None
    has_next: bool = False
    unreadable: dict[str, frozenset[str]] = field(default_factory=dict)
    hidden: int = 0

    def runs(self, selection: Selection, now: datetime) -> Iterator[Run]:
        """Yield a run for each node, of which `selection` was read; `now` is W&B's time."""
        for node in self.nodes:
            lost = self.unreadable.get(node["name"], frozenset())
            yield make_run(node, selection, now, lost)


@dataclass(frozen=True, slots=True)
class PageAsk(Ask[Page]):
    """A page of runs that match, in an order, after a cursor."""

    filter: Filter
    order: str
    first: int
    selection: Selection = field(default_factory=Selection)
    after: str | None = None

    @property
    def matching(self) -> Filter:
        return self.filter

    def graphql(self, variable: str, dropped: frozenset[str]) -> str:
        after = f", after: {_literal(self.after)}" if self.after else ""
        fields = " ".join(self.selection.fields(dropped).values())
        matching = "" if PAGES_TAKE_FILTERS in dropped else f"filters: ${variable}, "
        return (
            f"runs({matching}order: {_literal(self.order)}, "
            f"first: {self.first}{after}) {{ edges {{ cursor node {{ {fields} }} }} "
            "pageInfo { endCursor hasNextPage } }"
        )

    def read(self, data: object) -> Page | Unknown:
        """Return the page; rows that the server hides (null nodes) are left out."""
        rows, info = (data.get("edges"), data.get("pageInfo")) if isinstance(data, dict) else (0, 0)
        if not isinstance(rows, list) or not isinstance(info, dict):
            return _LEFT_OUT
        has_next = info.get("hasNextPage")
        if not isinstance(has_next, bool):
            return _LEFT_OUT
        edges = [row for row in rows if isinstance(row, dict)]
        nodes = [shortened(row["node"]) for row in edges if isinstance(row.get("node"), dict)]
        nodes = [node for node in nodes if isinstance(node.get("name"), str)]
        last = info.get("endCursor") or (edges[-1].get("cursor") if edges else None)
        end = last if isinstance(last, str) else None
        return Page(nodes, end, has_next, hidden=len(rows) - len(nodes))


@dataclass(frozen=True, slots=True)
class SummaryAsk(Ask[str]):
    """The whole summary of one run, as JSON: may be hundreds of KB, so never of many."""

    run_id: str

    def graphql(self, variable: str, dropped: frozenset[str]) -> str:  # noqa: ARG002
        return f"run(name: {_literal(self.run_id)}) {{ name summaryMetrics }}"

    def read(self, data: object) -> str | Unknown:
        """Return the summary; null, as of a run that never logged, is that of no keys."""
        text = data.get("summaryMetrics", _LEFT_OUT) if isinstance(data, dict) else _LEFT_OUT
        if text is None:
            return "{}"
        return text if isinstance(text, str) else _LEFT_OUT


class Unanswered(Exception):  # noqa: N818 - it is what happened
    """An answer that was needed is Unknown: `why`."""

    def __init__(self, why: Unknown) -> None:
        super().__init__(why.cause)
        self.why = why


class Answers:
    """Answers by the question that they answer."""

    def __init__(self, found: Mapping[Ask[Any], Any]) -> None:
        self._found = found

    def __getitem__(self, ask: Ask[T]) -> T | Unknown:
        answer: T | Unknown = self._found[ask]
        return answer

    def known(self, ask: Ask[T]) -> T:
        """Return an answer without which there is no going on; raises Unanswered."""
        answer: T | Unknown = self._found[ask]
        if isinstance(answer, Unknown):
            raise Unanswered(answer)
        return answer


Asks = Sequence[Ask[Any]]
Reader = Generator[Asks, Answers, T]
"""Yields what it asks next, is sent the answers, and returns the T that it learned."""


def aliases(asks: Iterable[Ask[Any]]) -> dict[str, Ask[Any]]:
    """Return the questions by the names that they have in a document, each once."""
    return {f"a{index}": ask for index, ask in enumerate(dict.fromkeys(asks))}


def render(
    asks: Iterable[Ask[Any]], dropped: frozenset[str] = frozenset()
) -> tuple[str, dict[str, str]]:
    """Return one GraphQL document for all questions, and its variables but entity and project."""
    variables: dict[str, str] = {}
    lines: list[str] = []
    for alias, ask in aliases(asks).items():
        variable = f"{alias}_filters"
        text = ask.graphql(variable, dropped)
        lines.append(f"{alias}: {text}")
        if ask.matching is not None and f"${variable}" in text:
            variables[variable] = str(ask.matching)
    declared = "".join(f", ${name}: JSONString" for name in variables)
    body = "\n    ".join(lines)
    viewer = "" if "viewer" in dropped else "  viewer { username entity }\n"
    document = (
        f"query Runmetrics($entity: String, $project: String{declared}) {{\n{viewer}"
        f"  project(name: $project, entityName: $entity) {{\n    {body}\n  }}\n}}"
    )
    return document, variables


def stray(answer: Answer, named: Container[str | int]) -> Unknown | None:
    """Return what failed without a question that it would be about, if anything did."""
    for error in answer.errors:
        if error.path[:1] != ("project",) or len(error.path) < 2 or error.path[1] not in named:
            return _not_served(error)
    return None


def result(answer: Answer, alias: str, ask: Ask[T], *, alone: bool) -> T | Unknown:
    """Return the answer to a question; every error beside the answer to one alone is its own."""
    for error in answer.errors:
        if alone or error.path[:2] == ("project", alias):
            return _not_served(error)
    return ask.read((answer.data.get("project") or {}).get(alias))


def _not_served(error: GraphQLError) -> Unknown:
    return Unknown(
        f"W&B could not serve this part of the project: {error.message}",
        "the next collection tries again; if it stays, ask support@wandb.com with this message",
    )


def _literal(value: str) -> str:
    """Return GraphQL text: as JSON, but not every server joins the halves of an escaped emoji."""
    return json.dumps(value, ensure_ascii=False)

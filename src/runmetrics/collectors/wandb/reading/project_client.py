"""Asks a project for several things in one document, and in smaller ones when that fails.

What the client gives up on with a 5xx is split: first the document, then the page, down to the one
run that the server cannot serve, which is then read without the part that hurts. A field that the
server does not know is dropped for good. What came with errors is asked for alone once. A filter
that the server refuses costs the questions that hold it, not their neighbours (rows W5, W11 and W24
of docs/RELIABILITY.md).
"""

import dataclasses
import logging
from collections.abc import Iterable
from typing import Any

from runmetrics.collectors.wandb.reading.document import (
    PAGES_TAKE_FILTERS,
    Answers,
    Ask,
    CountAsk,
    Page,
    PageAsk,
    T,
    aliases,
    render,
    result,
    stray,
)
from runmetrics.collectors.wandb.reading.filters import EVERYTHING
from runmetrics.collectors.wandb.reading.refusals import (
    FILTERS,
    SUBSTITUTES,
    CannotFilter,
    RefusedFilters,
    lacking,
    without,
)
from runmetrics.collectors.wandb.selection import BASE_PARTS, Selection
from runmetrics.collectors.wandb.server.answers import Answer
from runmetrics.collectors.wandb.server.client import Document, WandbClient
from runmetrics.collectors.wandb.server.errors import BadDocument, ServerDown, ServerFault, TooLarge
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.errors import ConfigurationError, TemporaryError
from runmetrics.text import counted

_log = logging.getLogger(__name__)
_TRIES_OF_A_PART = 2
"""A part of a document that failed five times already gets one more chance only."""

_MOST_IN_VAIN = 8
"""So many documents in a row may bring nothing, before a bare count shows whether to go on."""

Found = dict[Ask[Any], Any]
"""Answers as they are gathered: each is of its question's type, or Unknown."""


class NoSuchProject(ConfigurationError):  # noqa: N818 - it is what happened
    """The server knows us and not the project, or does not show it to us."""


class ProjectClient:
    """One project of a server. `notices` says what had to be done without."""

    def __init__(self, server: WandbClient, entity: str, project: str) -> None:
        self.server = server
        self.entity = entity
        self.project = project
        self.dropped: frozenset[str] = frozenset()
        self.notices: list[str] = []
        self._viewer_seen = False
        self._down: Unknown | None = None
        self._refused: Unknown | None = None
        self._in_vain = 0
        self._filters = RefusedFilters()

    @property
    def lost(self) -> frozenset[str]:
        """Fields that this server does not have and that nothing stands in for."""
        return self.dropped - SUBSTITUTES.keys()

    async def ask(self, asks: Iterable[Ask[Any]]) -> Answers:
        """Ask all questions in one document; equal ones are asked once.

        Raises what makes going on pointless: a refused key, no such project, no server, no time.
        """
        return Answers(await self._found(list(dict.fromkeys(asks))))

    async def ask_one(self, ask: Ask[T]) -> T | Unknown:
        """Ask one question; raises as `ask` does."""
        answer: T | Unknown = (await self._found([ask]))[ask]
        return answer

    async def _found(self, asks: list[Ask[Any]], *, part: bool = False) -> Found:
        """Return what is found; `part` says that it was asked for in a document that failed."""
        known: Found = {ask: why for ask in asks if (why := self._filters.why(ask))}
        if not (asks := [ask for ask in asks if ask not in known]):
            return known
        if self._down:
            raise ServerDown(self._down.cause, self._down.fix)
        if self._refused:
            return known | dict.fromkeys(asks, self._refused)
        try:
            answer = await self._send(asks, _TRIES_OF_A_PART if part else None)
        except (ServerFault, BadDocument) as fault:
            if isinstance(fault, BadDocument) and fault.unknown & FILTERS:
                self.dropped |= fault.unknown & {PAGES_TAKE_FILTERS}
                raise CannotFilter from None
            kind, why = type(fault), Unknown.because(fault)
        else:
            return known | await self._taken(asks, answer)
        # out of the handler: an error keeps alive all that its frames hold, the answer among it
        if kind is BadDocument and await self._gives_up(why):
            return known | dict.fromkeys(asks, why)
        return known | await self._smaller(asks, kind, why, part=part)

    async def _taken(self, asks: list[Ask[Any]], answer: Answer) -> Found:
        """Return what an answer holds; what did not come whole is asked for alone once.

        An error that names none of the questions may concern any of them.
        """
        if len(asks) > 1 and (why := stray(answer, aliases(asks))):
            if await self._gives_up(why):
                return dict.fromkeys(asks, why)
            middle = len(asks) // 2
            found = await self._found(asks[:middle], part=True)
            return found | await self._found(asks[middle:], part=True)
        alone = len(asks) == 1
        found = {ask: result(answer, at, ask, alone=alone) for at, ask in aliases(asks).items()}
        failed = {ask: why for ask, why in found.items() if isinstance(why, Unknown)}
        self._filters.took(found.keys() - failed.keys())
        if len(failed) < len(found):
            self._in_vain = 0
        elif await self._gives_up(failed[asks[0]]):
            return found
        for ask, why in failed.items():
            if alone:
                found[ask] = await self._in_parts(ask, why)
            else:
                found |= await self._found([ask], part=True)
        return found

    async def _gives_up(self, why: Unknown) -> bool:
        """Return whether to ask no more: document after document brings nothing, nor does a count.

        A few that are refused for what they ask are no reason.
        """
        self._in_vain += 1
        if self._in_vain < _MOST_IN_VAIN:
            return False
        self._in_vain = 0
        if await self._try(CountAsk(EVERYTHING)) is not None:
            return False
        self._refused = why
        return True

    async def _send(self, asks: list[Ask[Any]], tries: int | None, little: bool = False) -> Answer:
        while True:
            smallest = None if little else self._document([CountAsk(EVERYTHING)])
            try:
                answer = await self.server.query(
                    *self._document(asks), tries=tries, little=little, smallest=smallest
                )
            except BadDocument as bad:
                self._drop(bad)
                continue
            _log.debug(
                "%s/%s was asked %s in one document; %s so far",
                *(self.entity, self.project, counted(len(asks), "question")),
                counted(self.server.requests, "request"),
            )
            if self._fails_on_viewer(answer):
                continue
            self._check_access(answer)
            return answer

    def _document(self, asks: list[Ask[Any]]) -> Document:
        text, variables = render(asks, self.dropped)
        return text, {"entity": self.entity, "project": self.project, **variables}

    def _drop(self, bad: BadDocument) -> None:
        unknown = lacking(bad) - self.dropped
        if not unknown:
            raise bad
        self.dropped |= unknown
        self.notices += map(without, sorted(unknown))

    def _fails_on_viewer(self, answer: Answer) -> bool:
        """Return whether to ask once more without the viewer, about whom alone something failed."""
        of_viewer = [error.path[:1] == ("viewer",) for error in answer.errors]
        if "viewer" in self.dropped or not of_viewer or not all(of_viewer):
            return False
        self.dropped |= {"viewer"}
        self.notices.append(
            f"W&B could not say whose the API key is ({answer.errors[0].message}): the runs are "
            "read without"
        )
        return True

    def _check_access(self, answer: Answer) -> None:
        viewer, project = answer.data.get("viewer"), answer.data.get("project")
        known = viewer is not None or "viewer" in self.dropped
        if project is None:
            if not known:
                raise self.server.endpoint.nobody_logged_in()
            if answer.errors:
                raise TemporaryError(
                    f"W&B failed on project {self.entity}/{self.project}: "
                    f"{answer.errors[0].message}",
                    "try again; if it stays, ask support@wandb.com with this message",
                )
            raise NoSuchProject(
                f"W&B has no project {self.entity}/{self.project}, or this key has no access to it"
            )
        if not known and not self._viewer_seen:
            self.notices.append(self.server.endpoint.read_as_public(self.entity, self.project))
        self._viewer_seen = True

    async def _smaller(
        self, asks: list[Ask[Any]], kind: type[Exception], why: Unknown, *, part: bool
    ) -> Found:
        """Ask for less: for counts and pages apart, for half of the questions, for parts of one."""
        refused = kind is BadDocument
        if not (refused or part):
            await self._probe(why)
        counts = [ask for ask in asks if isinstance(ask, CountAsk)]
        if kind is TooLarge and len(counts) == len(asks):
            return dict.fromkeys(asks, why)  # a number is small: this is no answer to a count
        if len(asks) == 1:
            if refused and counts:  # a page may be refused for its order or its keys
                self._filters.refused(counts[0], why)
            return {asks[0]: why if refused else await self._in_parts(asks[0], why)}
        alike = refused or len(counts) in (0, len(asks))
        first = set(asks[: len(asks) // 2] if alike else counts)
        found = await self._found([ask for ask in asks if ask in first], part=True)
        return found | await self._found([ask for ask in asks if ask not in first], part=True)

    async def _probe(self, why: Unknown) -> None:
        """Raise ServerDown where the server cannot even count, so that it is left in peace."""
        try:
            await self._send([CountAsk(EVERYTHING)], _TRIES_OF_A_PART, little=True)
        except ServerFault:
            self._down = why
        except BadDocument:
            return
        if self._down:
            raise ServerDown(why.cause, why.fix)

    async def _in_parts(self, ask: Ask[Any], why: Unknown) -> Page | Unknown:
        """Return what can be had of a question that failed alone: only a page has parts."""
        if not isinstance(ask, PageAsk):
            return why
        if ask.first == 1:
            return await self._without_what_hurts(ask, why)
        pages: list[Page] = []
        after, wanted = ask.after, ask.first
        while wanted > 0:
            size = min(wanted, max(1, ask.first // 2))
            part = dataclasses.replace(ask, first=size, after=after)
            page: Page | Unknown = (await self._found([part], part=True))[part]
            if isinstance(page, Unknown):
                return page
            pages.append(page)
            wanted -= size
            after = page.end_cursor
            if not page.has_next:
                break
        unreadable = {run: parts for page in pages for run, parts in page.unreadable.items()}
        nodes = [node for page in pages for node in page.nodes]
        hidden = sum(page.hidden for page in pages)
        return Page(nodes, pages[-1].end_cursor, pages[-1].has_next, unreadable, hidden)

    async def _without_what_hurts(self, ask: PageAsk, why: Unknown) -> Page | Unknown:
        """Read one run part by part; what cannot be served is named in the page's `unreadable`."""
        page = await self._try(dataclasses.replace(ask, selection=Selection()))
        if page is None:
            return why
        if not page.nodes:
            return page
        node, hurting = page.nodes[0], set()
        for part in set(ask.selection.fields(self.dropped)) - set(BASE_PARTS):
            alone = await self._try(dataclasses.replace(ask, selection=ask.selection.only(part)))
            if alone is not None and alone.nodes and alone.nodes[0]["name"] == node["name"]:
                node |= alone.nodes[0]
            else:
                hurting.add(part)
        page.unreadable[node["name"]] = frozenset(hurting)
        return page

    async def _try(self, ask: Ask[T]) -> T | None:
        """Return an answer, asked for with no second thoughts; None where it cannot be served."""
        try:
            answer = await self._send([ask], _TRIES_OF_A_PART)
        except (ServerFault, BadDocument):
            return None
        (alias,) = aliases([ask])
        found = result(answer, alias, ask, alone=True)
        return None if isinstance(found, Unknown) else found

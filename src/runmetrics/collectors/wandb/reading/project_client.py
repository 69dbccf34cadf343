"""Asks a project for several things in one document, and in smaller ones when that fails.

What the client gives up on with a 5xx is split: first the aliases of the document, then the page,
down to the one run that the server cannot serve, which is then read without the part that hurts
(row W5). A field that the server does not know is dropped for good (W24). An alias that came
with errors is asked for alone once (W11). A filter that the server refuses costs its own alias
alone, not its neighbours.
"""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from runmetrics.collectors.wandb.reading.document import (
    Ask,
    CountAsk,
    Page,
    PageAsk,
    SummaryAsk,
    parse_page,
    render,
)
from runmetrics.collectors.wandb.selection import BASE_PARTS, Selection
from runmetrics.collectors.wandb.server.answers import Answer
from runmetrics.collectors.wandb.server.client import WandbClient
from runmetrics.collectors.wandb.server.errors import BadDocument, ServerFault
from runmetrics.collectors.wandb.server.pages import key_page
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.errors import ConfigurationError, TemporaryError

_log = logging.getLogger(__name__)
_NEEDED = frozenset(BASE_PARTS) - {"displayName"}
_TRIES_WHEN_SPLIT = 2
"""A part of a document that failed five times already gets one more chance only."""

SUBSTITUTES = {
    "displayName": "runs go by their ids",
    "computeSeconds": "durations come from the runs' times, idle gaps of resumed runs included",
    "runInfo": "GPU counts come from the runs' config and system metrics",
}


class NoSuchProject(ConfigurationError):  # noqa: N818 - it is what happened
    """The server knows us and not the project, or does not show it to us."""


def without(name: str) -> str:
    """What is to be said of a field that the server does not have."""
    instead = SUBSTITUTES.get(name, "metrics that need it are unknown")
    return f"this W&B server has no field {name!r}: {instead}"


def read_as_public(entity: str, project: str, key_page: str) -> str:
    """What is to be said of a key that W&B does not know and of a project that needs none."""
    return (
        f"W&B does not accept the API key, but {entity}/{project} is public and "
        f"was read without it: renew the key at {key_page}"
    )


Result = int | Page | dict[str, Any] | Unknown


class Asker:
    """One project, asked through one client. `notices` says what had to be done without."""

    def __init__(self, client: WandbClient, entity: str, project: str) -> None:
        self.client = client
        self.entity = entity
        self.project = project
        self.dropped: frozenset[str] = frozenset()
        self.notices: list[str] = []
        self._viewer_seen = False

    @property
    def lost(self) -> frozenset[str]:
        """Fields that this server does not have and that nothing stands in for."""
        return self.dropped - SUBSTITUTES.keys()

    async def ask(self, asks: Mapping[str, Ask], tries: int | None = None) -> dict[str, Result]:
        """An answer to each ask: a count, a Page, a summary, or Unknown.

        Raises what makes going on pointless: a refused key, no such project, no server, no time.
        """
        try:
            answer = await self._send(asks, tries)
        except (ServerFault, BadDocument) as fault:
            return await self._smaller(asks, fault)
        found: dict[str, Result] = {}
        for alias, ask in asks.items():
            result = _result(answer, alias, ask)
            if isinstance(result, Unknown) and len(asks) > 1:
                result = (await self.ask({alias: ask}, _TRIES_WHEN_SPLIT))[alias]
            elif isinstance(result, Unknown) and isinstance(ask, PageAsk):
                result = await self._halve(ask, result)
            found[alias] = result
        return found

    async def page(self, ask: PageAsk) -> Page | Unknown:
        """One page."""
        result = (await self.ask({"p": ask}))["p"]
        return result if isinstance(result, Page) else _not_a(result)

    async def _send(self, asks: Mapping[str, Ask], tries: int | None) -> Answer:
        while True:
            document, variables = render(asks, self.dropped)
            try:
                answer = await self.client.query(
                    document,
                    {"entity": self.entity, "project": self.project, **variables},
                    tries=tries,
                )
            except BadDocument as bad:
                self._drop(bad)
                continue
            _log.debug(
                "%s/%s was asked for %s; %d requests so far",
                *(self.entity, self.project, ", ".join(asks), self.client.requests),
            )
            self._check_access(answer)
            return answer

    def _drop(self, bad: BadDocument) -> None:
        unknown = {
            "runInfo" if name in ("gpu", "gpuCount") else name for name in bad.unknown_fields
        }
        unknown -= self.dropped
        if not unknown or unknown & _NEEDED or not unknown <= _droppable():
            raise bad
        self.dropped |= unknown
        for name in sorted(unknown):
            self.notices.append(without(name))

    def _check_access(self, answer: Answer) -> None:
        viewer, project = answer.data.get("viewer"), answer.data.get("project")
        if project is None and answer.errors and viewer is not None:
            raise TemporaryError(
                f"W&B failed on project {self.entity}/{self.project}: {answer.errors[0].message}",
                "try again; if it stays, ask support@wandb.com with this message",
            )
        if project is None and viewer is None:
            raise self.client.endpoint.nobody_logged_in()
        if project is None:
            raise NoSuchProject(
                f"W&B has no project {self.entity}/{self.project}, or this key has no access to it"
            )
        if viewer is None and not self._viewer_seen:
            renew_at = key_page(self.client.endpoint.app_url)
            self.notices.append(read_as_public(self.entity, self.project, renew_at))
        self._viewer_seen = True

    async def _smaller(
        self, asks: Mapping[str, Ask], fault: ServerFault | BadDocument
    ) -> dict[str, Result]:
        if len(asks) > 1:
            items = list(asks.items())
            middle = len(items) // 2
            first = await self.ask(dict(items[:middle]), _TRIES_WHEN_SPLIT)
            return first | await self.ask(dict(items[middle:]), _TRIES_WHEN_SPLIT)
        ((alias, ask),) = asks.items()
        if isinstance(ask, PageAsk) and isinstance(fault, ServerFault):
            return {alias: await self._halve(ask, Unknown.because(fault))}
        return {alias: Unknown.because(fault)}

    async def _halve(self, ask: PageAsk, why: Unknown) -> Page | Unknown:
        if ask.first == 1:
            return await self._without_what_hurts(ask, why)
        pages: list[Page] = []
        after, wanted = ask.after, ask.first
        while wanted > 0:
            size = min(wanted, max(1, ask.first // 2))
            part = dataclasses.replace(ask, first=size, after=after)
            result = (await self.ask({"p": part}, _TRIES_WHEN_SPLIT))["p"]
            if not isinstance(result, Page):
                return _not_a(result)
            pages.append(result)
            wanted -= size
            after = result.end_cursor
            if not result.has_next:
                break
        unreadable = {run: parts for page in pages for run, parts in page.unreadable.items()}
        nodes = [node for page in pages for node in page.nodes]
        return Page(nodes, pages[-1].end_cursor, pages[-1].has_next, unreadable)

    async def _without_what_hurts(self, ask: PageAsk, why: Unknown) -> Page | Unknown:
        """Read one run part by part; what cannot be served is named in the page's `unreadable`."""
        bare = dataclasses.replace(ask, selection=Selection())
        page = (await self._try(bare)) or why
        if not isinstance(page, Page) or not page.nodes:
            return page
        node, hurting = page.nodes[0], set()
        for part in set(ask.selection.fields(self.dropped)) - set(BASE_PARTS):
            alone = await self._try(dataclasses.replace(ask, selection=_only(ask, part)))
            if alone is not None and alone.nodes and alone.nodes[0]["name"] == node["name"]:
                node |= alone.nodes[0]
            else:
                hurting.add(part)
        page.unreadable[node["name"]] = frozenset(hurting)
        return page

    async def _try(self, ask: PageAsk) -> Page | None:
        try:
            answer = await self._send({"p": ask}, _TRIES_WHEN_SPLIT)
        except ServerFault:
            return None
        result = _result(answer, "p", ask)
        return result if isinstance(result, Page) else None


def _only(ask: PageAsk, part: str) -> Selection:
    """A selection of one part; config stands in for runInfo where the server does not know it."""
    parts = {"runInfo"} if part == "config" else {part}
    return dataclasses.replace(
        ask.selection,
        parts=ask.selection.parts & parts,
        summary_keys=ask.selection.summary_keys if part == "summaryMetrics" else frozenset(),
        config_keys=ask.selection.config_keys if part == "config" else frozenset(),
    )


def _droppable() -> frozenset[str]:
    return frozenset(
        {
            *("displayName", "computeSeconds", "runInfo", "systemMetrics", "user", "group"),
            *("jobType", "sweepName", "host", "tags"),
        }
    )


def _result(answer: Answer, alias: str, ask: Ask) -> Result:
    errors = [error for error in answer.errors if error.path[:2] in (("project", alias), ())]
    data = (answer.data.get("project") or {}).get(alias)
    if errors:
        return Unknown(f"W&B could not serve this part of the project: {errors[0].message}")
    match ask:
        case CountAsk() if isinstance(data, int) and not isinstance(data, bool):
            return data
        case PageAsk() if isinstance(data, dict):
            return parse_page(data)
        case SummaryAsk() if isinstance(data, dict):
            return data
    return Unknown("W&B left out a part of its answer without an error")


def _not_a(result: Result) -> Unknown:
    return result if isinstance(result, Unknown) else Unknown("W&B answered something else")

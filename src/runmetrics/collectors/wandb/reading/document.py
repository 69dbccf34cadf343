"""What is asked of W&B, as GraphQL: counts, pages of runs and single runs, as aliases of a project.

Filters are MongoDB-style and travel as JSON in variables; names of fields in filters are
camelCase, names of orders snake_case (the official client's documentation of `Api.runs`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from runmetrics.collectors.wandb.selection import Selection

Filters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CountAsk:
    """How many runs match."""

    filters: Filters


@dataclass(frozen=True, slots=True)
class PageAsk:
    """A page of runs that match, in an order, after a cursor."""

    filters: Filters
    order: str
    first: int
    selection: Selection = field(default_factory=Selection)
    after: str | None = None


@dataclass(frozen=True, slots=True)
class SummaryAsk:
    """The whole summary of one run: may be hundreds of KB, so never of many."""

    run_id: str


Ask = CountAsk | PageAsk | SummaryAsk


@dataclass(slots=True)
class Page:
    """A page as it came. `unreadable` names, by run id, the parts the server could not serve."""

    nodes: list[dict[str, Any]]
    end_cursor: str | None = None
    has_next: bool = False
    unreadable: dict[str, frozenset[str]] = field(default_factory=dict)


def render(
    asks: Mapping[str, Ask], dropped: frozenset[str] = frozenset()
) -> tuple[str, dict[str, str]]:
    """One GraphQL document for all asks, by alias, and its variables but entity and project."""
    variables: dict[str, str] = {}
    lines = [_render_one(alias, ask, dropped, variables) for alias, ask in asks.items()]
    declared = "".join(f", ${name}: JSONString" for name in variables)
    body = "\n    ".join(lines)
    document = (
        f"query Runmetrics($entity: String, $project: String{declared}) {{\n"
        "  viewer { username entity }\n"
        f"  project(name: $project, entityName: $entity) {{\n    {body}\n  }}\n}}"
    )
    return document, variables


def parse_page(data: Mapping[str, Any]) -> Page:
    """A page from an alias's data; rows that the server hides (null nodes) are left out."""
    rows = data.get("edges")
    edges = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    nodes = [row["node"] for row in edges if isinstance(row.get("node"), dict)]
    info = data.get("pageInfo")
    info = info if isinstance(info, dict) else {}
    last = info.get("endCursor") or (edges[-1].get("cursor") if edges else None)
    return Page(
        [node for node in nodes if isinstance(node.get("name"), str)],
        last if isinstance(last, str) else None,
        bool(info.get("hasNextPage")),
    )


def timestamp(time: datetime) -> str:
    """A time for a filter: whole seconds, floored, with the Z without which nothing matches."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def both(*filters: Filters) -> dict[str, Any]:
    """All the filters at once; {} matches everything."""
    wanted = [dict(one) for one in filters if one]
    if not wanted:
        return {}
    return wanted[0] if len(wanted) == 1 else {"$and": wanted}


def _render_one(alias: str, ask: Ask, dropped: frozenset[str], variables: dict[str, str]) -> str:
    if isinstance(ask, SummaryAsk):
        return f"{alias}: run(name: {_literal(ask.run_id)}) {{ name summaryMetrics }}"
    variables[f"{alias}_filters"] = json.dumps(ask.filters, allow_nan=False)
    if isinstance(ask, CountAsk):
        return f"{alias}: runCount(filters: ${alias}_filters)"
    after = f", after: {_literal(ask.after)}" if ask.after else ""
    fields = " ".join(ask.selection.fields(dropped).values())
    return (
        f"{alias}: runs(filters: ${alias}_filters, order: {_literal(ask.order)}, "
        f"first: {ask.first}{after}) {{ edges {{ cursor node {{ {fields} }} }} "
        "pageInfo { endCursor hasNextPage } }"
    )


def _literal(value: str) -> str:
    """GraphQL text: as JSON, but not every server joins the two halves of an escaped emoji."""
    return json.dumps(value, ensure_ascii=False)

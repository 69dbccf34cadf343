"""What the Datadog intake received, in words: so that a push can be seen to arrive."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from runmetrics.sandbox.http import Request, Response
from runmetrics.sandbox.intake import decoded
from runmetrics.text import counted, one_line, show_value

MOST_SERIES = 30


def told(request: Request, response: Response, now: datetime) -> str:
    """Return a line for the request and its answer, and one for each series that it brought."""
    path = request.path.partition("?")[0]
    line = f"{now:%H:%M:%S}  {response.status}  {request.method} {path}"
    if response.status >= 400:
        return f"{line}: {one_line(response.body.decode())}"
    if path != "/api/v2/series":
        return line
    series = json.loads(decoded(request))["series"]
    size = f"{request.body_bytes_on_the_wire:,} bytes"
    return "\n".join(
        [f"{line}: {counted(len(series), 'series', 'series')}, {size}", *_listed(series)]
    )


def _listed(series: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each series; the tags that all have are said once."""
    shared = set.intersection(*(set(one["tags"]) for one in series))
    yield f"          all are tagged {', '.join(sorted(shared))}"
    shown = series[:MOST_SERIES]
    width = max(len(one["metric"]) for one in shown)
    for one in shown:
        value = show_value(one["points"][-1]["value"], one.get("unit", ""))
        own = "  ".join(sorted(set(one["tags"]) - shared))
        yield f"          {one['metric']:{width}}  {value}  {own}".rstrip()
    if more := len(series) - len(shown):
        yield f"          and {more} more"

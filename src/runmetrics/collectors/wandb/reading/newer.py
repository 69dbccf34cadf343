"""Tells the runs of a scan that may have been created while it is read from those before them.

No clock says which runs the first count can hold: it counts those after a boundary as well. As
runs keep their creation time, those before the boundary can be held to a count of their own.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from runmetrics.collectors.wandb.reading.document import CountAsk
from runmetrics.collectors.wandb.reading.filters import Filter, created_since, moved_since
from runmetrics.collectors.wandb.values import parse_time

NO_CLOCK = timedelta(seconds=61)
"""How far back from our start runs may have moved since, where W&B's clock is not known."""


class Newer:
    """The runs of a filter that were created after a boundary, a minute before `now`."""

    def __init__(self, matching: Filter, now: datetime) -> None:
        self._matching = matching
        self._boundary = (now - NO_CLOCK).replace(microsecond=0)
        self._ids: set[str] = set()
        self.count = CountAsk(matching & created_since(self._boundary))

    def add(self, node: Mapping[str, Any]) -> None:
        """Note a run that was read, if it is one of them."""
        created = parse_time(node.get("createdAt"))
        if created is not None and created >= self._boundary:
            self._ids.add(node["name"])

    @property
    def read(self) -> int:
        """How many of them were read."""
        return len(self._ids)

    def and_beating_since(self, time: datetime) -> Filter:
        """Match all of them, and the runs that beat after a time."""
        return self._matching & moved_since(time, self._boundary)

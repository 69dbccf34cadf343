"""Takes the server's counts, unless the runs that were read show that they lag behind.

Counts come from another index than runs do (fact 15). What an index can have missed is what
moved lately, and that is in the scan of the last days, which is read anyway: where the two
disagree, a count is asked for again beside the runs that it counts, and otherwise unknown.
"""

from collections.abc import Mapping

from runmetrics.collectors.wandb.reading.document import Ask, CountAsk, Filters, Page, PageAsk, both
from runmetrics.collectors.wandb.reading.plan import PAGE_SIZE, CountRead, state_filter
from runmetrics.collectors.wandb.reading.project_client import Asker, Result
from runmetrics.collectors.wandb.reading.scan import Walk
from runmetrics.collectors.wandb.unknown import Disagreement, Unknown
from runmetrics.errors import RunmetricsError


class Counter:
    """One count. `lately` is the filter of a scan of the same runs, if there is one."""

    def __init__(self, asker: Asker, read: CountRead, lately: Filters | None) -> None:
        self.asker = asker
        self.read = read
        self._lately = both(lately, state_filter(read.states)) if lately and read.states else None

    def opening(self) -> dict[str, Ask]:
        """The count, and the same within the scan that it will be held against."""
        asks: dict[str, Ask] = {"all": CountAsk(self.read.filters)}
        if self._lately is not None:
            asks["lately"] = CountAsk(self._lately)
        return asks

    async def settled(
        self, opening: Mapping[str, Result], witness: Walk | Unknown | None
    ) -> int | Unknown:
        """The count, or why it is not to be believed."""
        count = opening["all"]
        if isinstance(witness, Disagreement):
            return witness
        if not isinstance(count, int) or self._lately is None or not isinstance(witness, Walk):
            return count if isinstance(count, int | Unknown) else Unknown("W&B sent no count")
        seen = sum(run.state in self.read.states for run in witness.runs.values())
        lately = opening["lately"]
        if seen == lately:
            return count
        try:
            return await self._asked_again(count, lately, seen)
        except RunmetricsError as error:
            return Unknown.because(error)

    async def _asked_again(self, count: int, before: Result, seen: int) -> int | Unknown:
        assert self._lately is not None  # noqa: S101 - checked by the caller
        listing = PageAsk(self._lately, "+created_at", PAGE_SIZE)
        again = await self.asker.ask({**self.opening(), "listed": listing})
        now, after, listed = again["all"], again["lately"], again["listed"]
        if isinstance(listed, Page) and isinstance(now, int) and not listed.has_next:
            states = {node["name"]: node.get("state") for node in listed.nodes}
            if after == len(states) == sum(state in self.read.states for state in states.values()):
                return now
        counted = [each for each in (before, after) if isinstance(each, int)]
        if len(counted) == 2 and min(counted) <= seen <= max(counted):
            return count
        return Disagreement(
            f"W&B counts {after} {' or '.join(self.read.states)} runs where {seen} were seen",
            "its index may lag behind its runs for some minutes; the next collection tries again",
        )

"""Takes the server's counts, unless the runs that were read show that they lag behind.

Counts come from another index than runs do (fact 15). What an index can have missed is what
moved lately, and that is in the scan of the last days, which is read anyway: where the two
disagree, a count is asked for again beside the runs that it counts, and otherwise unknown.
"""

from runmetrics.collectors.wandb.reading.document import Answers, CountAsk, PageAsk
from runmetrics.collectors.wandb.reading.filters import Filter, in_states
from runmetrics.collectors.wandb.reading.plan import PAGE_SIZE, CountRead
from runmetrics.collectors.wandb.reading.rounds import Asks, Reader
from runmetrics.collectors.wandb.reading.scan import Scanned
from runmetrics.collectors.wandb.unknown import Disagreement, Unknown


class Count:
    """One count. `lately` is the filter of a scan of the same runs, if there is one."""

    def __init__(self, read: CountRead, lately: Filter | None) -> None:
        self.read = read
        self._all = CountAsk(read.filter)
        self._lately = None
        if lately is not None and read.states:
            self._lately = CountAsk(lately & in_states(read.states))

    @property
    def opening(self) -> Asks:
        """The count, and the same within the scan that it will be held against."""
        return [self._all] if self._lately is None else [self._all, self._lately]

    def settle(self, opened: Answers, witness: Scanned | Unknown | None) -> Reader[int | Unknown]:
        """Return the count, or why it is not to be believed."""
        count = opened[self._all]
        if isinstance(witness, Disagreement):
            return witness
        if isinstance(count, Unknown) or not isinstance(witness, Scanned) or self._lately is None:
            return count
        before = opened[self._lately]
        seen = sum(run.state in self.read.states for run in witness.runs)
        if seen == before:
            return count
        listing = PageAsk(self._lately.filter, "+created_at", PAGE_SIZE)
        answers = yield [self._all, self._lately, listing]
        now, after, listed = answers[self._all], answers[self._lately], answers[listing]
        if not isinstance(listed, Unknown) and not listed.has_next:
            states = {node["name"]: node.get("state") for node in listed.nodes}
            if after == len(states) == sum(state in self.read.states for state in states.values()):
                return now
        counted = [each for each in (before, after) if not isinstance(each, Unknown)]
        if len(counted) == 2 and min(counted) <= seen <= max(counted):
            return count
        return Disagreement(
            f"W&B counts {after} {' or '.join(self.read.states)} runs where {seen} were seen",
            "its index may lag behind its runs for some minutes; the next collection tries again",
        )

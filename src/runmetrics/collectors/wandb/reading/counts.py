"""Takes the server's counts, unless the runs that were read show that they lag behind.

Counts come from another index than runs do (fact 15). What an index can have missed is what
moved lately, and that is in the scan of the last days, which is read anyway: it bears witness. A
count that it contradicts is asked for again beside the runs that it counts; one whose witness
could not be read, beside those of the last hour, and where it is 0, beside a page that has to be
empty. What is contradicted still is unknown, and so is a part that is greater than its whole. That
a project has no run at all is asked for again beside a page, as no run can bear witness.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from runmetrics.collectors.wandb.reading.document import Answers, Asks, CountAsk, PageAsk, Reader
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter, alive_since, in_states
from runmetrics.collectors.wandb.reading.kept import Scanned
from runmetrics.collectors.wandb.reading.plan import PAGE_SIZE, WITNESS_WINDOW, CountRead
from runmetrics.collectors.wandb.unknown import INDEX_LAGS, Disagreement, Unknown, hidden_runs
from runmetrics.text import counted

T = TypeVar("T")


class Count:
    """One count. `lately` is the filter of a scan of the same runs, if there is one.

    `week` is that of the scan of all runs, `wholes` are counts that include this one.
    """

    def __init__(
        self,
        read: CountRead,
        lately: Filter | None,
        now: datetime,
        week: Filter | None,
        wholes: Iterable[CountRead],
    ) -> None:
        self.read = read
        self._wholes = [CountAsk(whole.filter) for whole in wholes]
        self._week = None if week is None else CountAsk(read.filter & week)
        self._all = CountAsk(read.filter)
        self._lately = None if lately is None else CountAsk(lately & in_states(read.states))
        self._last_hour = CountAsk(read.filter & alive_since(now - WITNESS_WINDOW))

    @property
    def opening(self) -> Asks:
        """The count, and the same within the scan that it will be held against.

        Where no scan is of the same runs, those of the last hour are listed instead.
        """
        if self._lately is not None:
            return [self._all, self._lately]
        return [self._all, self._last_hour, _listing(self._last_hour)]

    def settle(self, opened: Answers, witness: Scanned | Unknown | None) -> Reader[int | Unknown]:
        """Return the count, less the runs that are known to be hidden; else why it is not known."""
        count = opened.known(self._all)
        if self._exceeds(opened):
            again = yield [self._all, *self._wholes]
            if self._exceeds(again):
                return self._too_many(again)
            count = again.known(self._all)
        if isinstance(witness, Disagreement):
            return witness
        if isinstance(witness, Unknown):
            fresh = yield from self._ask_again(self._last_hour if count else self._all)
            return fresh.agreed(0, witness) if fresh.count == count else witness
        if witness is None:
            return count
        if count == 0 and self.read.filter == EVERYTHING:  # no run at all: a page shows whether
            fresh = yield from self._ask_again(self._all)
            return fresh.agreed(0, self._disagreement(fresh, fresh.listed))
        if self._lately is None and self._week and witness.hidden:
            fresh = yield from self._ask_again(self._week)
            return fresh.agreed(
                witness.hidden, hidden_runs(witness.hidden, "may be among those counted here")
            )
        if self._lately is None:
            found = self._fresh(opened, self._last_hour).agreed(witness.hidden, None)
            if found is not None:
                return found
            fresh = yield from self._ask_again(self._last_hour)
            busy = not fresh.whole and fresh.listed <= fresh.lately <= fresh.count
            otherwise = fresh.count if busy else self._disagreement(fresh, fresh.listed)
            return fresh.agreed(witness.hidden, otherwise)
        lately = opened.known(self._lately)
        seen = sum(not self.read.states or run.state in self.read.states for run in witness.runs)
        if max(lately, seen) <= count and not self.read.states:
            return count - witness.hidden
        if lately <= count and self.read.states and 0 <= lately - seen <= witness.hidden:
            return count - (lately - seen)
        fresh = yield from self._ask_again(self._lately)
        low, high = sorted((lately, fresh.lately))
        moving = lately <= count and fresh.lately <= fresh.count and low <= seen <= high
        otherwise = fresh.count if moving else self._disagreement(fresh, seen)
        return fresh.agreed(witness.hidden, otherwise)

    def _exceeds(self, answers: Answers) -> bool:
        """Return whether the count is greater than one that includes it."""
        count = answers.known(self._all)
        return any(count > answers.known(whole) for whole in self._wholes)

    def _too_many(self, answers: Answers) -> Unknown:
        whole = min(answers.known(ask) for ask in self._wholes)
        return Disagreement(
            f"W&B counts {answers.known(self._all):,} of {counted(whole, 'run')}, twice",
            INDEX_LAGS,
        )

    def _ask_again(self, lately: CountAsk) -> "Reader[_Fresh]":
        return self._fresh((yield [self._all, lately, _listing(lately)]), lately)

    def _fresh(self, answers: Answers, lately: CountAsk) -> "_Fresh":
        page = answers.known(_listing(lately))
        listed = {
            node["name"]
            for node in page.nodes
            if not self.read.states or node.get("state") in self.read.states
        }
        count, late = answers.known(self._all), answers.known(lately)
        return _Fresh(count, late, len(listed), not page.has_next, page.hidden)

    def _disagreement(self, fresh: "_Fresh", seen: int) -> Unknown:
        which = f"{' or '.join(self.read.states)} runs" if self.read.states else "runs"
        text = f"W&B counts {fresh.lately} {which} where {seen} were seen"
        if fresh.lately > fresh.count:
            text = f"W&B counts {fresh.count} {which}, of them {fresh.lately} lately"
        return Disagreement(text, INDEX_LAGS)


def _listing(lately: CountAsk) -> PageAsk:
    return PageAsk(lately.filter, "+created_at", PAGE_SIZE)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A count, the same of those that moved lately, and how many of the latter are listed.

    `hidden` rows of that list show no run.
    """

    count: int
    lately: int
    listed: int
    whole: bool
    hidden: int

    def agreed(self, hidden: int, otherwise: T) -> int | T:
        """Return the count less what is not listed, if that much may be hidden."""
        missing = self.lately - self.listed
        if self.whole and self.hidden <= missing <= hidden and self.lately <= self.count:
            return self.count - missing
        return otherwise

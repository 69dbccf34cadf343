"""Delivery in batches, once for every sink that posts: tries again, splits, accounts for it all.

A refusal may be about something in the batch or about the way there (a proxy, a TLS port, an
ingest switch). Halving tells: where single items are refused and others are taken, those are bad
and dropped; where nothing at all is taken, nothing is dropped.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode, RunmetricsError, TemporaryError
from runmetrics.model import Delivery, Drop, Sample
from runmetrics.retry import Backoff, Retries, TransientFailure
from runmetrics.text import some, were

REJECTED, TOO_LARGE = "rejected", "too_large"

_MOST_CUTS = 50  # in search of bad items: a fault in every one would cost two posts for each
_ENOUGH_REFUSED = 3  # single items refused and none taken: no more is cut before something is taken


@dataclass(frozen=True, slots=True)
class RetryPolicy(Backoff):
    """How often and how long a batch is tried; `request_seconds` is the total of one request."""

    tries: int = 6
    first_seconds: float = 1.0
    request_seconds: float = 10.0


DEFAULT_POLICY = RetryPolicy()


class Item(Protocol):
    """A sample in the shape it is sent in."""

    @property
    def sample(self) -> Sample:
        """The sample itself."""

    @property
    def name(self) -> str:
        """The name it is sent by."""


T = TypeVar("T", bound=Item)


class Unavailable(TransientFailure):
    """A failed post that may be sent again; `error` is what is said when it is not."""

    def __init__(self, error: RunmetricsError, asked_seconds: float | None = None) -> None:
        super().__init__(str(error))
        self.what, self.error, self.asked_seconds = error.cause, error, asked_seconds


class Refused(Exception):  # noqa: N818 - it is what happened
    """Something in the batch is refused: `reason` in a word (a tag's value), `words` in theirs.

    `way_there` is the error where nothing at all is taken.
    """

    def __init__(self, reason: str, words: str, way_there: RunmetricsError) -> None:
        super().__init__(words)
        self.reason, self.words, self.way_there = reason, words, way_there


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch was taken, but for `rejected` items of it, nobody says which; `notice` says why.

    `way_there` is the error where nothing at all is taken.
    """

    notice: str = ""
    rejected: int = 0
    way_there: RunmetricsError | None = None


@dataclass(frozen=True, slots=True)
class _Rejection(Generic[T]):
    """Items that will not be taken, if others are: for the `reason`, in the words of `notice`."""

    items: Sequence[T]
    reason: str
    notice: str
    way_there: RunmetricsError


def unsent(names: Sequence[str], reason: str) -> str:
    """Say that samples were not sent."""
    return f"{were(len(names), 'sample')} not sent ({reason}): {some(names)}"


@dataclass(slots=True)
class Ledger(Generic[T]):
    """Where each sample of one delivery ended."""

    accepted: list[Sample] = field(default_factory=list)
    dropped: list[Drop] = field(default_factory=list)
    undelivered: list[Sample] = field(default_factory=list)
    errors: list[RunmetricsError] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    rejections: list[_Rejection[T]] = field(default_factory=list)

    def accept(self, batch: Sequence[T], taken: Taken) -> None:
        """Note what was taken; of a batch that was not taken whole, the last ones were not."""
        count = len(batch) - taken.rejected
        self.accepted += (item.sample for item in batch[:count])
        if taken.rejected and taken.way_there:
            rest = batch[count:]
            self.rejections.append(_Rejection(rest, REJECTED, taken.notice, taken.way_there))
        elif taken.notice:
            self.notices.append(taken.notice)

    def refuse(self, item: T, refusal: Refused) -> None:
        """Note what is refused alone: it is dropped, unless nothing at all is taken."""
        said = unsent([f"{item.name}, {refusal.words}"], refusal.reason)
        self.rejections.append(_Rejection([item], refusal.reason, said, refusal.way_there))

    def drop(self, item: T, reason: str, why: str) -> None:
        """Note what cannot be sent at all."""
        self.dropped.append(Drop(item.sample, reason))
        self.notices.append(unsent([f"{item.name}, {why}"], reason))

    def keep(self, batch: Sequence[T], error: RunmetricsError) -> None:
        """Note what was not taken and may be later."""
        self.undelivered += (item.sample for item in batch)
        if str(error) not in map(str, self.errors):
            self.errors.append(error)

    def closed(self, sink: str, requests: int, bytes_sent: int) -> Delivery:
        """Return the delivery: 76 when anything was taken and anything was not, else the worst."""
        for each in self.rejections:
            if self.accepted:
                self.dropped += (Drop(item.sample, each.reason) for item in each.items)
                self.notices.append(each.notice)
            else:
                self.keep(each.items, each.way_there)
        lost = any(drop.reason != "duplicate" for drop in self.dropped)
        worst = max(self.errors, key=lambda error: error.exit_code, default=None)
        code = ExitCode.OK
        if worst or lost:
            code = worst.exit_code if worst else ExitCode.TEMPORARY
            code = ExitCode.PARTIAL if self.accepted else code
        return Delivery(
            sink=sink,
            accepted=tuple(self.accepted),
            dropped=tuple(self.dropped),
            undelivered=tuple(self.undelivered),
            error=str(worst) if worst else "",
            code=code,
            requests=requests,
            bytes_sent=bytes_sent,
            notices=(*self.notices, *(str(error) for error in self.errors if error is not worst)),
        )


@dataclass(frozen=True, slots=True)
class BatchDelivery(Generic[T]):
    """One delivery to `receiver`, into `ledger`.

    `post` sends a batch once. It raises Unavailable, Refused, and RunmetricsError when no other
    batch would fare better.
    """

    receiver: str
    post: Callable[[Sequence[T]], Taken]
    ledger: Ledger[T]
    policy: RetryPolicy
    deadline: Deadline

    def run(self, batches: Iterable[Sequence[T]]) -> None:
        """Send every batch, or account for why not."""
        waiting = deque(batches)
        aside: list[tuple[Sequence[T], RunmetricsError]] = []
        tries, cuts_left = self.policy.tries, _MOST_CUTS
        while waiting:
            batch = waiting.popleft()
            try:
                taken = self._sent(batch, tries)
            except Refused as refusal:
                if len(batch) == 1:
                    self.ledger.refuse(batch[0], refusal)
                elif self._is_about_the_way_there():
                    aside.append((batch, refusal.way_there))
                elif refusal.reason == TOO_LARGE or cuts_left:
                    cuts_left -= refusal.reason != TOO_LARGE
                    waiting.extendleft(reversed(halves(batch)))
                else:
                    self.ledger.keep(batch, self._too_many(refusal))
            except Unavailable as failure:
                self.ledger.keep(batch, failure.error)
                tries = 1  # one answer shows whether it is the batch or the whole receiver
            except RunmetricsError as error:
                for each in (batch, *waiting):
                    self.ledger.keep(each, error)
                break
            else:
                self.ledger.accept(batch, taken)
                waiting.extend(batch for batch, _ in aside)
                aside.clear()
        for batch, way_there in aside:
            self.ledger.keep(batch, way_there)

    def _sent(self, batch: Sequence[T], tries: int) -> Taken:
        """Post one batch until it is taken; the same bytes each time, which overwrite themselves.

        Raises Unavailable once the tries are used up or the run is stopped.
        """

        def attempt() -> Taken:
            if self.deadline.remaining():
                return self.post(batch)
            cause = f"no time was left to deliver to {self.receiver}"
            raise TemporaryError(cause, "raise --timeout")

        try:
            return Retries(self.policy, self.deadline, tries).call(attempt)
        except Unavailable as failure:
            if (failure.asked_seconds or 0) > self.deadline.remaining():
                raise failure.error from None
            raise

    def _is_about_the_way_there(self) -> bool:
        return not self.ledger.accepted and len(self.ledger.rejections) >= _ENOUGH_REFUSED

    def _too_many(self, refusal: Refused) -> TemporaryError:
        return TemporaryError(
            f"{self.receiver} finds fault with too many samples, the last time: {refusal.words}",
            "look at their names and tags",
        )


def halves(batch: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Return both halves, in order."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]

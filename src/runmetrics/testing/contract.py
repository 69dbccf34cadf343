"""The collector's contract as a class of tests, which pytest runs under the name it is given.

The promises themselves are in faults.py. Each test makes a collector anew and lets it collect.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from runmetrics.deadline import Deadline
from runmetrics.errors import RunmetricsError
from runmetrics.model import Collection
from runmetrics.plugins import Collector, CollectorFactory, Setup, find_collector
from runmetrics.testing import faults
from runmetrics.testing.stand_ins import frozen_deadline, setup_with

GRACE_SECONDS = 3.0
"""What a collector may take beyond its deadline, or after a stop, to put things away."""


class CollectorContract(ABC):
    """One test a promise; `collector_contract` makes it of a collector."""

    environ: ClassVar[Mapping[str, str]]
    seconds: ClassVar[float]

    @abstractmethod
    def make(self, setup: Setup) -> Collector:
        """Make a new collector."""

    def test_it_is_installed_under_its_name(self) -> None:
        """`runmetrics collect NAME` finds this very collector."""
        setup = self._setup()
        collector = self.make(setup)
        installed = type(find_collector(collector.name)(setup))
        if installed is not type(collector):
            raise AssertionError(
                f"{collector.name} is the name of {installed.__module__}.{installed.__qualname__}:"
                " choose another one"
            )

    def test_it_collects(self) -> None:
        """The source that the test reads has something to tell."""
        self._collection()

    def test_its_names_are_legal(self) -> None:
        """Datadog keeps them as they are."""
        self._check(faults.names(self._collection()))

    def test_its_values_are_finite_numbers(self) -> None:
        """What cannot be known is a Problem, never a zero or a NaN."""
        self._check(faults.values(self._collection()))

    def test_its_units_are_known(self) -> None:
        """Datadog has a word for each."""
        self._check(faults.units(self._collection()))

    def test_its_times_are_the_instant_that_was_given(self) -> None:
        """All samples of a run are of one time."""
        now = _now()
        self._check(faults.times(self._collection(now), now))

    def test_its_tags_are_strings_and_name_the_collector(self) -> None:
        """Each series says where it is from."""
        name = self.make(self._setup()).name
        self._check(faults.tags(self._collection(), name))

    def test_no_series_comes_twice(self) -> None:
        """Nor is it known and unknown at the same time."""
        self._check(faults.series(self._collection()))

    def test_what_is_unknown_has_a_reason(self) -> None:
        """Cause and fix, for the person on call."""
        self._check(faults.reasons(self._collection()))

    def test_no_secret_is_in_what_it_says(self) -> None:
        """Not in names, tags, notes or problems."""
        self._check(faults.secrets(self._collection(), self._setup().environ))

    def test_the_same_instant_gives_the_same_names(self) -> None:
        """A metric does not come and go without a reason."""
        now = _now()
        self._check(faults.same_names(self._collection(now), self._collection(now)))

    def test_it_ends_when_its_time_is_up(self) -> None:
        """With what it knows, or with a RunmetricsError."""
        self._ends(frozen_deadline(0.0))

    def test_it_ends_when_it_is_stopped(self) -> None:
        """SIGTERM: whoever waits is woken, and no new wait begins."""
        deadline = Deadline(self.seconds)
        deadline.stop(grace=1.0)
        self._ends(deadline)

    def _setup(self) -> Setup:
        return setup_with(self.environ)

    def _collection(self, now: datetime | None = None) -> Collection:
        bound = self.seconds + GRACE_SECONDS
        collector = self.make(self._setup())
        collected = _collect(collector, now or _now(), Deadline(self.seconds), bound)
        if isinstance(collected, RunmetricsError):
            raise AssertionError(f"nothing could be collected: {collected}")
        self._check(faults.kinds(collected))
        return collected

    def _ends(self, deadline: Deadline) -> None:
        collector = self.make(self._setup())
        collected = _collect(collector, _now(), deadline, 1.0 + GRACE_SECONDS)
        if isinstance(collected, RunmetricsError):
            self._check(faults.of_error(collected))
        else:
            self._check(faults.reasons(collected))

    def _check(self, found: Iterable[str]) -> None:
        if lines := list(found):
            raise AssertionError("\n".join(lines))


def collector_contract(
    factory: CollectorFactory,
    environ: Mapping[str, str] | None = None,
    *,
    seconds: float = 10.0,
) -> type[CollectorContract]:
    """Return tests of the collector that `factory` makes: bind them to a name that begins `Test`.

    `environ` are its variables, over those of the test's own environment; they lead to a source
    that has something to tell. `seconds` is the deadline of each collection.
    """
    variables, bound = environ or {}, seconds

    class Contract(CollectorContract):
        environ = variables
        seconds = bound

        def make(self, setup: Setup) -> Collector:
            return factory(setup)

    return Contract


def _now() -> datetime:
    """Return an instant that no collector can have from its own clock."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=17)


def _collect(
    collector: Collector, now: datetime, deadline: Deadline, bound: float
) -> Collection | RunmetricsError:
    """Return what it collected or raised within `bound` seconds; AssertionError if neither.

    In a thread, which is left behind when it hangs.
    """
    ended: list[Collection | BaseException] = []

    def work() -> None:
        try:
            ended.append(collector.collect(now, deadline))
        except BaseException as error:  # noqa: BLE001 - told below
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(bound)
    if not ended:
        raise AssertionError(
            f"{collector.name} was still collecting after {bound:g} s: bound every wait by "
            "deadline.remaining(), and sleep with deadline.wait()"
        )
    (result,) = ended
    if isinstance(result, BaseException) and not isinstance(result, RunmetricsError):
        raise AssertionError(
            f"{collector.name} raised {type(result).__name__} ({result}): raise a "
            "RunmetricsError, or say in a Problem what could not be known"
        ) from result
    return result

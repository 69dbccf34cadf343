"""Runs, outages, kills and restarts in any order: every sample is accounted for, none is wrong.

Some hundred sequences by default; ten thousand by hand, in parts that go side by side:

    SPOOL_SEQUENCES=10000 python -m pytest --dist worksteal tests/test_spool_sequences.py
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from runmetrics.deadline import Deadline
from runmetrics.delivery import deliver_through
from runmetrics.model import Delivery, Drop, Sample
from runmetrics.spool import Spool
from runmetrics.spool_rows import as_row
from tests.spool_case import NOON, ProcessEndedError, ScriptedSink, sample

SEQUENCES = int(os.environ.get("SPOOL_SEQUENCES", "150"))
IN_A_PART = 500
PARTS = range(0, SEQUENCES, IN_A_PART)
MEMORY = Path("/dev/shm")  # no power is cut here: to wait for a disk would prove nothing
MAX_AGE_SECONDS = {"datadog": 55 * 60, "otlp": None}
MOST_BYTES = 7 * len(as_row(sample(100)))

NEW = st.integers(0, 5)
FATES = st.lists(st.sampled_from(["accept", "accept", "keep", "bad_series"]), min_size=1)


class MortalSpool(Spool):
    """One whose process ends after `steps_left` of its steps for a sink; notes who has the new."""

    def __init__(self, directory: Path, clock: Callable[[], float]) -> None:
        super().__init__(directory, most_bytes=MOST_BYTES, clock=clock)
        self.steps_left: dict[str, int] = {}
        self.kept_for: set[str] = set()

    def expire(self, sink: str, max_age_seconds: float) -> list[Drop]:
        with self._step(sink):
            return super().expire(sink, max_age_seconds)

    def keep(self, sink: str, samples: Sequence[Sample]) -> bool:
        with self._step(sink):
            self.kept_for.add(sink)
            return super().keep(sink, samples)

    def forget(self, sink: str, samples: Sequence[Sample]) -> None:
        with self._step(sink):
            super().forget(sink, samples)

    @contextmanager
    def _step(self, sink: str) -> Iterator[None]:
        if self.steps_left.get(sink) == 0:
            raise ProcessEndedError
        try:
            yield
        finally:
            self.steps_left[sink] = self.steps_left.get(sink, -1) - 1
            if self.steps_left[sink] == 0:
                raise ProcessEndedError


class Account:
    """What became of every sample that one sink was to have; `fates` holds the last word on it."""

    def __init__(self, name: str) -> None:
        self.sink = ScriptedSink(name, MAX_AGE_SECONDS[name])
        self.offered: dict[bytes, Sample] = {}
        self.fates: dict[bytes, str] = {}

    def settle(self, one: Sample, fate: str) -> None:
        row = as_row(one)
        assert row in self.offered
        assert row not in self.fates, f"{one.name} was {self.fates[row]}, and now it is {fate}"
        self.fates[row] = fate

    def unsettled(self) -> list[Sample]:
        return [one for row, one in self.offered.items() if row not in self.fates]

    def follow(self, fates: Sequence[str]) -> None:
        self.sink.given.clear()
        self.sink.answer = lambda place, _one: fates[place % len(fates)]


class Sequences(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
        self.directory = self.root / "0"
        self.now = NOON
        self.counted = 0
        self.accounts = [Account(name) for name in MAX_AGE_SECONDS]
        self.spool = self._opened()

    @rule(minutes=st.sampled_from([5, 20, 55]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(new=NEW, datadog=FATES, otlp=FATES)
    def a_run(self, new: int, datadog: list[str], otlp: list[str]) -> None:
        self._run(self.spool, new, datadog, otlp)

    @rule(new=NEW, datadog=FATES, otlp=FATES)
    def a_run_that_overlaps(self, new: int, datadog: list[str], otlp: list[str]) -> None:
        with Spool(self.directory, clock=self._clock) as second:
            assert len(second.notices) == 1
            self._run(second, new, datadog, otlp)

    @rule()
    def a_restart(self) -> None:
        self.spool.close()
        self.spool = self._opened()

    @rule(new=NEW, datadog=FATES, otlp=FATES, whose=st.sampled_from([0, 1]), at=st.integers(0, 8))
    def a_kill_while_a_sink_delivers(
        self, new: int, datadog: list[str], otlp: list[str], whose: int, at: int
    ) -> None:
        sink = self.accounts[whose].sink
        sink.dies_after = at
        self._killed_run(new, datadog, otlp)
        sink.dies_after = None

    @rule(
        new=NEW, datadog=FATES, otlp=FATES, whose=st.sampled_from([0, 1]), steps=st.integers(0, 3)
    )
    def a_kill_between_steps_of_the_spool(
        self, new: int, datadog: list[str], otlp: list[str], whose: int, steps: int
    ) -> None:
        self.spool.steps_left = {self.accounts[whose].sink.name: steps}
        self._killed_run(new, datadog, otlp)

    @invariant()
    def every_sample_had_one_fate_or_waits_in_the_spool(self) -> None:
        for account in self.accounts:
            waiting = self.spool.pending(account.sink.name)
            assert _rows(waiting) == _rows(account.unsettled())
            assert _bytes(waiting) <= MOST_BYTES
        assert self.spool.notices == []

    @invariant()
    def no_sink_has_a_wrong_value(self) -> None:
        for account in self.accounts:
            assert all(account.offered[as_row(one)] == one for one in account.sink.taken)

    def teardown(self) -> None:
        try:
            self._run(self.spool, 0, ["accept"], ["accept"])
            assert [account.unsettled() for account in self.accounts] == [[], []]
        finally:
            self.spool.close()
            shutil.rmtree(self.root)

    def _run(self, spool: Spool, new: int, *fates: Sequence[str]) -> None:
        """A run that ends well: its deliveries account for the backlog and the new, each once."""
        samples, sinks = self._offered(new, fates)
        backlogs = {sink.name: spool.pending(sink.name) for sink in sinks}
        found = deliver_through(spool, sinks, samples, Deadline(10))
        deliveries = {delivery.sink: delivery for delivery in found}
        for account in self.accounts:
            name = account.sink.name
            delivery, given = deliveries.get(name, Delivery(name)), [*backlogs[name], *samples]
            lost = delivery.undelivered if spool is not self.spool else ()
            dropped = [drop.sample for drop in delivery.dropped]
            ends = (*delivery.accepted, *dropped, *delivery.undelivered)
            assert _rows(ends) == _rows(given)
            assert delivery.spooled == len(delivery.undelivered) - len(lost)
            assert not any(self._too_old(account, one) for one in account.sink.given)
            for one in delivery.accepted:
                account.settle(one, "accepted")
            for one in lost:
                account.settle(one, "lost")
            for drop in delivery.dropped:
                account.settle(drop.sample, drop.reason)
                assert {
                    "expired": self._too_old(account, drop.sample),
                    "spool_full": _bytes(given) > MOST_BYTES,
                    "bad_series": drop.sample in account.sink.refused,
                }[drop.reason]

    def _killed_run(self, new: int, *fates: Sequence[str]) -> None:
        """A run that cannot tell: whatever is gone from its spool must have a fate all the same."""
        samples, sinks = self._offered(new, fates)
        backlogs = {sink.name: self.spool.pending(sink.name) for sink in sinks}
        with suppress(ProcessEndedError):
            deliver_through(self.spool, sinks, samples, Deadline(10))
        kept_for, before = self.spool.kept_for, self.directory
        self.directory = self.root / str(int(before.name) + 1)
        shutil.copytree(before, self.directory)  # as the dead process left it, never closed
        self.spool.close()
        self.spool = self._opened()
        for account in self.accounts:
            waiting = self.spool.pending(account.sink.name)
            for one in account.unsettled():
                if one in waiting:
                    continue
                if one in account.sink.taken:
                    account.settle(one, "accepted")
                elif one in account.sink.refused:
                    account.settle(one, "bad_series")
                elif self._too_old(account, one):
                    account.settle(one, "expired")
                elif one in samples and account.sink.name not in kept_for:
                    account.settle(one, "lost")  # collected, and gone before anybody kept it
                else:
                    assert _bytes([*backlogs[account.sink.name], *samples]) > MOST_BYTES
                    assert all(one.value < other.value for other in waiting)
                    account.settle(one, "spool_full")

    def _offered(
        self, new: int, fates: Sequence[Sequence[str]]
    ) -> tuple[list[Sample], list[ScriptedSink]]:
        """So many new samples of this instant for every sink, each of which is told what to do."""
        numbers = range(self.counted, self.counted + new)
        self.counted += new
        samples = [replace(sample(number), time=self.now) for number in numbers]
        for account, its_fates in zip(self.accounts, fates, strict=True):
            account.offered |= {as_row(one): one for one in samples}
            account.follow(its_fates)
        self.spool.kept_for.clear()
        return samples, [account.sink for account in self.accounts]

    def _opened(self) -> MortalSpool:
        return MortalSpool(self.directory, self._clock)

    def _clock(self) -> float:
        return self.now.timestamp()

    def _too_old(self, account: Account, one: Sample) -> bool:
        most = account.sink.max_age_seconds
        return most is not None and (self.now - one.time).total_seconds() >= most


def _rows(samples: Sequence[Sample]) -> list[bytes]:
    return sorted(map(as_row, samples))


def _bytes(samples: Sequence[Sample]) -> int:
    return sum(map(len, map(as_row, samples)))


@pytest.mark.parametrize("first", PARTS)
def test_every_sample_is_accounted_for_whatever_happens_in_any_order(first: int) -> None:
    part = type(f"SequencesFrom{first}", (Sequences,), {})  # hypothesis seeds by the name, in CI
    many = min(IN_A_PART, SEQUENCES - first)
    each = settings(max_examples=many, stateful_step_count=20, print_blob=True)
    run_state_machine_as_test(part, settings=each)

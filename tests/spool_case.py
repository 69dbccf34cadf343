"""What the tests of the spool share: numbered samples, and a sink with a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from runmetrics.deadline import Deadline
from runmetrics.errors import ExitCode
from runmetrics.model import Delivery, Drop, Sample
from runmetrics.plugins import Sink

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

Answer = Callable[[int, Sample], str]
"""What becomes of the sample at a place: "accept", "keep" (undelivered), or why it is dropped."""


def sample(number: int, *, minutes_ago: float = 0) -> Sample:
    """The sample of this number, which is its value too."""
    time = NOON - timedelta(minutes=minutes_ago)
    return Sample(f"wandb.m{number}", float(number), time, "run", {"team": "ml"}, f"no. {number}")


def accept(_place: int, _sample: Sample) -> str:
    return "accept"


def refuse(_place: int, _sample: Sample) -> str:
    return "keep"


@dataclass
class ScriptedSink(Sink):
    """Does with each sample what `answer` says; notes what it was given, took and refused for good.

    `dies_after`: the process ends when so many samples of a delivery are dealt with.
    """

    name: str = "fake"
    max_age_seconds: float | None = 55 * 60
    answer: Answer = accept
    given: list[Sample] = field(default_factory=list)
    taken: list[Sample] = field(default_factory=list)
    refused: list[Sample] = field(default_factory=list)
    dies_after: int | None = None

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        assert deadline.remaining() > 0
        self.given += samples
        accepted: list[Sample] = []
        dropped: list[Drop] = []
        kept: list[Sample] = []
        for place, one in enumerate(samples):
            if place == self.dies_after:
                raise ProcessEndedError
            fate = self.answer(place, one)
            if fate == "accept":
                accepted.append(one)
                self.taken.append(one)
            elif fate == "keep":
                kept.append(one)
            else:
                dropped.append(Drop(one, fate))
                self.refused.append(one)
        if self.dies_after is not None:
            raise ProcessEndedError
        code = ExitCode.TEMPORARY if kept else ExitCode.OK
        return Delivery(
            self.name, tuple(accepted), tuple(dropped), tuple(kept), code=code, requests=1
        )


class ProcessEndedError(BaseException):
    """Stands for a kill: nothing after it is done."""

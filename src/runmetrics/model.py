"""The words that collectors, sinks and the command line share. All times are UTC and aware."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from runmetrics.errors import ExitCode

PROJECT_TAGS = ("wandb_entity", "wandb_project", "collector")
"""Tags that every sample of a W&B project carries."""

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A metric's name and a set of tags, sorted."""


def project_of(tags: Mapping[str, str]) -> str:
    """Return entity/project; what there is of it."""
    return f"{tags.get('wandb_entity', '')}/{tags.get('wandb_project', '')}".strip("/")


@dataclass(frozen=True, slots=True)
class RunRef:
    """The run that holds a value: the best, the latest, the longest."""

    id: str
    display_name: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One number at one time: a gauge's point.

    `value` is finite. `unit` is a word of Datadog's unit catalogue ("run", "hour", "percent") or
    empty. `runs` is how many runs the value rests on, `run` the one that holds it, where either
    is known; neither is ever sent.
    """

    name: str
    value: float
    time: datetime
    unit: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    runs: int | None = None
    run: RunRef | None = None
    note: str = ""

    @property
    def series(self) -> Series:
        """What tells it from other samples of the same collection."""
        return self.name, tuple(sorted(self.tags.items()))


@dataclass(frozen=True, slots=True)
class Missing:
    """A metric without a value because there is nothing to compute it from. No error."""

    name: str
    why: str
    unit: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Metrics that could not be known: why, and what to do about it. Never a zero in their place.

    `code` is what the program would exit with if nothing at all could be delivered.
    """

    metrics: tuple[str, ...]
    cause: str
    fix: str = ""
    code: ExitCode = ExitCode.TEMPORARY
    tags: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.cause}: {self.fix}" if self.fix else self.cause


def _known_sum(*counts: int | None) -> int | None:
    """Return the sum of the counts that are known; None where none is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class Cost:
    """What reading took: requests made, bytes received as sent (compressed) and decoded.

    `runs_read` is None where nobody counted: the source has no runs, or reading did not begin.
    """

    requests: int = 0
    bytes_received: int = 0
    bytes_decoded: int = 0
    runs_read: int | None = None

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.requests + other.requests,
            self.bytes_received + other.bytes_received,
            self.bytes_decoded + other.bytes_decoded,
            _known_sum(self.runs_read, other.runs_read),
        )


@dataclass(frozen=True, slots=True)
class Collection:
    """What one collector learned: samples, what is missing, what is unknown, remarks, and cost.

    `defaults` says of each setting that nobody made and that decides what is read, what was taken.
    `remarks` is how many runs each kind of remark among the notices is about: a series for each
    kind, so 0 stands for each that was looked for and not found.
    `most_series` is, by metric, how many series the same projects may at most become, and
    `most_series_total` how many all together where that is bounded: it may be less than their sum.
    """

    samples: tuple[Sample, ...] = ()
    missing: tuple[Missing, ...] = ()
    problems: tuple[Problem, ...] = ()
    notices: tuple[str, ...] = ()
    cost: Cost = Cost()
    defaults: tuple[str, ...] = ()
    remarks: Mapping[str, int] = field(default_factory=dict)
    most_series: Mapping[str, int] = field(default_factory=dict)
    most_series_total: int | None = None

    def __add__(self, other: "Collection") -> "Collection":
        return Collection(
            self.samples + other.samples,
            self.missing + other.missing,
            self.problems + other.problems,
            self.notices + other.notices,
            self.cost + other.cost,
            tuple(dict.fromkeys(self.defaults + other.defaults)),
            Counter(self.remarks) + Counter(other.remarks),
            Counter(self.most_series) + Counter(other.most_series),
            _known_sum(self.most_series_total, other.most_series_total),
        )


@dataclass(frozen=True, slots=True)
class Drop:
    """A sample that a sink will never take, and the reason in a word or two (a tag's value)."""

    sample: Sample
    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the samples given to one sink.

    Every one of them is in exactly one of `accepted`, `dropped` (will never be taken) and
    `undelivered` (may be taken later). `error` says why any is undelivered, with its exit code.
    `spooled` is how many of `undelivered` wait in the spool for the next run; the others are lost.
    `requests` counts every try, `bytes_sent` the bodies of those that were answered.
    """

    sink: str
    accepted: tuple[Sample, ...] = ()
    dropped: tuple[Drop, ...] = ()
    undelivered: tuple[Sample, ...] = ()
    spooled: int = 0
    error: str = ""
    code: ExitCode = ExitCode.OK
    requests: int = 0
    bytes_sent: int = 0
    notices: tuple[str, ...] = ()

"""Compiles a catalog into the fewest reads that answer it. Pure: nothing here asks anybody.

There are three kinds of reads: a count without a window is the server's; an extreme or latest
value without a window is the head of an ordered page, proven later; everything else is reduced
from a scan of the runs, one per distinct filter and window.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runmetrics.collectors.wandb.fields import GROUPS, LIFE, RUN_FIELDS, gpu_selection
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Field, Metric
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter, alive_since, in_states
from runmetrics.collectors.wandb.selection import Selection

PAGE_SIZE = 1000
"""Runs a page: the most that was seen to work against api.wandb.ai (fact 18)."""

WITNESS_WINDOW = timedelta(hours=1)
"""A scan of so long shows whether counts lag, where no scan is needed for anything else."""

GREATEST = sys.float_info.max
_PLAIN_KEY = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")

_EDGE = timedelta(seconds=1)
_WINDOW_BOUNDARIES = 7
_HISTORY_BOUNDARIES = 24
_HISTORY_STEP = timedelta(days=30)


@dataclass(frozen=True)
class CountRead:
    """Runs that match, counted by the server."""

    where: Filter
    states: tuple[str, ...]

    @property
    def filter(self) -> Filter:
        """What the server counts."""
        return self.where & in_states(self.states)


@dataclass(frozen=True)
class ScanRead:
    """All runs that match and showed life in the window (None: ever), read page by page.

    `states` stand in for a window: runs that are in one of them now, which are few.
    """

    where: Filter
    window: timedelta | None
    selection: Selection
    states: tuple[str, ...] = ()

    def filter(self, now: datetime) -> Filter:
        """Return the server's filter: a second wider than the window, which is cut here."""
        if self.window is None:
            return self.where & in_states(self.states)
        return self.where & alive_since(now - self.window - _EDGE)

    def boundaries(self, now: datetime) -> list[datetime]:
        """Return creation times at which runs are counted, to cut the scan into slices."""
        if self.states:
            return []  # rarely a second page, and of runs of one age
        if self.window is None:
            step, count = _HISTORY_STEP, _HISTORY_BOUNDARIES
        else:
            step, count = self.window / _WINDOW_BOUNDARIES, _WINDOW_BOUNDARIES
        return [now - step * index for index in range(count, 0, -1)]


@dataclass(frozen=True)
class RankedRead:
    """The run with the greatest or least value of a field, or the latest run that has one."""

    where: Filter
    states: tuple[str, ...]
    field: Field
    aggregate: Aggregate

    @property
    def part(self) -> str:
        """The field of a run that holds the ranked values."""
        return "summaryMetrics" if self.field.source == "summary" else "config"

    @property
    def base(self) -> Filter:
        """The runs among which it is ranked."""
        return self.where & in_states(self.states)

    @property
    def dotted(self) -> bool:
        """Whether the key may be a literal one, by which W&B cannot filter, or a path."""
        return "." in self.field.key

    @property
    def plain(self) -> bool:
        """Whether W&B surely filters and orders by the key: no slash or other sign (fact 13)."""
        return is_plain(self.field.key)

    @property
    def path(self) -> str:
        """The field's name in a filter."""
        return self.path_of(self.field.key)

    def path_of(self, key: str) -> str:
        """Return the name in a filter of a key beside this one."""
        prefix = "summary_metrics" if self.field.source == "summary" else "config"
        return f"{prefix}.{key}"

    @property
    def filter(self) -> Filter:
        """What is asked first: those that have a number."""
        return self.base & self.numbers

    @property
    def having(self) -> Filter:
        """Match the runs that have the key."""
        return self.having_key(self.field.key)

    def having_key(self, key: str) -> Filter:
        """Match the runs that have a key beside this one."""
        return Filter.of({self.path_of(key): {"$exists": True}})

    @property
    def numbers(self) -> Filter:
        """Match the runs that have a number there."""
        return Filter.of(numbers_under(self.path))

    @property
    def order(self) -> str:
        """Orders are snake_case; an order of config names `value` after the first segment."""
        if self.aggregate is Aggregate.LATEST:
            return "-heartbeat_at"
        sign = "-" if self.aggregate is Aggregate.MAX else "+"
        if self.field.source == "summary":
            return sign + self.path
        head, _, rest = self.field.key.partition(".")
        return f"{sign}config.{head}.value" + (f".{rest}" if rest else "")

    @property
    def selection(self) -> Selection:
        """What has to be read of a run to know its value."""
        own = field_selection(self.field)
        return own | LIFE if self.aggregate is Aggregate.LATEST else own


def is_plain(key: str) -> bool:
    """Return whether W&B surely filters and orders by a key (fact 13)."""
    return _PLAIN_KEY.fullmatch(key) is not None


def numbers_under(path: str) -> dict[str, object]:
    """Return a condition that numbers alone meet, on whichever side of them text is ranked."""
    return {path: {"$gte": -GREATEST, "$lte": GREATEST}}


Read = CountRead | ScanRead | RankedRead


@dataclass(frozen=True)
class Plan:
    """Reads without duplicates, and which of them answers each metric."""

    counts: tuple[CountRead, ...]
    scans: tuple[ScanRead, ...]
    ranked: tuple[RankedRead, ...]
    answers: Mapping[str, Read]

    def scan_of(self, where: Filter) -> ScanRead | None:
        """Return the scan of what `where` matches within the widest window, if there is one."""
        return _widest(scan for scan in self.scans if scan.where == where and scan.window)

    def knows_from_scan(self, read: RankedRead) -> bool:
        """Return whether a scan is asked first: whoever beat last is in it."""
        return read.aggregate is Aggregate.LATEST and self.scan_of(read.where) is not None


def compile_plan(metrics: Sequence[Metric], gpus_per_run: str | float = "auto") -> Plan:
    """Return the fewest reads for these metrics; `gpus_per_run` is as in the settings."""
    answers: dict[str, Read] = {metric.name: _read(metric, gpus_per_run) for metric in metrics}
    counts = [read for read in answers.values() if isinstance(read, CountRead)]
    ranked = dict.fromkeys(read for read in answers.values() if isinstance(read, RankedRead))
    scans = _merged(read for read in answers.values() if isinstance(read, ScanRead))
    if counts and not any(scan.where == EVERYTHING and scan.window for scan in scans):
        scans.append(ScanRead(EVERYTHING, WITNESS_WINDOW, Selection()))
    scans = [_with_latest(scan, scans, ranked) for scan in scans]
    scans = _folded(scans, [scan for scan in scans if scan.window])
    for name, read in answers.items():
        if isinstance(read, ScanRead):
            answers[name] = next(scan for scan in scans if serves(scan, read))
    distinct = dict.fromkeys([*counts, *bare_counts(metrics)])
    return Plan(tuple(distinct), tuple(scans), tuple(ranked), answers)


def bare_counts(metrics: Iterable[Metric]) -> list[CountRead]:
    """Count what each filter matches of how many of the project; none where nobody filters."""
    filtered = dict.fromkeys(CountRead(Filter.of(each.where), ()) for each in metrics if each.where)
    return [CountRead(EVERYTHING, ()), *filtered] if filtered else []


def field_selection(field: Field, gpus_per_run: str | float = "auto") -> Selection:
    """Return what has to be read of a run to know this field."""
    match field.source:
        case "summary":
            return Selection(summary_keys=frozenset({field.key}))
        case "config":
            return Selection(config_keys=frozenset({field.key}))
        case "system":
            return Selection(frozenset({"systemMetrics"}), system_keys=frozenset({field.key}))
    return RUN_FIELDS[field.key].selection(gpus_per_run)


def metric_selection(metric: Metric, gpus_per_run: str | float = "auto") -> Selection:
    """Return what has to be read of each run to reduce this metric."""
    selection = Selection() if metric.live and not metric.timed else LIFE
    for field in metric.fields:
        selection |= field_selection(field, gpus_per_run)
    if metric.priced:
        selection |= GROUPS["gpu_type"].selection | gpu_selection("auto")
    for group in metric.by:
        if group.startswith("config."):
            key = group.removeprefix("config.")
            selection |= Selection(config_keys=frozenset({key}))
        else:
            selection |= GROUPS[group].selection
    return selection


def _read(metric: Metric, gpus_per_run: str | float) -> Read:
    where = Filter.of(metric.where)
    counted = metric.aggregate is Aggregate.COUNT and not metric.conditions and not metric.by
    scanned = metric.window is not None or metric.full_scan
    if counted and not scanned:
        return CountRead(where, metric.states)
    if metric.field is not None and not scanned and not metric.live:
        return RankedRead(where, metric.states, metric.field, metric.aggregate)
    selection = metric_selection(metric, gpus_per_run)
    return ScanRead(where, metric.window, selection, metric.states if metric.live else ())


def _merged(reads: Iterable[ScanRead]) -> list[ScanRead]:
    """Return one scan per filter and window, less those that lie within another."""
    merged: dict[tuple[Filter, timedelta | None, bool], ScanRead] = {}
    for read in reads:
        key = (read.where, read.window, bool(read.states))
        known = merged.get(key, read)
        selection = known.selection | read.selection
        states = tuple(dict.fromkeys((*known.states, *read.states)))
        merged[key] = ScanRead(read.where, read.window, selection, states)
    scans = list(merged.values())
    return _folded(scans, scans)


def _folded(scans: list[ScanRead], wider: list[ScanRead]) -> list[ScanRead]:
    """Return the scans without those that one of the wider ones serves as well."""
    return [
        scan
        for scan in scans
        if not any(other is not scan and serves(other, scan) for other in wider)
    ]


def serves(scan: ScanRead, wanted: ScanRead) -> bool:
    """Return whether a scan holds all of another, which then need not be read."""
    if scan.where != wanted.where or not scan.selection.covers(wanted.selection):
        return False
    if scan.states:
        return bool(wanted.states) and {*wanted.states} <= {*scan.states}
    if scan.window is None or wanted.window is None:
        return scan.window is None
    return scan.window >= wanted.window


def _with_latest(scan: ScanRead, scans: list[ScanRead], ranked: Iterable[RankedRead]) -> ScanRead:
    """Have the widest window also answer `latest` for its filter: whoever beat last is in it."""
    same = (other for other in scans if other.where == scan.where and other.window)
    if scan is not _widest(same):
        return scan
    selection = scan.selection
    for read in ranked:
        if read.where == scan.where:
            selection |= read.selection
    return ScanRead(scan.where, scan.window, selection)


def _widest(scans: Iterable[ScanRead]) -> ScanRead | None:
    return max(scans, key=lambda scan: scan.window or timedelta(), default=None)

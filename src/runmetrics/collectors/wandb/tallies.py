"""What there is to say of runs, counted while they pass: how many of which kind, and an example."""

import dataclasses
import math
from array import array
from collections.abc import Iterable

from runmetrics.collectors.wandb.contributions import value_of
from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.ids import Ids
from runmetrics.collectors.wandb.measures import Rules, assumes_gpus, configured_gpus, price
from runmetrics.collectors.wandb.metrics.catalog import Field, Metric
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.values import Fault


class Tally:
    """Distinct runs of a kind: how many, and the `first` as an example."""

    __slots__ = ("_ids", "first")

    def __init__(self) -> None:
        self.first = ""
        self._ids = Ids()

    def add(self, run_id: str) -> None:
        """Count a run, once."""
        self.first = self.first or run_id
        self._ids.add(run_id)

    def update(self, other: "Tally") -> None:
        """Count the runs of another tally."""
        self.first = self.first or other.first
        self._ids.update(other._ids)

    def __len__(self) -> int:
        return len(self._ids)


class FaultyRuns(Tally):
    """Runs with one fault; `worst` is the run where it is greatest."""

    __slots__ = ("fault", "worst")

    def __init__(self, fault: Fault, worst: str) -> None:
        super().__init__()
        self.fault, self.worst = fault, worst

    def see(self, fault: Fault, run_id: str) -> None:
        """Take in the fault of a run."""
        if fault.badness > self.fault.badness:
            self.fault, self.worst = fault, run_id


class OddRuns:
    """Runs with what cannot be, imported ones, and those whose GPUs go by two kinds of labels.

    A run that comes in several records is as odd as all of them.
    """

    __slots__ = ("faults", "imported", "impossible", "mixed_labels")

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self.impossible, self.imported, self.mixed_labels = Tally(), Tally(), Tally()
        self.faults: dict[str, FaultyRuns] = {}
        for run in runs:
            self.add(run)

    def add(self, run: Run) -> None:
        """Take in a record of a run."""
        if run.imported:
            self.imported.add(run.id)
        if run.mixed_labels:
            self.mixed_labels.add(run.id)
        if run.faults:
            self.impossible.add(run.id)
        for fault in run.faults:
            known = self.faults.setdefault(fault.what, FaultyRuns(fault, run.id))
            known.see(fault, run.id)
            known.add(run.id)

    def update(self, other: "OddRuns") -> None:
        """Take in all that another one knows."""
        self.impossible.update(other.impossible)
        self.imported.update(other.imported)
        self.mixed_labels.update(other.mixed_labels)
        for what, faulty in other.faults.items():
            known = self.faults.setdefault(what, FaultyRuns(faulty.fault, faulty.worst))
            known.see(faulty.fault, faulty.worst)
            known.update(faulty)


class GpuDoubts:
    """Runs of a series whose GPUs, or their price, are in doubt.

    `assumed` are taken for one GPU, and add `assumed_values`; `unconfigured` do not have what
    `gpus_per_run` asks for; `unpriced` have GPU hours without a price, on GPUs of `types` ("" where
    no GPU is known).
    """

    __slots__ = ("assumed", "assumed_values", "types", "unconfigured", "unpriced")

    def __init__(self) -> None:
        self.assumed, self.unconfigured, self.unpriced = Tally(), Tally(), Tally()
        self.assumed_values = array("d")
        self.types: set[str] = set()

    def add(self, metric: Metric, run: Run, value: float | None, rules: Rules) -> None:
        """Take in a run that adds a value to a metric."""
        assumed = assumes_gpus(run, rules)
        if assumed:
            self.assumed.add(run.id)
            self.assumed_values.append(value or 0.0)
        if rules.gpus_per_run != "auto" and configured_gpus(run, rules) is None:
            self.unconfigured.add(run.id)
        if _lacks_price(metric, run, rules):
            self.unpriced.add(run.id)
            self.types.add("" if assumed else run.gpu_type)

    def update(self, other: "GpuDoubts") -> None:
        """Take in the runs of another series."""
        self.assumed.update(other.assumed)
        self.assumed_values.extend(other.assumed_values)
        self.unconfigured.update(other.unconfigured)
        self.unpriced.update(other.unpriced)
        self.types |= other.types

    @property
    def assumed_share(self) -> float:
        """How much the runs add that are taken for one GPU."""
        return math.fsum(self.assumed_values)


class Behind:
    """What there is to say of the runs behind a series.

    `texts` of them have text in place of a number, `text` is an example; `not_finite` have NaN or
    an infinity; `lacking` is the last one that does not have the key at all.
    """

    __slots__ = ("gpus", "lacking", "not_finite", "text", "texts")

    def __init__(self) -> None:
        self.texts = self.not_finite = 0
        self.text = self.lacking = ""
        self.gpus: GpuDoubts | None = None

    def add(
        self, metric: Metric, field: Field, run: Run, value: float | None, rules: Rules
    ) -> None:
        """Take in a run that adds a value to a metric over a field; None where it has none."""
        if field.source == "run":
            if RUN_FIELDS[field.key].counts_gpus:
                self.gpus = self.gpus or GpuDoubts()
                self.gpus.add(metric, run, value, rules)
        elif value is None:
            found = run.values.get(str(field))
            if found is None:
                self.lacking = run.id
            elif isinstance(found, str):
                self.texts += 1
                self.text = self.text or found
            elif isinstance(found, float):
                self.not_finite += 1

    def update(self, other: "Behind") -> None:
        """Take in the runs of another series."""
        self.texts += other.texts
        self.not_finite += other.not_finite
        self.text = self.text or other.text
        self.lacking = other.lacking or self.lacking
        if other.gpus:
            self.gpus = self.gpus or GpuDoubts()
            self.gpus.update(other.gpus)


def _lacks_price(metric: Metric, run: Run, rules: Rules) -> bool:
    """Return whether the run has GPU hours of a priced metric, and no price for them."""
    if not metric.priced or price(run, rules) is not None:
        return False
    return bool(value_of(dataclasses.replace(metric, priced=False), run, rules))

"""The metrics that are to be collected: the built-in ones and what the user's file makes of them.

Metrics are data. The built-in ten are builtin.yaml beside this module, read by the same code as a
user's own file; nothing else in the package knows a metric by its name.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.measures import DEFAULT_MAX_SERIES, Prices
from runmetrics.collectors.wandb.metrics.definition import Definition
from runmetrics.collectors.wandb.metrics.file import ConfigFile, builtin_metrics, pack
from runmetrics.collectors.wandb.metrics.language import (
    LIVE_STATES,
    Aggregate,
    Condition,
    Field,
    OverGpus,
)
from runmetrics.collectors.wandb.metrics.layout import Layout
from runmetrics.config.file_settings import FileSettings
from runmetrics.text import exact_length

__all__ = ["Aggregate", "Catalog", "Condition", "Field", "Metric", "load_catalog"]

_PHRASES = {
    Aggregate.COUNT: "number of",
    Aggregate.SUM: "sum of",
    Aggregate.MEAN: "mean of",
    Aggregate.MIN: "least",
    Aggregate.MAX: "greatest",
    Aggregate.LATEST: "latest",
    Aggregate.P50: "median of",
    Aggregate.P90: "90th percentile of",
    Aggregate.P95: "95th percentile of",
    Aggregate.P99: "99th percentile of",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One number to collect: what of which runs becomes it.

    `field` is None for a count. `states` empty is any state, `window` None is the whole history;
    `window_by` says what has to lie in the window: the run's last sign of life or its creation.
    `where` is a W&B filter, the file's own already and-ed in, {} for none.
    `conditions` are tested on our side and all have to hold. `full_scan` is the user's consent to
    read every run; `priced` makes money of GPU hours. `origin` is the file it came from.
    """

    name: str
    aggregate: Aggregate
    field: Field | None
    description: str = ""
    unit: str = ""
    states: tuple[str, ...] = ()
    window: timedelta | None = None
    window_by: Literal["last_sign", "created"] = "last_sign"
    where: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)
    conditions: tuple[Condition, ...] = ()
    by: tuple[str, ...] = ()
    full_scan: bool = False
    priced: bool = False
    origin: str = ""
    builtin: bool = False

    def words(self) -> str:
        """Return the definition in one sentence, without its full stop."""
        runs = f"{' or '.join(self.states)} runs" if self.states else "runs"
        text = f"{_PHRASES[self.aggregate]} "
        if self.field is not None:
            field = f"the price of {self.field}" if self.priced else f"{self.field}"
            if self.field.of_every_gpu:
                field += f" ({self.field.over_gpus} over each run's GPUs)"
            text += f"{field} {'of' if self.aggregate.of_one_run else 'over'} "
        narrowed = self.states or self.window or self.where or self.conditions
        text += runs if narrowed else "all runs"
        if self.window is not None:
            sign = "created" if self.window_by == "created" else "whose last sign of life is"
            text += f" {sign} within {exact_length(self.window)}"
        if self.conditions:
            text += f" with {' and '.join(map(str, self.conditions))}"
        if self.where:
            where = json.dumps(self.where, sort_keys=True, ensure_ascii=False)
            text += f" matching {where}"
        return f"{text}, by {' and '.join(self.by)}" if self.by else text

    def since(self, now: datetime) -> datetime | None:
        """Return when its window begins; None without one."""
        return now - self.window if self.window else None

    @property
    def live(self) -> bool:
        """Whether it is of runs in states that none stays in: few, whatever the history."""
        return self.window is None and bool(self.states) and {*self.states} <= {*LIVE_STATES}

    @property
    def timed(self) -> bool:
        """Whether its value depends on what the time is, or on when the runs lived."""
        if self.window is not None or self.aggregate is Aggregate.LATEST:
            return True
        return any(field.source == "run" and RUN_FIELDS[field.key].timed for field in self.fields)

    @property
    def fields(self) -> tuple[Field, ...]:
        """All that it takes of a run: the field that is aggregated, and those that are tested."""
        tested = (condition.field for condition in self.conditions)
        return (*([self.field] if self.field else []), *tested)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All metrics in the order they are shown, and what is worth saying about how they came.

    `max_series` is how many series `by` may split one metric of one project into,
    `max_series_total` how many all of them may be before none is split (None: any number),
    `prices` what a GPU hour costs.
    """

    metrics: tuple[Metric, ...]
    notices: tuple[str, ...] = ()
    max_series: int = DEFAULT_MAX_SERIES
    max_series_total: int | None = None
    prices: Prices = dataclasses.field(default_factory=dict)


def load_catalog(config: ConfigFile | None, settings: FileSettings) -> Catalog:
    """Put together the built-in metrics, the packs that the user's file names, and its own.

    The file was checked already. `{accuracy}` and `{loss}` in a field become the summary keys of
    the settings.
    """
    keys = {"accuracy": settings.accuracy_key, "loss": settings.loss_key}
    own = config.layout if config else Layout()
    metrics: dict[str, Metric] = {}
    ten = [builtin_metrics()] if own.builtin else []
    for shipped in (*ten, *map(pack, dict.fromkeys(own.packs))):
        for definition in shipped.layout.metrics:
            if definition.name not in own.drop:
                metric = _metric(definition, shipped.path, own.where, keys)
                metrics[metric.name] = dataclasses.replace(metric, builtin=True)
    notices: list[str] = []
    if config is not None:
        notices += config.notices
        for definition in own.metrics:
            if definition.name in metrics:
                notices.append(f"{config.path} replaces the built-in {definition.name}")
            metrics[definition.name] = _metric(definition, config.path, own.where, keys)
    return Catalog(
        metrics=tuple(metrics.values()),
        notices=tuple(notices),
        max_series=own.max_series,
        max_series_total=own.max_series_total,
        prices=own.gpu_prices,
    )


def _metric(
    definition: Definition, origin: Path, scope: Mapping[str, Any], keys: Mapping[str, str]
) -> Metric:
    field = definition.field
    filters = [where for where in (scope, definition.where) if where]
    return Metric(
        name=definition.name,
        aggregate=definition.aggregate,
        field=_fill(field, keys, definition.over_gpus) if field else None,
        description=" ".join(definition.description.split()),
        unit=definition.unit or ("dollar" if definition.priced else ""),
        states=definition.state,
        window=definition.window,
        window_by=definition.window_by,
        where={"$and": filters} if len(filters) > 1 else filters[0] if filters else {},
        conditions=tuple(
            dataclasses.replace(condition, field=_fill(condition.field, keys, definition.over_gpus))
            for condition in definition.conditions
        ),
        by=definition.by,
        full_scan=definition.full_scan,
        priced=definition.priced,
        origin=str(origin),
    )


def _fill(field: Field, keys: Mapping[str, str], over_gpus: OverGpus) -> Field:
    key = re.sub(r"\{(accuracy|loss)\}", lambda match: keys[match[1]], field.key)
    return dataclasses.replace(field, key=key, over_gpus=over_gpus)

"""The GPUs of a run, as W&B recorded them and as its system metrics show them."""

import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from runmetrics.collectors.wandb.values import Fault, mean, number, parse_time, text, time_fault
from runmetrics.config.rules import MOST_GPUS

EVERY_GPU = "gpu.*."
"""What a system key begins with that means every GPU of the run: gpu.*.temp."""

_WHOLE_NUMBER = re.compile(r"\s*[0-9]{1,9}\s*")
_ONE_START = timedelta(minutes=10)
"""Writers that started within so long of each other are the nodes of one start of the run."""

_UTILIZATION = "gpu"


@dataclass(frozen=True, slots=True)
class GpuSamples:
    """The GPUs in the last sample of a run's system metrics.

    `count` is how many there are, under `labels` node labels; `mixed` says that some had a label
    and some had none, and that these were left out. `values` holds the numbers of each name that
    was asked for, of the GPUs that have one, and `gpu` (utilization in percent) always.
    """

    count: int = 0
    labels: int = 0
    mixed: bool = False
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def utilization(self) -> float | None:
        """The mean over the GPUs, in percent."""
        percents = self.values.get(_UTILIZATION)
        return mean(percents) if percents else None


def gpu_samples(system: Mapping[str, Any], names: Collection[str] = ()) -> GpuSamples:
    """Return the GPUs of a sample of system metrics, and their values under `names`.

    Keys are `system.gpu.N.NAME`, with `/l:LABEL` on multi-node runs; a GPU is an index under a
    label. Where labelled and plain keys are mixed, two monitors may sample the same GPUs, so the
    labelled alone count. A utilization outside 0 to 100 is as if it were not there.
    """
    gpus: set[tuple[str, str]] = set()
    sampled: dict[str, dict[tuple[str, str], float]] = {name: {} for name in (*names, _UTILIZATION)}
    faults = []
    for key, value in system.items():
        parsed = _gpu_key(key)
        if parsed is None:
            continue
        gpu, name = parsed
        gpus.add(gpu)
        if name in sampled and (found := number(value)) is not None:
            if fault := impossible_utilization(key, found):
                faults.append(fault)
            else:
                sampled[name][gpu] = found
    labelled = {gpu for gpu in gpus if gpu[0]}
    counted = labelled or gpus
    return GpuSamples(
        len(counted),
        len({label for label, _ in labelled}),
        len(counted) < len(gpus),
        {
            name: tuple(value for gpu, value in by_gpu.items() if gpu in counted)
            for name, by_gpu in sampled.items()
        },
        tuple(faults),
    )


def impossible_utilization(key: str, value: float) -> Fault | None:
    """Say that the number under a system key is a utilization that no GPU has, if it is.

    Under `gpu.process.N.gpu` stands that of a GPU, too.
    """
    if 0 <= value <= 100:
        return None
    parsed = _gpu_key(key.replace("gpu.process.", "gpu.", 1))
    if parsed is None or parsed[1] != _UTILIZATION:
        return None
    return Fault("GPU utilization is outside 0 to 100", f"{value:g}", max(-value, value - 100))


@functools.lru_cache(maxsize=8192)
def _gpu_key(key: str) -> tuple[tuple[str, str], str] | None:
    """Return the GPU (label and index) and the name of a system key; None for any other key.

    `gpu.process.N` repeats the GPUs that the run's own processes use, and is no key of a GPU.
    """
    key = key.removeprefix("system.")
    if not key.startswith("gpu."):
        return None
    index, _, name = key[4:].partition(".")
    name, _, label = name.partition("/l:")
    return ((label, index), name) if index.isdecimal() and name else None


def gpu_count(value: object) -> tuple[int | None, Fault | None]:
    """Return a recorded count: a whole number, or text that spells one, from 1 to MOST_GPUS.

    Null and 0 record no GPU; anything else cannot be, and is a fault.
    """
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    count = number(value)
    if value is None or value == "" or count == 0:
        return None, None
    if count is not None and count.is_integer() and 1 <= count <= MOST_GPUS:
        return int(count), None
    badness = abs(count) if count is not None else 0.0
    shown = f"{count:g}" if count is not None else repr(value)[:40]
    return None, Fault(f"GPU count is no whole number from 1 to {MOST_GPUS:,}", shown, badness)


def recorded_gpus(environments: object, now: datetime) -> tuple[int | None, str, list[Fault]]:
    """Return GPU count and type that a run's writers recorded in config `_wandb.e`.

    There is an entry for each writer: each node of a run, and each again for every resume. So the
    nodes are those that started within ten minutes of the latest, each counted once. `now` is the
    server's time: a start far ahead of it is none.
    """
    entries = environments.values() if isinstance(environments, dict) else ()
    started: list[tuple[datetime | None, Mapping[str, Any]]] = []
    faults: list[Fault | None] = []
    for entry in entries:
        if isinstance(entry, dict):
            time = parse_time(entry.get("startedAt"))
            fault = time_fault("config _wandb.e startedAt", time, now) if time else None
            started.append((None if fault else time, entry))
            faults.append(fault)
    latest = max((time for time, _ in started if time), default=None)
    nodes = {
        str(entry.get("host", "")): entry
        for time, entry in sorted(started, key=lambda pair: pair[0].timestamp() if pair[0] else 0.0)
        if latest is None or (time and time >= latest - _ONE_START)
    }
    total, gpu_type = 0, ""
    for entry in nodes.values():
        count, fault = gpu_count(entry.get("gpu_count"))
        faults.append(fault)
        total += count or 0
        gpu_type = gpu_type or (text(entry.get("gpu")) if count else "")
    count, fault = gpu_count(total)
    return count, gpu_type, [each for each in (*faults, fault) if each]

"""A realistic year of runs, made from a seed: small in memory, large on the wire.

System metrics are by far the largest part of what a run answers with, so they are not kept: each
run holds a seed and makes the text when it is asked for.
"""

import gc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from runmetrics.sandbox.store import Store, StoredRun, moment

GPU_MIX: Mapping[int, float] = {1: 0.5, 4: 0.25, 8: 0.25}
_WEEK_SECONDS = 7 * 86_400
_YEAR_SECONDS = 365 * 86_400
_STATES = ("finished",) * 78 + ("failed",) * 12 + ("crashed",) * 8 + ("killed",) * 2
_RUNNING_SHARE = 0.01
_HANGS = 0.04
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_WORDS = (
    ("amber", "brisk", "calm", "eager", "misty", "jolly"),
    ("dawn", "hill", "lake", "moon", "river"),
)
_USERS = tuple(f"user-{number:02}" for number in range(24))
_HOSTS = tuple(f"node-{number:03}" for number in range(64))
_GPU = "NVIDIA H100 80GB HBM3"
_GPU_BYTES = 85_520_809_984

# What the official client samples of each GPU, and once more for those of the run's processes:
# the keys of a template take the figures of the same name.
_OF_A_GPU = (
    '"system.gpu.%(n)s.gpu": %(busy)s, "system.gpu.%(n)s.memory": %(mem)s, '
    '"system.gpu.%(n)s.memoryAllocated": %(share)s, '
    '"system.gpu.%(n)s.memoryAllocatedBytes": %(bytes)s, "system.gpu.%(n)s.temp": %(temp)s, '
    '"system.gpu.%(n)s.powerWatts": %(watts)s, "system.gpu.%(n)s.enforcedPowerLimitWatts": 700, '
    '"system.gpu.%(n)s.powerPercent": %(power)s, "system.gpu.%(n)s.smClock": %(clock)s, '
    '"system.gpu.%(n)s.memoryClock": 2619, "system.gpu.%(n)s.graphicsClock": %(clock)s, '
    '"system.gpu.%(n)s.correctedMemoryErrors": 0, "system.gpu.%(n)s.uncorrectedMemoryErrors": 0, '
    '"system.gpu.process.%(n)s.gpu": %(busy)s, "system.gpu.process.%(n)s.memory": %(mem)s, '
    '"system.gpu.process.%(n)s.memoryAllocated": %(share)s, '
    '"system.gpu.process.%(n)s.memoryAllocatedBytes": %(bytes)s, '
    '"system.gpu.process.%(n)s.temp": %(temp)s, "system.gpu.process.%(n)s.powerWatts": %(watts)s, '
    '"system.gpu.process.%(n)s.powerPercent": %(power)s'
)
_OF_THE_HOST = (
    '{"system.cpu": %(cpu)s, "system.memory_percent": %(memory)s, '
    '"system.proc.memory.rssMB": %(rss)s, "system.proc.memory.percent": %(rss_share)s, '
    '"system.proc.cpu.threads": %(threads)s, "system.disk./.usagePercent": %(disk)s, '
    '"system.disk.nvme0n1.in": %(read)s, "system.network.sent": %(sent)s, '
    '"system.network.recv": %(received)s, %(gpus)s, "_wandb": true, "_timestamp": %(time)s, '
    '"_runtime": %(runtime)s}'
)


@dataclass(slots=True)
class SystemMetrics:
    """The latest sample of a run's machine: the same text each time it is asked for."""

    seed: int
    gpus: int
    time: float
    runtime: float

    def after(self, seconds: float) -> "SystemMetrics":
        """Return the sample that the same machine takes so much later."""
        return SystemMetrics(self.seed, self.gpus, self.time + seconds, self.runtime + seconds)

    def __call__(self) -> str:
        number = Random(self.seed).random  # noqa: S311 - made-up figures
        host = number()
        return _OF_THE_HOST % {
            "cpu": number() * 40,
            "memory": 20 + host * 30,
            "rss": 4_000 + host * 9_000,
            "rss_share": host * 10,
            "threads": 48 + int(host * 64),
            "disk": 30 + number() * 40,
            "read": number() * 90_000,
            "sent": int(number() * 1e9),
            "received": int(number() * 1e10),
            "gpus": ", ".join([_gpu(index, number) for index in range(self.gpus)]),
            "time": self.time,
            "runtime": self.runtime,
        }


def _gpu(index: int, number: Callable[[], float]) -> str:
    busy = 40 + int(number() * 60)
    watts = round(180 + 5 * busy + 10 * number(), 3)
    used = int((0.6 + 0.35 * number()) * _GPU_BYTES)
    return _OF_A_GPU % {
        "n": index,
        "busy": busy,
        "mem": int(number() * 60),
        "share": used / _GPU_BYTES * 100,
        "bytes": used,
        "temp": 38 + int(number() * 30),
        "watts": watts,
        "power": watts / 7,
        "clock": 1_980 - 15 * int(number() * 40),
    }


def fill(
    store: Store,
    entity: str,
    project: str,
    *,
    runs: int,
    in_window: int,
    now: datetime,
    seed: int = 0,
    gpu_mix: Mapping[int, float] = GPU_MIX,
) -> None:
    """Add a year of `runs`, `in_window` of them alive within the 7 days before `now`.

    One in a hundred of those in the window is still running; four in a hundred hung before their
    end. `gpu_mix` is the share of runs by their number of GPUs. Equal arguments give equal runs.
    """
    random = Random(seed)  # noqa: S311 - made-up figures
    home = store.project(entity, project)
    home.created_at = now - timedelta(seconds=_YEAR_SECONDS)
    configs = _configs(gpu_mix)
    gpus = random.choices(list(gpu_mix), list(gpu_mix.values()), k=runs)
    collecting = gc.isenabled()
    gc.disable()  # hundreds of thousands of new objects, none of them garbage
    try:
        for number in range(runs):
            recent = number >= runs - in_window
            home.add(_made(random, number, recent, gpus[number], now, configs))
    finally:
        if collecting:
            gc.enable()


def live_on(runs: Iterable[StoredRun], seconds: float) -> None:
    """Let those of `runs` that are running train on for so long, to a heartbeat and a log later."""
    for run in runs:
        if run.state != "running":
            continue
        beat, summary, sample = moment(run.heartbeat_at), run.summary, run.system_metrics
        run.heartbeat_at = beat and beat + timedelta(seconds=seconds)
        run.compute_seconds = (run.compute_seconds or 0) + seconds
        if isinstance(summary, Mapping):
            moved = {key: summary[key] + seconds for key in ("_runtime", "_timestamp")}
            run.summary = {**summary, **moved}
        if isinstance(sample, SystemMetrics):
            run.system_metrics = sample.after(seconds)


def _configs(gpu_mix: Mapping[int, float]) -> dict[int, list[Mapping[str, Any]]]:
    """Return a few configurations for each machine, shared by all runs."""
    return {
        gpus: [
            {
                "lr": rate,
                "batch_size": size,
                "optimizer": "adamw",
                "_wandb": {"e": {"w0": {"gpu": _GPU, "gpu_count": gpus, "cpu_count": 96}}},
            }
            for rate in (0.001, 0.0003, 0.0001)
            for size in (256, 512, 1024)
        ]
        for gpus in gpu_mix
    }


def _final_silence(random: Random, seconds: float) -> float:
    """Return the seconds from the last log to the end of a run: a moment, but of one that hung."""
    if random.random() < _HANGS:
        return seconds * random.random()
    return random.random()


def _made(
    random: Random,
    number: int,
    recent: bool,
    gpus: int,
    now: datetime,
    configs: Mapping[int, list[Mapping[str, Any]]],
) -> StoredRun:
    running = recent and random.random() < _RUNNING_SHARE
    seconds = int(min(random.lognormvariate(8.5, 1.2), 600_000)) + 1
    if running:
        idle = random.randrange(30)
    elif recent:
        idle = 60 + random.randrange(_WEEK_SECONDS - 120)
    else:
        idle = _WEEK_SECONDS + 60 + random.randrange(_YEAR_SECONDS)
    beat = now - timedelta(seconds=idle)
    state = "running" if running else random.choice(_STATES)
    score = random.random()
    silence = _final_silence(random, 0 if running else seconds)
    summary = {
        "accuracy": round(0.5 + score * 0.45, 6),
        "loss": round(0.05 + (1 - score) * 2 + random.random() * 0.1, 6),
        "_step": seconds // 2,
        "_runtime": seconds - silence,
        "_timestamp": beat.timestamp() - silence,
        "_wandb": {"runtime": 0 if running else seconds},
    }
    if state != "finished" and score < 0.3:
        summary["loss"] = float("nan")
    return StoredRun(
        id=f"{number:06}" + random.choice(_ALPHABET) + random.choice(_ALPHABET),
        state=state,
        created_at=beat - timedelta(seconds=seconds),
        heartbeat_at=beat,
        summary=summary,
        config=random.choice(configs[gpus]),
        system_metrics=SystemMetrics(number, gpus, beat.timestamp(), seconds),
        compute_seconds=seconds,
        gpu_count=gpus,
        gpu=_GPU,
        display_name="-".join([*map(random.choice, _WORDS), str(number)]),
        user=random.choice(_USERS),
        group="nightly" if score > 0.8 else None,
        job_type="train",
        host=random.choice(_HOSTS),
        tags=("baseline",) if score < 0.1 else (),
        history_line_count=seconds // 2,
    )

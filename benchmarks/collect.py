"""What collecting the ten costs: for us, and for three peers.

    uv run python -m benchmarks.collect [--history all] [--runs 26000] [--in-window 2000]

The server is the sandbox, a process of its own that counts what it sends. Seconds are of whole
processes, start included; memory is their peak (VmHWM), the client's sidecar not counted.
"""

import argparse
import dataclasses
import json
import math
import os
import statistics
import tempfile
import timeit
from pathlib import Path

from benchmarks.histories import HISTORIES
from benchmarks.processes import OURS, Figures, Server, peer, run, started

PASSES = ("states", "summaries", "systems")
HEAD = (
    "| who | requests | at once | compressed | decoded | runs returned | whole process | processor "
    "| peak |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def main() -> None:
    """Measure everybody and print Markdown tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--history", choices=[*HISTORIES, "all"], default="clean")
    options.add_argument("--runs", type=int, default=26_000)
    options.add_argument("--in-window", type=int, default=2_000)
    options.add_argument("--latency-ms", type=float, default=100.0)
    options.add_argument("--repeat", type=int, default=7, help="of which the median is shown")
    options.add_argument("--pass-seconds", type=float, default=20.0, help="for each pass of a peer")
    options.add_argument("--only-us", action="store_true", help="leave the peers out")
    chosen = options.parse_args()
    load, additions = os.getloadavg()[0], min(timeit.repeat("1 + n", "n = 1", repeat=5))
    print(f"{os.cpu_count()} cores, load {load:.1f} before, ", end="")
    print(f"a million additions in {additions * 1000:.0f} ms; median of {chosen.repeat}")
    for name in HISTORIES if chosen.history == "all" else [chosen.history]:
        _measure(name, chosen)


def _measure(name: str, chosen: argparse.Namespace) -> None:
    history = HISTORIES[name]
    runs, in_window = chosen.runs, chosen.in_window
    if history.projects > 1:
        runs, in_window = 1_000, 100
    with (
        tempfile.TemporaryDirectory() as home,
        started(name, runs, in_window, chosen.latency_ms) as server,
    ):
        gpus = ", ".join(
            f"{count:,} with {number} GPU{'s' * (number != '1')}"
            for number, count in server.where["gpus"].items()
        )
        print(f"\n{history.title}: {runs:,} runs ({gpus}), {in_window:,} in the window, ", end="")
        print(f"{chosen.latency_ms:g} ms latency\n\n{HEAD}")
        ours, bare = _interleaved(server, home, chosen.repeat, with_peer=not chosen.only_us)
        print(ours.row("runmetrics"), flush=True)
        if bare:
            print(bare.row("the same requests over bare sockets"), flush=True)
        if name == "clean" and not chosen.only_us:
            best = _median([run(peer("public_api"), server, home) for _ in range(3)])
            print(best.row("the best of `wandb.Api`"), flush=True)
            passes = [_extrapolated(look, chosen, server, home) for look in PASSES]
            print(_sum(passes).row("every run three times, extrapolated"), flush=True)
            _compare(ours, best)
        if bare:
            print(f"\nWe take {ours.seconds / bare.seconds:.2f} times as long as bare sockets.")
        print("\nWhere our time goes:\n")
        for stage, seconds in ours.stages.items():
            print(f"- {stage}: {seconds:.2f} s")


def _interleaved(
    server: Server, home: str, repeat: int, *, with_peer: bool
) -> tuple[Figures, Figures | None]:
    """Return our median and that of the bare peer, measured in turns, so that load hits both."""
    ours: list[Figures] = []
    bare: list[Figures] = []
    script = Path(home) / "round_trips.json"
    for _ in range(repeat):
        ours.append(run(OURS, server, home))
        if with_peer:
            script.write_text(json.dumps(ours[-1].round_trips))
            bare.append(run(peer("bare_sockets", str(script)), server, home))
    return _median(ours), _median(bare) if bare else None


def _extrapolated(look: str, chosen: argparse.Namespace, server: Server, home: str) -> Figures:
    """Extrapolate a pass over all runs from a few seconds of it; memory is what those took."""
    seconds = str(chosen.pass_seconds)
    part = run(peer("three_times", look, "--seconds", seconds), server, home)
    times = chosen.runs / part.answer["read"]
    return dataclasses.replace(
        part,
        requests=part.requests * times,
        compressed=part.compressed * times,
        decoded=part.decoded * times,
        runs=part.runs * times,
        seconds=part.seconds * times,
    )


def _sum(passes: list[Figures]) -> Figures:
    return dataclasses.replace(
        passes[0],
        requests=sum(one.requests for one in passes),
        at_once=max(one.at_once for one in passes),
        compressed=sum(one.compressed for one in passes),
        decoded=sum(one.decoded for one in passes),
        runs=sum(one.runs for one in passes),
        seconds=sum(one.seconds for one in passes),
        peak_mb=max(one.peak_mb for one in passes),
    )


def _median(repeated: list[Figures]) -> Figures:
    """Return the figures of the middle in seconds."""
    middle = statistics.median_low([figures.seconds for figures in repeated])
    return next(figures for figures in repeated if figures.seconds == middle)


def _compare(ours: Figures, peers: Figures) -> None:
    """Say where the peer, which reads the same runs, comes to other numbers."""
    samples = {sample["name"]: sample["value"] for sample in ours.answer["samples"]}
    for name, value in peers.answer.items():
        # the hours of a window that moves on while we measure
        if not math.isclose(value, samples[name], rel_tol=1e-3):
            print(f"\n{name}: we say {samples[name]}, the public API says {value}")


if __name__ == "__main__":
    main()

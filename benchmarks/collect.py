"""What collecting the ten costs: for us, and for two peers written with the official client.

    uv run python benchmarks/collect.py [--runs 26000] [--in-window 2000] [--latency-ms 100]

The server is the sandbox, a process of its own that counts what it sends. Seconds are of whole
processes, start included; memory is their peak (VmHWM), the client's sidecar not counted.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
OURS = [sys.executable, "-m", "runmetrics", "collect", "wandb", "--json"]
PASSES = ("states", "summaries", "systems")


@dataclass(frozen=True, slots=True)
class Server:
    """The sandbox's process: where it is, and what it measured since it was last asked."""

    process: "subprocess.Popen[str]"
    where: Mapping[str, Any]
    latency_seconds: float

    def measured(self) -> dict[str, Any]:
        """What passed since the last call."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return dict(json.loads(_line(self.process.stdout)))


@dataclass(frozen=True, slots=True)
class Figures:
    """The cost of one process. `stages` are seconds, by name; `answer` is what it printed."""

    requests: float
    compressed: float
    decoded: float
    runs: float
    seconds: float
    peak_mb: float
    stages: Mapping[str, float]
    answer: Any

    def row(self, who: str) -> str:
        """A row of the table."""
        seconds = f"{self.seconds:.2f} s" if self.seconds < 300 else f"{self.seconds / 60:,.0f} min"
        size = f"{self.compressed / 1e6:,.2f} MB | {self.decoded / 1e6:,.1f} MB"
        cells = [who, f"{self.requests:,.0f}", size, f"{self.runs:,.0f}", seconds]
        return f"| {' | '.join(cells)} | {self.peak_mb:.0f} MB |"


def main() -> None:
    """Measure everybody and print a Markdown table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=26_000)
    options.add_argument("--in-window", type=int, default=2_000)
    options.add_argument("--latency-ms", type=float, default=100.0)
    options.add_argument("--repeat", type=int, default=7, help="of which the median is shown")
    options.add_argument("--pass-seconds", type=float, default=20.0, help="for each pass of a peer")
    options.add_argument("--only-us", action="store_true", help="leave the peers out")
    chosen = options.parse_args()
    load, additions = os.getloadavg()[0], min(timeit.repeat("1 + n", "n = 1", repeat=5))
    with _server(chosen) as server, tempfile.TemporaryDirectory() as home:
        ours = _median([_run(OURS, server, home) for _ in range(chosen.repeat)])
        mix = ", ".join(
            f"{runs:,} with {n} GPU{'s' * (n != '1')}" for n, runs in server.where["gpus"].items()
        )
        print(f"{chosen.runs:,} runs ({mix}), {chosen.in_window:,} in the window, ", end="")
        print(f"{chosen.latency_ms:g} ms latency; ", end="")
        print(f"{os.cpu_count()} cores, load {load:.1f} before, ", end="")
        print(f"a million additions in {additions * 1000:.0f} ms, median of {chosen.repeat}")
        print("\n| who | requests | compressed | decoded | runs returned | whole process | peak |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        print(ours.row("runmetrics"), flush=True)
        if not chosen.only_us:
            command = [sys.executable, str(HERE / "peer_public_api.py")]
            best = _median([_run(command, server, home) for _ in range(3)])
            print(best.row("the best of `wandb.Api`"), flush=True)
            passes = [_extrapolated(look, chosen, server, home) for look in PASSES]
            print(_sum(passes).row("every run three times, extrapolated"), flush=True)
            _compare(ours, best)
        print("\nWhere our time goes:\n")
        for name, seconds in ours.stages.items():
            print(f"- {name}: {seconds:.2f} s")


@contextmanager
def _server(chosen: argparse.Namespace) -> Iterator[Server]:
    command = [sys.executable, str(HERE / "server.py")]
    for name in ("runs", "in_window", "latency_ms"):
        command += [f"--{name.replace('_', '-')}", str(getattr(chosen, name))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            where = json.loads(_line(process.stdout))
            yield Server(process, where, chosen.latency_ms / 1000)
        finally:
            process.kill()


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def _run(command: list[str], server: Server, home: str) -> Figures:
    """Run a command to its end as somebody who knows this server alone."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "TMPDIR": home,
        "WANDB_DIR": home,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_BASE_URL": server.where["url"],
        "WANDB_API_KEY": server.where["key"],
        "WANDB_ENTITY": server.where["entity"],
        "WANDB_PROJECT": server.where["project"],
    }
    began = time.monotonic()
    process = subprocess.Popen(command, env=environ, cwd=home, stdout=subprocess.PIPE)
    assert process.stdout is not None
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    ended = time.monotonic()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    measured = server.measured()
    first, *_ = times = measured["times"]
    last = max(answered for _, answered, _ in times)
    return Figures(
        requests=measured["requests"],
        compressed=measured["compressed"],
        decoded=measured["decoded"],
        runs=measured["runs"],
        seconds=ended - began,
        peak_mb=usage.ru_maxrss / 1024,
        stages={
            "from the start of the process to the first request": first[0] - began,
            "the first request": first[1] - first[0],
            "the other requests": last - first[1],
            "from the last answer to the end of the process": ended - last,
            "(processor time of the process)": usage.ru_utime + usage.ru_stime,
            "(the sandbox's own work beyond the latency)": sum(
                max(0.0, worked - server.latency_seconds) for _, _, worked in times
            ),
        },
        answer=json.loads(answer),
    )


def _extrapolated(look: str, chosen: argparse.Namespace, server: Server, home: str) -> Figures:
    """One pass over all runs, from what a few seconds of it took; memory is what it took so far."""
    seconds = str(chosen.pass_seconds)
    script = str(HERE / "peer_three_times.py")
    part = _run([sys.executable, script, look, "--seconds", seconds], server, home)
    times = chosen.runs / part.answer["read"]
    return Figures(
        part.requests * times,
        part.compressed * times,
        part.decoded * times,
        part.runs * times,
        part.seconds * times,
        part.peak_mb,
        {},
        None,
    )


def _sum(passes: list[Figures]) -> Figures:
    return Figures(
        sum(one.requests for one in passes),
        sum(one.compressed for one in passes),
        sum(one.decoded for one in passes),
        sum(one.runs for one in passes),
        sum(one.seconds for one in passes),
        max(one.peak_mb for one in passes),
        {},
        None,
    )


def _median(repeated: list[Figures]) -> Figures:
    """The one of the middle in seconds."""
    middle = statistics.median_low([figures.seconds for figures in repeated])
    return next(figures for figures in repeated if figures.seconds == middle)


def _compare(ours: Figures, peers: Figures) -> None:
    """The peer that reads the same runs must come to the same numbers."""
    samples = {sample["name"]: sample["value"] for sample in ours.answer["samples"]}
    for name, value in peers.answer.items():
        # the hours of a window that moves on while we measure
        if not math.isclose(value, samples[name], rel_tol=1e-3):
            print(f"\n{name}: we say {samples[name]}, the public API says {value}")


if __name__ == "__main__":
    main()

"""`runmetrics demo`: the whole way from training runs to Datadog, on this machine alone.

A stage is a sandbox with a year of history, a Datadog intake, and runs that the official client
logs from processes of their own. When it is left, nothing of it stays behind.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.errors import TemporaryError
from runmetrics.logs import excerpt
from runmetrics.sandbox.history import fill
from runmetrics.sandbox.intake import INTAKE_KEY, DatadogIntake
from runmetrics.sandbox.store import EARLIEST, Store, StoredRun, as_object, moment
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox
from runmetrics.text import counted, show_value, typed

ENTITY, PROJECT = "pufferai", "metta"
RUNS, IN_WINDOW = 26_000, 2_000
SECONDS = 120.0
"""Bound for the whole demo; it takes some ten."""

FINISHED, FAILED, RUNNING = "demo-finished", "demo-failed", "demo-running"
_ENDINGS = {FINISHED: "finishes", FAILED: "fails", RUNNING: "trains"}
_EXIT_CODES = {FINISHED: 0, FAILED: 1}
_TRAINING = Path(__file__).parents[1] / "sandbox" / "training.py"
_FINISH_SECONDS = 10.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where to collect from and to deliver to, and what the intake received."""

    settings: Settings
    intake: DatadogIntake

    def received(self) -> Iterator[str]:
        """Yield what Datadog holds now, a line a point, and what it took to bring it there."""
        posts = len(self.intake.posts)
        size = self.intake.bytes_received
        yield f"4. What Datadog received, in {counted(posts, 'request')} of {size:,} bytes:"
        tags: tuple[str, ...] = ()
        for point in self.intake.points:
            if point.tags != tags:
                tags = point.tags
                yield f"   tagged {' '.join(tags)}"
            time = datetime.fromtimestamp(point.timestamp, UTC)
            value = show_value(point.value, point.unit)
            yield f"     {time:%H:%M:%SZ}  {point.name:<36}{value:>16}"


@contextmanager
def staged(deadline: Deadline, say: Say) -> Iterator[Stage]:
    """Set the stage, tell what is done, and clear everything away at the end.

    Raises TemporaryError when the official client does not get its runs logged in time, which is
    what happens, too, when `deadline` is stopped.
    """
    store = Store()
    now = datetime.now(UTC).replace(microsecond=0)
    fill(store, ENTITY, PROJECT, runs=RUNS, in_window=IN_WINDOW, now=now)
    with (
        WandbSandbox(store=store) as sandbox,
        DatadogIntake() as intake,
        tempfile.TemporaryDirectory(prefix="runmetrics-", ignore_cleanup_errors=True) as scratch,
    ):
        say(f"1. A sandbox of W&B runs on this machine, {sandbox.url},")
        say(f"   with a year of history in {ENTITY}/{PROJECT}: {RUNS:,} runs.")
        client = f"The official client (wandb {version('wandb')})"
        say(f"2. {client} logs three more: one finishes, one fails, one still trains ...")
        with _trainings(sandbox, Path(scratch)) as trainings:
            trainings.until_logged(deadline)
            for run in map(trainings.stored, _ENDINGS):
                logged = as_object(run.summary)
                figures = f"accuracy {logged['accuracy']}, loss {logged['loss']}"
                say(f"   {run.id:<14} {run.state:<9} {figures}")
            say("3. What `runmetrics collect wandb --push` makes of it:")
            yield Stage(_settings(sandbox, intake, Path(scratch)), intake)
    say("Everything stayed on this machine, and nothing of it is left.")
    say("For your own runs set WANDB_API_KEY, WANDB_ENTITY and WANDB_PROJECT, then:")
    say(f"  {typed('collect wandb')}")


def _settings(sandbox: WandbSandbox, intake: DatadogIntake, nowhere: Path) -> Settings:
    """Return the settings that lead to the sandbox; nothing of the real environment counts."""
    environ = {
        **_way_to(sandbox),
        "DD_URL": intake.url,
        "DD_API_KEY": INTAKE_KEY,
        "DD_ENV": "demo",
    }
    return Settings.load(environ=environ, env_file=nowhere / "no.env")


def _way_to(sandbox: WandbSandbox) -> dict[str, str]:
    return {
        "WANDB_BASE_URL": sandbox.url,
        "WANDB_API_KEY": SANDBOX_KEY,
        "WANDB_ENTITY": ENTITY,
        "WANDB_PROJECT": PROJECT,
    }


@contextmanager
def _trainings(sandbox: WandbSandbox, scratch: Path) -> "Iterator[_Trainings]":
    """Run the three processes; when the block is left they end, and the client's helpers too."""
    environ = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "NETRC": str(scratch / "netrc"),
        "TMPDIR": str(scratch),
        "WANDB_DIR": str(scratch),
        "WANDB_CONFIG_DIR": str(scratch / "config"),
        "WANDB_CACHE_DIR": str(scratch / "cache"),
        "WANDB_DATA_DIR": str(scratch / "data"),
        "WANDB_ERROR_REPORTING": "false",
        **_way_to(sandbox),
    }
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for run_id, ending in _ENDINGS.items():
            with (scratch / f"{run_id}.log").open("wb") as log:
                processes[run_id] = subprocess.Popen(
                    # -P: the other files in its directory are no modules of its own
                    [sys.executable, "-P", str(_TRAINING), run_id, ending],
                    cwd=scratch,
                    env=environ,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        yield _Trainings(sandbox, scratch, processes)
    finally:
        _end(list(processes.values()))


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Let them finish, which is how the client ends its helpers; kill what takes too long."""
    for process in processes:
        if process.stdin is not None:
            process.stdin.close()
    patience = Deadline(_FINISH_SECONDS)
    for process in processes:
        try:
            process.wait(patience.remaining())
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class _Trainings:
    sandbox: WandbSandbox
    scratch: Path
    processes: dict[str, subprocess.Popen[bytes]]

    def stored(self, run_id: str) -> StoredRun:
        return self.sandbox.store.run(ENTITY, PROJECT, run_id)

    def until_logged(self, deadline: Deadline) -> None:
        """Wait until two have ended as told and the third beats after them."""
        while not self._logged():
            for run_id, process in self.processes.items():
                if process.poll() not in (None, _EXIT_CODES.get(run_id)):
                    raise self._failure(f"the run {run_id} ended with {process.returncode}", run_id)
            if not deadline.wait(0.05):
                raise self._failure("the official client did not get its runs logged", RUNNING)

    def _logged(self) -> bool:
        """Return whether the sandbox knows all that was logged, the training run's beat last."""
        known = self.sandbox.store.projects[ENTITY, PROJECT].runs
        if not _ENDINGS.keys() <= known.keys():
            return False
        finished, failed, running = map(self.stored, _ENDINGS)
        return (
            (finished.state, failed.state, running.state) == ("finished", "failed", "running")
            and all("loss" in as_object(run.summary) for run in (finished, failed, running))
            and all(self.processes[run_id].poll() is not None for run_id in _EXIT_CODES)
            and _beat(running) > max(_beat(finished), _beat(failed))
        )

    def _failure(self, cause: str, run_id: str) -> TemporaryError:
        said = (self.scratch / f"{run_id}.log").read_text(encoding="utf-8", errors="replace")
        last = said.strip().rpartition("\n")[2]
        return TemporaryError(cause, f"it said: {excerpt(last, 200)}" if last else "try again")


def _beat(run: StoredRun) -> datetime:
    return moment(run.heartbeat_at) or EARLIEST

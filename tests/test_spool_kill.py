"""H4: a process that keeps and delivers is killed at random instants, again and again.

Twenty-five rounds by default; SPOOL_KILLS=1000 for more by hand.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runmetrics.deadline import Deadline
from runmetrics.delivery import deliver_through
from runmetrics.model import Delivery, Sample
from runmetrics.plugins import Sink
from runmetrics.spool import Spool
from runmetrics.spool_rows import as_row

ROUNDS = int(os.environ.get("SPOOL_KILLS", "25"))
SEED = 4
NAMES = ("first", "second")


class FileSink(Sink):
    """Appends what it takes to a file; first notes what it was given, which the spool then holds.

    `moody`: leaves some for later, else takes all.
    """

    def __init__(self, directory: Path, name: str, *, moody: bool) -> None:
        self.name = name
        self.given = directory / f"{name}.given"
        self.taken = directory / f"{name}.taken"
        self._moods = random.Random(name) if moody else None

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        _append(self.given, samples)
        taken = [one for one in samples if not self._moods or self._moods.random() < 0.7]
        _append(self.taken, taken)
        names = {one.name for one in taken}
        left = tuple(one for one in samples if one.name not in names)
        return Delivery(self.name, accepted=tuple(taken), undelivered=left)


def _append(file: Path, samples: Sequence[Sample]) -> None:
    """One write: there whatever becomes of the process once it returns, and maybe cut before."""
    with file.open("ab", buffering=0) as log:
        log.write(b"".join(b"\n" + as_row(one) + b"\n" for one in samples))


def _read(file: Path) -> Iterator[dict[str, object]]:
    for line in file.read_bytes().split(b"\n"):
        with suppress(json.JSONDecodeError):  # empty, or cut by the kill
            yield json.loads(line)


def _new(first: int, count: int) -> list[Sample]:
    """Samples whose name and time tell what their value must be."""
    return [
        Sample(f"wandb.m{number}", number / 8, datetime.fromtimestamp(number, UTC), "run")
        for number in range(first, first + count)
    ]


def keep_and_deliver_until_killed(directory: Path, first: int) -> None:
    sinks = [FileSink(directory, name, moody=True) for name in NAMES]
    with Spool(directory / "spool") as spool:
        _say(f"{spool.notices}")
        for batch in range(100_000):
            deliver_through(spool, sinks, _new(first + 10 * batch, 10), Deadline(60))
            _say(f"{batch}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def test_h4_whatever_was_kept_when_the_process_was_killed_arrives_unchanged(tmp_path: Path) -> None:
    moment, delivered = random.Random(SEED), 0
    for killed in range(ROUNDS):
        command = [sys.executable, "-m", "tests.test_spool_kill", str(tmp_path), str(killed)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
        ) as process:
            assert process.stdout
            try:
                if killed % 5:
                    assert process.stdout.readline() == "[]\n"
                    for batch in range(moment.randrange(5)):  # then within one of the next
                        assert process.stdout.readline() == f"{batch}\n"
                        delivered += 10
                else:  # at any instant of its start
                    time.sleep(moment.uniform(0, 0.2))
            finally:
                process.kill()
        assert process.returncode == -9

    with Spool(tmp_path / "spool") as spool:
        assert spool.notices == []
        deliver_through(
            spool, [FileSink(tmp_path, name, moody=False) for name in NAMES], [], Deadline(60)
        )
        assert [spool.pending(name) for name in NAMES] == [[], []]
    for name in NAMES:
        given = {str(row["name"]): row for row in _read(tmp_path / f"{name}.given")}
        taken = {str(row["name"]): row for row in _read(tmp_path / f"{name}.taken")}
        assert len(given) >= delivered > 0
        assert taken == given
        for row in _read(tmp_path / f"{name}.taken"):
            number = int(str(row["name"]).removeprefix("wandb.m"))
            (right,) = _new(number, 1)
            assert row == json.loads(as_row(right))


DIES_WHILE_IT_WRITES = """
import resource, signal, sys
from pathlib import Path
from runmetrics.spool import Spool
from tests.test_spool_kill import _new

spool = Spool(Path(sys.argv[1]))
assert spool.notices == []
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
spool.keep("first", _new(100, 200))
spool.forget("first", _new(0, 300))
"""


@pytest.mark.parametrize("written_bytes", range(0, 49_152, 4096))
def test_h4_a_process_killed_between_two_pages_of_a_change_leaves_all_or_nothing_of_it(
    tmp_path: Path, written_bytes: int
) -> None:
    """The kernel ends it when it writes beyond so many bytes, of the file or of its journal."""
    with Spool(tmp_path) as spool:
        spool.keep("first", _new(0, 100))
    died = subprocess.run(
        [sys.executable, "-c", DIES_WHILE_IT_WRITES, str(tmp_path), str(written_bytes)],
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert died.returncode == -signal.SIGXFSZ

    with Spool(tmp_path) as spool:
        assert spool.notices == []
        assert spool.pending("first") in (_new(0, 100), _new(0, 300))


if __name__ == "__main__":
    keep_and_deliver_until_killed(Path(sys.argv[1]), 1_000_000 * (int(sys.argv[2]) + 1))

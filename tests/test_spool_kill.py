"""H4: a process that keeps and delivers is killed at random instants, again and again.

Twenty-five rounds by default; SPOOL_KILLS=1000 for more by hand, in parts that go side by side with
`--dist worksteal`.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runmetrics.deadline import Deadline
from runmetrics.delivery import deliver_through
from runmetrics.spool import Spool
from runmetrics.spool_rows import as_row
from tests.spool_killed import NAMES, FileSink, numbered

ROUNDS = int(os.environ.get("SPOOL_KILLS", "25"))
IN_A_PART = 50
PARTS = range(0, ROUNDS, IN_A_PART)


def _read(file: Path) -> Iterator[dict[str, object]]:
    for line in file.read_bytes().split(b"\n"):
        with suppress(json.JSONDecodeError):  # empty, or cut by the kill
            yield json.loads(line)


@pytest.mark.parametrize("first", PARTS)
def test_h4_whatever_was_kept_when_the_process_was_killed_arrives_unchanged(
    tmp_path: Path, first: int
) -> None:
    moment, delivered = random.Random(first), 0
    for killed in range(first, min(first + IN_A_PART, ROUNDS)):
        command = [sys.executable, "-m", "tests.spool_killed", str(tmp_path), str(killed)]
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
            (right,) = numbered(number, 1)
            assert row == json.loads(as_row(right))


DIES_WHILE_IT_WRITES = """
import resource, signal, sys
from pathlib import Path
from runmetrics.spool import Spool
from tests.spool_killed import numbered

spool = Spool(Path(sys.argv[1]))
assert spool.notices == []
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
spool.keep("first", numbered(100, 200))
spool.forget("first", numbered(0, 300))
"""


@pytest.mark.parametrize("written_bytes", range(0, 49_152, 4096))
def test_h4_a_process_killed_between_two_pages_of_a_change_leaves_all_or_nothing_of_it(
    tmp_path: Path, written_bytes: int
) -> None:
    """The kernel ends it when it writes beyond so many bytes, of the file or of its journal."""
    with Spool(tmp_path) as spool:
        spool.keep("first", numbered(0, 100))
    died = subprocess.run(
        [sys.executable, "-c", DIES_WHILE_IT_WRITES, str(tmp_path), str(written_bytes)],
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert died.returncode == -signal.SIGXFSZ

    with Spool(tmp_path) as spool:
        assert spool.notices == []
        assert spool.pending("first") in (numbered(0, 100), numbered(0, 300))

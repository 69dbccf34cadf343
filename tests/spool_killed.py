"""The process that the tests of kills kill: it keeps and delivers until then. It imports little.

python -m tests.spool_killed DIRECTORY ROUND
"""

import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from runmetrics.deadline import Deadline
from runmetrics.delivery import deliver_through
from runmetrics.model import Delivery, Sample
from runmetrics.plugins import Sink
from runmetrics.spool import Spool
from runmetrics.spool_rows import as_row

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


def numbered(first: int, count: int) -> list[Sample]:
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
            deliver_through(spool, sinks, numbered(first + 10 * batch, 10), Deadline(60))
            _say(f"{batch}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    keep_and_deliver_until_killed(Path(sys.argv[1]), 1_000_000 * (int(sys.argv[2]) + 1))

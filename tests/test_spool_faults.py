"""A spool that is damaged or cannot be used: the run goes on, says so, and sends nothing wrong."""

import errno
import json
import os
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runmetrics.spool import Spool
from runmetrics.spool_rows import as_row
from tests.spool_case import NOON, sample

HUNDRED = [sample(number) for number in range(100)]


def spool(directory: Path) -> Spool:
    return Spool(directory, clock=NOON.timestamp)


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spool with a hundred samples for each of two sinks: ten pages."""
    directory = tmp_path_factory.mktemp("sound")
    with spool(directory) as kept:
        kept.keep("datadog", HUNDRED)
        kept.keep("otlp", HUNDRED)
    return directory / "spool.db"


def _sql(statement: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        db = sqlite3.connect(file)
        with db:
            db.execute(statement)
        db.close()

    return change


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(
            lambda file: file.write_text("not a spool at all" * 100),
            "is damaged (file is not a database)",
            id="junk",
        ),
        pytest.param(
            lambda file: file.write_bytes(file.read_bytes()[:20_000]),
            "is damaged (database disk image is malformed)",
            id="truncated",
        ),
        pytest.param(_sql("PRAGMA user_version = 2"), "is of version 2, not 1", id="newer"),
        pytest.param(
            _sql("UPDATE samples SET body = replace(body, ':7.0', ':8.0') WHERE id = 8"),
            "is damaged (row 8 is not as it was written)",
            id="another value",
        ),
        pytest.param(
            _sql("UPDATE samples SET sink = 'otlp' WHERE id = 8"),
            "is damaged (row 8 is not as it was written)",
            id="another sink",
        ),
        pytest.param(
            _sql("ALTER TABLE samples RENAME COLUMN body TO text"),
            "is damaged (no such column: body)",
            id="another table",
        ),
    ],
)
def test_h1_a_file_that_cannot_be_trusted_is_set_aside_whole(
    tmp_path: Path, sound_file: Path, damage: Callable[[Path], None], reason: str
) -> None:
    file = tmp_path / "spool.db"
    file.write_bytes(sound_file.read_bytes())
    damage(file)
    damaged = file.read_bytes()

    with spool(tmp_path) as after:
        assert after.notices == [
            f"the spool {file} {reason}, what it holds is not delivered: "  # noqa: ISC004
            "it is set aside as spool.db.bad, and a new one begun"
        ]
        assert after.pending("datadog") == []
        assert after.keep("datadog", [sample(1)])
    assert (tmp_path / "spool.db.bad").read_bytes() == damaged
    with spool(tmp_path) as later:
        assert later.pending("datadog") == [sample(1)]
        assert later.notices == []


ROWS_OF_ANOTHER_SHAPE = {
    "no object": b"7",
    "another key": b'{"name":"a","value":1.0,"at":"2026-03-01T12:00:00+00:00"}',
    "a time that is none": as_row(sample(1)).replace(b"2026-03-01", b"soon"),
    "a time without a zone": as_row(sample(1)).replace(b"+00:00", b""),
    "tags that are a list": as_row(replace(sample(1), tags={})).replace(b"{}", b"[]"),
    "as deep as it is long": b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.parametrize("row", ROWS_OF_ANOTHER_SHAPE.values(), ids=ROWS_OF_ANOTHER_SHAPE)
def test_h1_rows_of_another_shape_are_set_aside_however_sound_they_are(
    tmp_path: Path, row: bytes
) -> None:
    with spool(tmp_path) as kept:
        kept.keep("datadog", [sample(1)])
    db = sqlite3.connect(tmp_path / "spool.db")
    with db:
        crc = zlib.crc32(row, zlib.crc32(b"datadog"))
        db.execute("UPDATE samples SET body = ?, crc = ?", (row, crc))
    db.close()

    with spool(tmp_path) as after:
        (notice,) = after.notices
        assert "is damaged (a row is of another shape), what it holds is not delivered" in notice
        assert after.keep("datadog", [sample(1)])


def test_h1_what_was_set_aside_before_is_kept_up_to_nine_times(tmp_path: Path) -> None:
    for number in range(11):
        (tmp_path / "spool.db").write_text(f"junk {number}" * 100)
        with spool(tmp_path) as after:
            (notice,) = after.notices
    aside = {path.name: path.read_text()[:7] for path in tmp_path.glob("*.bad*")}

    assert "set aside as spool.db.bad.9" in notice
    assert aside == {
        "spool.db.bad": "junk 0j",
        **{f"spool.db.bad.{number}": f"junk {number - 1}j" for number in range(2, 9)},
        "spool.db.bad.9": "junk 10",
    }


READ_ONLY = """
import sys
from pathlib import Path
from runmetrics.spool import Spool
from runmetrics.spool_rows import as_row
with Spool(Path(sys.argv[1])) as spool:
    print(*spool.notices, sep="\\n")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_h1_a_spool_that_this_user_may_only_read_is_left_as_it_is(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    with spool(directory) as kept:
        kept.keep("datadog", HUNDRED)
    os.chown(directory, 65_534, 65_534)
    (directory / "spool.lock").chmod(0o666)
    (directory / "spool.db").chmod(0o644)
    before = (directory / "spool.db").read_bytes()
    as_nobody = f"import os; os.setuid(65534)\n{READ_ONLY}"
    for parent in [tmp_path, *tmp_path.parents][:4]:
        parent.chmod(0o755)

    said = subprocess.run(
        [sys.executable, "-c", f"import runmetrics.spool\n{as_nobody}", str(directory)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout == (
        f"cannot use the spool {directory} (Permission denied), this run goes on without it: "
        "make it a directory that can be written to, with space left, "
        "or run without --spool and RUNMETRICS_SPOOL_DIR\n"
    )
    assert (directory / "spool.db").read_bytes() == before
    assert not (directory / "spool.db.bad").exists()


def test_h1_a_read_only_file_system_or_a_directory_without_room_for_a_journal_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with spool(tmp_path) as kept:
        kept.keep("datadog", HUNDRED)
    real = os.open

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", read_only)
    with spool(tmp_path) as none:
        (notice,) = none.notices
        assert notice.startswith(f"cannot use the spool {tmp_path} (Read-only file system)")
    monkeypatch.setattr(os, "open", real)

    (tmp_path / "spool.db-journal").mkdir()
    with spool(tmp_path) as none:
        (notice,) = none.notices
        assert notice.startswith(f"cannot use the spool {tmp_path} (disk I/O error)")
    (tmp_path / "spool.db-journal").rmdir()

    with spool(tmp_path) as later:
        assert later.pending("datadog") == HUNDRED


def test_h1_an_empty_file_is_a_new_spool(tmp_path: Path) -> None:
    (tmp_path / "spool.db").touch()

    with spool(tmp_path) as kept:
        assert kept.keep("datadog", [sample(1)])
        assert kept.notices == []


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_h1_a_journal_left_behind_does_not_reach_the_new_file(
    tmp_path: Path, sound_file: Path, mode: str
) -> None:
    """As after a kill within a transaction, with damage to the file on top."""
    other = tmp_path / "other.db"
    other.write_bytes(sound_file.read_bytes())
    db = sqlite3.connect(other)
    db.execute(f"PRAGMA journal_mode = {mode}")
    db.execute("PRAGMA cache_size = 1")
    db.execute("UPDATE samples SET crc = 0")
    suffix = {"DELETE": "-journal", "WAL": "-wal"}[mode]
    journal = Path(f"{other}{suffix}").read_bytes()
    assert len(journal) > 4096
    (tmp_path / "spool.db").write_text("junk" * 10_000)
    (tmp_path / f"spool.db{suffix}").write_bytes(journal)
    db.close()

    with spool(tmp_path) as after:
        assert len(after.notices) == 1
        assert after.keep("datadog", [sample(1)])
    with spool(tmp_path) as later:
        assert later.notices == []
        assert later.pending("datadog") == [sample(1)]
        assert later.pending("otlp") == []
    assert not (tmp_path / f"spool.db{suffix}").exists()


PLACES = st.one_of(st.integers(0, 127), st.integers(0, 40_000))


@settings(max_examples=200)
@given(
    changes=st.lists(st.tuples(PLACES, st.integers(0, 255)), max_size=4),
    cut_at=st.integers(2, 40_000),  # SQLite takes a single byte for a new file
    cut_bytes=st.sampled_from([0, 1, 4096, 100_000]),
)
def test_h1_whatever_happens_to_its_bytes_it_is_whole_or_set_aside(
    sound_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[int, int]],
    cut_at: int,
    cut_bytes: int,
) -> None:
    """Bytes change or vanish: all samples are there as they were, or none and a notice."""
    damaged = bytearray(sound_file.read_bytes())
    for place, byte in changes:
        damaged[place] = byte
    del damaged[cut_at : cut_at + cut_bytes]
    directory = tmp_path_factory.mktemp("damaged")
    (directory / "spool.db").write_bytes(damaged)

    with spool(directory) as kept:
        found = kept.pending("datadog")
        assert (found, len(kept.notices)) in ((HUNDRED, 0), ([], 1))
        assert kept.keep("datadog", [sample(1000)])
        assert kept.pending("datadog") == [*found, sample(1000)]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("a file", "File exists"),
        ("a file/spool", "Not a directory"),
        ("no such parent/spool", "No such file or directory"),
        ("/proc/self", "No such file or directory"),
        ("/proc/spool", "No such file or directory"),
        ("occupied", "Is a directory"),
    ],
)
def test_h2_a_directory_that_cannot_be_used_leaves_the_run_without_a_spool(
    tmp_path: Path, where: str, words: str
) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "occupied" / "spool.db").mkdir(parents=True)
    directory = tmp_path / where

    with spool(directory) as none:
        assert not none.keep("datadog", [sample(1)])
        assert none.pending("datadog") == []
        (notice,) = none.notices
        assert notice == (
            f"cannot use the spool {directory} ({words}), this run goes on without it: make it a "
            "directory that can be written to, with space left, "
            "or run without --spool and RUNMETRICS_SPOOL_DIR"
        )


ON_A_FULL_DISK = """
import json, resource, sys
from pathlib import Path
from runmetrics.deadline import Deadline
from runmetrics.delivery import deliver_through
from runmetrics.spool import Spool
from runmetrics.spool_rows import as_row
from tests.spool_case import NOON, ScriptedSink, refuse, sample

def fill_the_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)

if sys.argv[3] == "before":
    fill_the_disk()
spool = Spool(Path(sys.argv[1]), clock=NOON.timestamp)
fill_the_disk()
new = [sample(number) for number in range(100, 1100)]
(delivery,) = deliver_through(spool, [ScriptedSink(answer=refuse)], new, Deadline(5))
spool.close()
print(json.dumps({
    "undelivered": len(delivery.undelivered), "dropped": len(delivery.dropped),
    "spooled": delivery.spooled, "notices": spool.notices,
}))
"""


def _on_a_full_disk(directory: Path, most_bytes: int, when: str) -> dict[str, object]:
    """A run that finds a hundred samples in the spool and room for no file above `most_bytes`."""
    with spool(directory) as kept:
        kept.keep("fake", HUNDRED)
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(directory), str(most_bytes), when],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stderr == ""
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_h2_a_disk_that_fills_up_loses_nothing_of_the_backlog_and_says_what_is_not_kept(
    tmp_path: Path,
) -> None:
    assert _on_a_full_disk(tmp_path, 60_000, "after") == {
        "undelivered": 1100,
        "dropped": 0,
        "spooled": 100,
        "notices": [
            f"the spool {tmp_path} failed (disk I/O error), what is not delivered now may be "  # noqa: ISC004
            "lost and what is may be sent again: see to its disk"
        ],
    }
    with spool(tmp_path) as later:
        assert later.pending("fake") == HUNDRED
        assert later.notices == []


def test_h2_on_a_disk_that_is_full_from_the_start_the_run_has_no_spool(tmp_path: Path) -> None:
    assert _on_a_full_disk(tmp_path, 0, "before") == {
        "undelivered": 1000,
        "dropped": 0,
        "spooled": 0,
        "notices": [
            f"cannot use the spool {tmp_path} (disk I/O error), this run goes on without it: "  # noqa: ISC004
            "make it a directory that can be written to, with space left, "
            "or run without --spool and RUNMETRICS_SPOOL_DIR"
        ],
    }
    with spool(tmp_path) as later:
        assert later.pending("fake") == HUNDRED
        assert later.notices == []

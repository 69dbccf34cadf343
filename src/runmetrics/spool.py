"""What could not be delivered, kept on disk for the next run: a backlog for each sink.

An SQLite file of JSON rows. Its rollback journal (not WAL, whose shared memory network file
systems lack) with `synchronous = EXTRA` means that what a method has returned from outlives a
kill or a power cut at any instant. A lock that the kernel drops with the process keeps the
directory to one run. Nothing here raises for what the disk does: a spool that cannot be used
holds nothing, the run goes on without it, and `notices` says so.
"""

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Self, TypeVar

from runmetrics.model import Drop, Sample
from runmetrics.spool_rows import as_row, checksum, sample_of
from runmetrics.text import were

MOST_BYTES = 8 * 1024 * 1024
"""Of JSON rows, for each sink: some 40,000 samples."""

_VERSION = 1
_FILE, _LOCK = "spool.db", "spool.lock"

_TABLE = """CREATE TABLE IF NOT EXISTS samples (
    id INTEGER PRIMARY KEY, sink TEXT NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL)"""
_SELECT = """SELECT id, CAST(sink AS BLOB), CAST(body AS BLOB), crc FROM samples
    WHERE sink = coalesce(?, sink) ORDER BY id"""
_INSERT = "INSERT INTO samples (sink, body, crc) VALUES (?, ?, ?)"
_DELETE = "DELETE FROM samples WHERE id = ?"
_DELETE_OVERFLOW = """DELETE FROM samples WHERE id IN (
    SELECT id FROM (
        SELECT id, sum(length(body)) OVER (ORDER BY id DESC) AS bytes FROM samples WHERE sink = ?
    ) WHERE bytes > ?)"""

_COUNT_OVERFLOW = """SELECT sink, count(*) FROM (
    SELECT sink, sum(length(body)) OVER (PARTITION BY sink ORDER BY id DESC) AS bytes FROM samples
    ) WHERE bytes > ? GROUP BY sink ORDER BY sink"""

_NOT_THE_FILES_FAULT = {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    # SQLITE_READONLY alone is damage of the header: that the file may be written to is found before
    sqlite3.SQLITE_READONLY_DIRECTORY,
    sqlite3.SQLITE_READONLY_DBMOVED,
}

_OWNER_ONLY = 0o600
_MOST_SET_ASIDE = 9

_FAILURES = (sqlite3.Error, UnicodeDecodeError)  # the latter: its words hold damaged bytes

_T = TypeVar("_T")


class Spool:
    """The backlogs in `directory`, for as long as it is open; without one it holds nothing.

    `directory` is made if only its last part is missing. `most_bytes` bounds each sink's backlog,
    in bytes of JSON. `clock` gives epoch seconds (UTC). Threads may share it.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.notices: list[str] = []
        self._directory = directory
        self._most_bytes = most_bytes
        self._clock = clock
        self._guard = threading.Lock()
        self._lock: IO[bytes] | None = None
        self._db: sqlite3.Connection | None = None
        if directory is None:
            return
        try:
            self._lock = _locked(directory)
            self._db = self._open(directory / _FILE)
        except BlockingIOError:
            self._notice(
                f"another run holds the spool {directory}, this one goes on without it: "
                "let runs that overlap have a spool each, or keep them from overlapping"
            )
        except (OSError, *_FAILURES) as error:
            self.close()
            self._notice(
                f"cannot use the spool {directory} ({_words(error)}), this run goes on without "
                "it: make it a directory that can be written to, with space left, "
                "or run without --spool and RUNMETRICS_SPOOL_DIR"
            )

    def pending(self, sink: str) -> list[Sample]:
        """Return the backlog of `sink`, in the order it was kept."""
        return self._try(lambda db: [sample_of(body) for _, body in _rows(db, sink)], [])

    def rows(self, sink: str) -> Counter[bytes]:
        """Return the backlog of `sink` as it is kept, and how often each row is there."""
        return self._try(lambda db: Counter(body for _, body in _rows(db, sink)), Counter())

    def expire(self, sink: str, max_age_seconds: float) -> list[Drop]:
        """Remove what is that old or older from the backlog of `sink`; returns it."""

        def work(db: sqlite3.Connection) -> list[Drop]:
            latest = self._clock() - max_age_seconds
            rows = ((number, sample_of(body)) for number, body in _rows(db, sink))
            old = [(number, sample) for number, sample in rows if sample.time.timestamp() <= latest]
            db.executemany(_DELETE, [(number,) for number, _ in old])
            return [Drop(sample, "expired") for _, sample in old]

        return self._try(work, [])

    def keep(self, sink: str, samples: Sequence[Sample]) -> bool:
        """Put `samples` at the end of the backlog; on disk when it returns True.

        Where they are more than fits, the oldest of the backlog make room.
        """

        def work(db: sqlite3.Connection) -> bool:
            bodies = map(as_row, samples)
            db.executemany(
                _INSERT, [(sink, body, checksum(sink.encode(), body)) for body in bodies]
            )
            db.execute(_DELETE_OVERFLOW, (sink, self._most_bytes))
            return True

        return self._try(work, False)

    def forget(self, sink: str, samples: Sequence[Sample]) -> None:
        """Remove `samples` from the backlog: they were taken, or never will be."""
        gone = Counter(map(as_row, samples))

        def work(db: sqlite3.Connection) -> None:
            numbers = []
            for number, body in _rows(db, sink):
                if gone[body] > 0:
                    gone[body] -= 1
                    numbers.append((number,))
            db.executemany(_DELETE, numbers)

        if samples:
            self._try(work, None)

    def close(self) -> None:
        """Let the next run have it."""
        if self._db:
            self._db.close()
        if self._lock:
            self._lock.close()
        self._db = self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _open(self, path: Path) -> sqlite3.Connection:
        """Return the file, proven sound and writable; set aside one that is not for a new one."""
        try:
            return self._connected(path)
        except _OtherVersionError as other:
            reason = str(other)
        except _FAILURES as error:
            if not _NOT_THE_FILES_FAULT.isdisjoint(_codes(error)):
                raise
            reason = f"is damaged ({_words(error)})"
        aside = _free_name(path)
        path.replace(aside)  # SQLite removes a journal left beside a file that is new
        self._notice(
            f"the spool {path} {reason}, what it holds is not delivered: "
            f"it is set aside as {aside.name}, and a new one begun"
        )
        return self._connected(path)

    def _connected(self, path: Path) -> sqlite3.Connection:
        """Open it; raises OSError, sqlite3.Error, and _OtherVersionError for another version's."""
        _make_private(path)
        db = sqlite3.connect(path, timeout=2, isolation_level="IMMEDIATE", check_same_thread=False)
        try:
            _make_durable(db)
            with db:
                db.execute("BEGIN IMMEDIATE")
                db.execute(_TABLE)
                # before any of it is read, so that memory follows the bound
                overflow = db.execute(_COUNT_OVERFLOW, (self._most_bytes,)).fetchall()
                for sink, _ in overflow:
                    db.execute(_DELETE_OVERFLOW, (sink, self._most_bytes))
                for _, body in _rows(db):
                    sample_of(body)
                db.execute(f"PRAGMA user_version = {_VERSION}")  # each time: is it writable?
        except BaseException:
            db.close()
            raise
        for sink, count in overflow:
            self._notice(
                f"the spool {self._directory} held more for {sink} than it may: "
                f"the oldest {were(count, 'sample')} lost"
            )
        return db

    def _try(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        """Do all of `work` or nothing, and return what it does; `otherwise` when the disk fails."""
        if self._db is None:
            return otherwise
        try:
            with self._guard, self._db as db:
                return work(db)
        except _FAILURES as error:
            self._notice(
                f"the spool {self._directory} failed ({_words(error)}), what is not delivered now "
                "may be lost and what is may be sent again: see to its disk"
            )
            return otherwise

    def _notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)


class _OtherVersionError(Exception):
    pass


def _rows(db: sqlite3.Connection, sink: str | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield numbers and rows in the order they were kept, of one sink or of all."""
    for number, whose, body, crc in db.execute(_SELECT, (sink,)):
        if body is None or checksum(whose, body) != crc:
            raise sqlite3.DatabaseError(f"row {number} is not as it was written")
        yield number, body


def _locked(directory: Path) -> IO[bytes]:
    """Take the lock of `directory`, until it is closed; BlockingIOError when another has it."""
    directory.mkdir(mode=0o700, exist_ok=True)
    lock = (directory / _LOCK).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise
    return lock


def _make_private(path: Path) -> None:
    """Make the file, if need be, and keep others from reading it: names are in it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
    try:
        with contextlib.suppress(PermissionError):  # somebody else's, who may want it so
            os.fchmod(descriptor, _OWNER_ONLY)  # SQLite gives its journal the same
    finally:
        os.close(descriptor)


def _free_name(path: Path) -> Path:
    """Return the first name for a file set aside that is free, or the last one."""
    numbers = ["", *(f".{number}" for number in range(2, _MOST_SET_ASIDE + 1))]
    names = [path.with_name(f"{path.name}.bad{number}") for number in numbers]
    return next((name for name in names if not name.exists()), names[-1])


def _make_durable(db: sqlite3.Connection) -> None:
    """Let what is committed outlive a power cut; raises for a file that is no sound spool."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise _OtherVersionError(f"is of version {version}, not {_VERSION}")
    db.execute("PRAGMA journal_mode = DELETE")
    db.execute("PRAGMA synchronous = EXTRA")
    (finding,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        raise sqlite3.DatabaseError(finding)


def _codes(error: Exception) -> set[int]:
    """Return SQLite's code of an error, and the one that it is a case of."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return set() if code is None else {code, code & 0xFF}


def _words(error: Exception) -> str:
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return " ".join(text.split())

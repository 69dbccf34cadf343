"""A file that is either the old one or the new one, whole, whatever happens in between."""

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SystemCalls:
    """The system calls that fail on a bad disk; a test puts failing ones in their place."""

    open: Callable[[Path, int, int], int] = os.open
    write: Callable[[int, memoryview], int] = os.write
    fsync: Callable[[int], None] = os.fsync
    replace: Callable[[Path, Path], None] = os.replace


REAL = SystemCalls()


def replace_file(path: Path, data: bytes, *, mode: int, calls: SystemCalls = REAL) -> None:
    """Put `data` in the place of the file at `path`, durably, with exactly the permissions `mode`.

    A link stays: the file that it names is replaced. The new file is written beside the old one,
    with the ending `.tmp`. What is no regular file, a device or a FIFO, is written into. Raises
    OSError; the old file is then as it was, and nothing is left beside it.
    """
    if _is_no_regular_file(path):
        # a FIFO that nobody reads is an error, not a wait
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = calls.open(path, flags, mode)
        try:
            os.set_blocking(descriptor, True)
            _write(descriptor, data, calls)
        finally:
            os.close(descriptor)
        return
    path = real_path(path)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = calls.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            os.fchmod(descriptor, mode)  # whatever the umask takes away
            _write(descriptor, data, calls)
            calls.fsync(descriptor)
        finally:
            os.close(descriptor)
        calls.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    _sync_directory(path.parent)


def real_path(path: Path) -> Path:
    """Return where the file is to which a link at `path` leads, whether it is there or not."""
    return Path(os.path.realpath(path))


def _is_no_regular_file(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _write(descriptor: int, data: bytes, calls: SystemCalls) -> None:
    left = memoryview(data)
    while left:
        left = left[calls.write(descriptor, left) :]


def _sync_directory(directory: Path) -> None:
    """Make the rename durable, where the file system can; the new file is in place either way."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

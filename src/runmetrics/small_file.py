"""Reading a file whole that has no reason to be large: keys, certificates, settings, JSON."""

import errno
import io
from pathlib import Path

MOST_BYTES = 4 * 1024 * 1024
"""A file of settings is a thousandth of it; a device such as /dev/zero never ends."""


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """Return a UTF-8 file as text, without a byte order mark, its lines ending in a line feed.

    Raises OSError for one that cannot be read or holds more than `most` bytes, and
    UnicodeDecodeError for one that is not UTF-8.
    """
    return io.StringIO(read_bytes(path, most).decode("utf-8-sig"), newline=None).read()


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what a file holds; raises OSError as `read_text` does."""
    with path.open("rb") as file:
        read = file.read(most + 1)
    if len(read) > most:
        raise OSError(errno.EFBIG, f"it holds more than {most:,} bytes", str(path))
    return read

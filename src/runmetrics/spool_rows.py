"""Samples as the rows that the spool keeps: JSON, and a checksum.

The file is made in spool.py; nothing here touches it.
"""

import json
import sqlite3
import sys
import zlib
from datetime import UTC, datetime

from runmetrics.model import Sample


def as_row(sample: Sample) -> bytes:
    """Return `sample` as it is kept: all that is ever sent. Equal rows are equal points."""
    fields = {
        "name": sample.name,
        "value": sample.value,
        "time": sample.time.astimezone(UTC).isoformat(),
        "unit": sample.unit,
        "tags": dict(sample.tags),
        "description": sample.description,
    }
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def sample_of(row: bytes) -> Sample:
    """Return the sample of a row; raises sqlite3.DatabaseError for a row of another shape."""
    try:
        fields = json.loads(row, object_hook=_interned)
        sample = Sample(**{**fields, "time": datetime.fromisoformat(fields["time"])})
        if as_row(sample) == row:
            return sample
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise sqlite3.DatabaseError("a row is of another shape")


def _interned(fields: dict[str, object]) -> dict[str, object]:
    """Hold equal texts once: the names and tags of a backlog are the same again and again."""
    return {
        sys.intern(key): sys.intern(value) if isinstance(value, str) else value
        for key, value in fields.items()
    }


def checksum(sink: bytes, body: bytes) -> int:
    """Return the number by which damage to a row is seen."""
    return zlib.crc32(body, zlib.crc32(sink))

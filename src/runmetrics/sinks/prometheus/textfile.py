"""Samples to a file that node_exporter's textfile collector reads.

The file is a snapshot: it holds what the last delivery held, and nothing older.
"""

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from runmetrics.atomic_file import REAL, SystemCalls, real_path, replace_file
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, ExitCode, RunmetricsError, TemporaryError
from runmetrics.model import Delivery, Sample
from runmetrics.plugins import Setup, Sink, need
from runmetrics.self_metrics import DATA_AGE, data_time
from runmetrics.sinks.prometheus.families import families_of, text

_SETTING = "RUNMETRICS_PROMETHEUS_TEXTFILE"
_READABLE_BY_ALL = 0o644  # node_exporter runs as another user
_TRIAL_BYTES = 65_536  # more than the metrics of a project
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EINTR)


class TextfileSink(Sink):
    """Replaces the file at `path` (`*.prom`) with the families of each delivery."""

    name = "prometheus"
    max_age_seconds = 0.0
    """What could not be written in its time must not be shown as of now."""
    is_snapshot = True

    def __init__(self, path: Path, *, calls: SystemCalls = REAL) -> None:
        if path.suffix != ".prom":
            raise ConfigurationError(
                f"{_SETTING} {str(path)!r} does not end with .prom",
                "node_exporter reads no other files",
            )
        self._path = path
        self._calls = calls

    @classmethod
    def open(cls, setup: Setup) -> Self:
        """Make it as the environment says.

        Raises ConfigurationError without a .prom file or the extra.
        """
        path = setup.settings.prometheus_textfile
        if path is None:
            raise ConfigurationError(
                f"the sink prometheus needs {_SETTING}",
                "set it to a file in node_exporter's textfile directory, DIRECTORY/runmetrics.prom",
            )
        need("prometheus_client", "prometheus", "the sink prometheus")
        return cls(path)

    def preload(self) -> None:
        """Import what a delivery needs (some 70 ms)."""
        import prometheus_client  # noqa: F401 - that it is loaded

    def check(self, deadline: Deadline) -> None:  # noqa: ARG002 - as of any sink
        """Write a file beside it, and remove it. Raises what keeps a delivery from its file."""
        path = real_path(self._path)
        trial = path.with_name(f".{path.name}.trial")
        try:
            replace_file(trial, bytes(_TRIAL_BYTES), mode=0o600, calls=self._calls)
            trial.unlink()
        except OSError as error:
            raise self._unwritable(error) from None

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:  # noqa: ARG002
        """Write the file anew. A disk that is full or broken leaves the old one as it was.

        An age would look young for ever in a file that nobody writes any more: the instant is
        written in its place.
        """
        ages = [sample for sample in samples if sample.name == DATA_AGE]
        others = [sample for sample in samples if sample.name != DATA_AGE]
        found = families_of(others)
        shown = (*found.samples, *ages)
        times = families_of(data_time(age.time, age.tags) for age in ages)
        data = text((*found.families, *times.families))
        try:
            replace_file(self._path, data, mode=_READABLE_BY_ALL, calls=self._calls)
        except OSError as error:
            failure = self._unwritable(error)
            return Delivery(
                self.name,
                dropped=found.drops,
                undelivered=shown,
                error=str(failure),
                code=failure.exit_code,
                notices=found.notices,
            )
        lost = any(drop.reason != "duplicate" for drop in found.drops)
        partial = ExitCode.PARTIAL if shown else ExitCode.TEMPORARY
        return Delivery(
            self.name,
            accepted=shown,
            dropped=found.drops,
            code=partial if lost else ExitCode.OK,
            bytes_sent=len(data),
            notices=found.notices,
        )

    def _unwritable(self, error: OSError) -> RunmetricsError:
        cause = f"the textfile {self._path} cannot be written ({error.strerror})"
        if error.errno in _PASSING:
            return TemporaryError(cause, "the old one is intact; look at the disk")
        return ConfigurationError(
            cause, f"{_SETTING} must name a file in a directory that is there and writable"
        )

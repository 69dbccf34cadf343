"""What can go wrong, as exit codes and as errors that carry them.

    RunmetricsError          1   a bug of ours when raised as itself
    ├── TemporaryError       75  nothing could be delivered or read now; the next run may
    ├── CredentialRefused    77  a key or a permission was refused
    └── ConfigurationError   78  the configuration is wrong; holds every fault found at once
        └── CommandLineError 2   the command line names a plugin or a metric that there is not

An error's text is for the person on call: one line with the cause, then the fix. It never holds
a secret. `Problem` (model.py) is the other half: what could not be known while the rest went on.
"""

import errno
from collections.abc import Sequence
from enum import IntEnum

DISK_TAKES_NO_MORE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What writing a file fails with where another disk, or more space, would do."""


class ExitCode(IntEnum):
    """Exit codes, after sysexits.h where it has a word for the case."""

    OK = 0
    BUG = 1
    USAGE = 2
    TEMPORARY = 75
    PARTIAL = 76
    REFUSED = 77
    CONFIGURATION = 78
    TERMINATED = 143


class RunmetricsError(Exception):
    """One line for the person on call: what happened, then what to do about it."""

    exit_code = ExitCode.BUG

    def __init__(self, cause: str, fix: str = "") -> None:
        self.cause = cause
        self.fix = fix
        super().__init__(f"{cause}: {fix}" if fix else cause)


class TemporaryError(RunmetricsError):
    """The other side cannot serve us now; the same call may succeed later."""

    exit_code = ExitCode.TEMPORARY


class CredentialRefused(RunmetricsError):  # noqa: N818 - it is what happened, not a kind of error
    """A credential was presented and refused, or a permission is missing."""

    exit_code = ExitCode.REFUSED


class ConfigurationError(RunmetricsError):
    """The configuration cannot work as it is; `faults` lists everything that is wrong with it."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, cause: str, fix: str = "", faults: Sequence[str] = ()) -> None:
        super().__init__(cause, fix)
        self.faults = tuple(faults)


class CommandLineError(ConfigurationError):
    """The command line names what there is not: another command line would do."""

    exit_code = ExitCode.USAGE

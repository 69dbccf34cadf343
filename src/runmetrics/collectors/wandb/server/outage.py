"""Notices that the server answers nothing any more, so that it is not asked again and again."""

from collections.abc import Callable

from runmetrics.collectors.wandb.server.errors import ServerDown
from runmetrics.collectors.wandb.server.retry import Transient
from runmetrics.errors import RunmetricsError

_FAILURES_IN_A_ROW = 10
_SUSPICIOUS = 5
"""As many failures as one query has tries: of several side by side, all failed at least once."""


class Outage:
    """Counts what failed since the last answer, over all queries.

    A server that has answered may fail many times in a row on a large document, while that is cut
    to find a run that it cannot serve. It is down when it fails on the smallest question too, which
    is asked alone, while all others wait, once it is suspected.
    """

    def __init__(self) -> None:
        self._ever_answered = False
        self._failures = 0
        self._failed_on_little = False
        self._what = ""
        self._error: Callable[[str], RunmetricsError] | None = None

    @property
    def suspected(self) -> bool:
        """Whether so much failed since the last answer that the server may be down."""
        return self._failures >= _SUSPICIOUS

    def answered(self) -> None:
        """Take in a whole answer."""
        self._ever_answered = True
        self._failures = 0
        self._failed_on_little = False

    def failed(self, fault: Transient, *, little: bool) -> None:
        """Take in a failed try; `little` was asked. A server that asks for a pause is alive."""
        if fault.asked_seconds is None:
            self._failures += 1
            self._failed_on_little |= little
            self._what, self._error = fault.what, fault.error

    def check(self) -> None:
        """Raise ServerDown where there is no sense in asking again."""
        hopeless = self._failed_on_little or not self._ever_answered
        if self._error and hopeless and self._failures >= _FAILURES_IN_A_ROW:
            error = self._error(f"{self._what} ({self._failures} tries in a row)")
            raise ServerDown(error.cause, error.fix)

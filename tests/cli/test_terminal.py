"""The bar on a terminal: late, gone at the end, and never in one line with a log line."""

import logging
import os
import pty
import re
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runmetrics import logs
from runmetrics.cli import terminal
from runmetrics.cli.terminal import progress

_MOST_SECONDS = 60.0
"""Far more than a loaded machine needs, so that a text that never comes fails and does not hang."""


class Screen:
    """A terminal that this process writes its stderr to."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.stream = os.fdopen(theirs, "w", buffering=1)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Read until the text was shown."""
        while text not in self.shown:
            ready, _, _ = select.select([self._ours], [], [], _MOST_SECONDS)
            assert ready, f"{text!r} was not shown"
            self.shown += os.read(self._ours, 65_536).decode()

    def close(self) -> str:
        """Return all that was shown."""
        self.stream.close()
        try:
            while chunk := os.read(self._ours, 65_536):
                self.shown += chunk.decode()
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(self._ours)
        return self.shown


@contextmanager
def screen() -> Iterator[Screen]:
    """Put a terminal in place of stderr; within the test, since before it pytest puts its own."""
    shown = Screen()
    before = logging.getLogger().handlers[:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", shown.stream)
        patch.setenv("TERM", "xterm")
        logs.configure()
        yield shown
    logging.getLogger().handlers[:] = before


def test_quick_reading_shows_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_BAR_AFTER_SECONDS", 3600.0)

    with screen() as shown, progress() as tell:
        tell(1, 2)

    assert "reading runs" not in shown.close()


def test_a_log_line_has_a_line_of_its_own_beside_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_BAR_AFTER_SECONDS", 0.0)

    with screen() as shown, progress():
        shown.wait_for("reading runs")
        logging.getLogger("runmetrics").warning("the clock is off")
        shown.wait_for("the clock is off")

    (line,) = [line for line in shown.close().splitlines() if "the clock is off" in line]
    since_erased = re.sub(r"\x1b\[[0-9;]*m", "", line.rpartition("\x1b[2K")[2])
    assert re.fullmatch(r"\d\d:\d\d:\d\dZ warning  the clock is off", since_erased)

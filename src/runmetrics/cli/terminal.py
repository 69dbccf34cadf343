"""The terminal and the process around the commands: width, signals, a bar, a reader that left."""

import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import typer

from runmetrics import logs
from runmetrics.deadline import TERMINATION_GRACE_SECONDS, Deadline
from runmetrics.errors import DISK_TAKES_NO_MORE, TemporaryError
from runmetrics.plugins import Progress, no_progress

if TYPE_CHECKING:
    from rich.console import Console

_log = logging.getLogger("runmetrics")
_BAR_AFTER_SECONDS = 1.0
_READER_LEFT = (errno.EPIPE, errno.EBADF, errno.ECONNRESET)


def console() -> "Console":
    """Return where tables are printed: as wide as the terminal, 140 where there is none."""
    from rich.console import Console

    class Unexiting(Console):
        def on_broken_pipe(self) -> None:
            """Called where the error was caught; what it means is ours to say."""
            raise

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 140
    return Unexiting(width=width)


@contextmanager
def output(*, is_all: bool = True) -> Iterator[None]:
    """Print results within; a reader of stdout that left changes nothing.

    Where they are lost otherwise, as on a full disk, that is said: as a TemporaryError where the
    output is all that the command is for, else (`is_all` False) in the log alone.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until exit
        if error.errno in _READER_LEFT:
            return
        lost = TemporaryError(f"the output is lost ({error.strerror})", "write it somewhere else")
        if is_all:
            raise lost from None
        _log.error(str(lost))


@contextmanager
def help_output() -> Iterator[None]:
    """Treat help as `output` treats results: typer prints it on its own, outside of any command.

    A wrong command line keeps its exit code where stderr does not take the reason.
    """
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # which typer makes exit code 1
            raise SystemExit(_usage_code(end.__context__)) from None
        raise
    except OSError as error:
        if usage := _usage_code(error):
            raise SystemExit(usage) from None
        if error.errno not in DISK_TAKES_NO_MORE:
            raise
        with output():
            raise


def _usage_code(error: OSError) -> int:
    """Return the exit code of the wrong command line that was being told; 0 where none was."""
    return int(getattr(error.__context__, "exit_code", 0))


def say(line: str) -> None:
    """Print a line of results."""
    with output():
        typer.echo(line)


@contextmanager
def stopped_by_signals(deadline: Deadline) -> Iterator[None]:
    """SIGTERM and Ctrl-C end the run in good order: no new request, a short grace for a push."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        deadline.stop(TERMINATION_GRACE_SECONDS)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show a bar on a terminal's stderr once reading takes more than a second."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.text import Text

    bar = Bar(console=Console(stderr=True), transient=True)
    task = bar.add_task("reading runs", total=None)
    timer = threading.Timer(_BAR_AFTER_SECONDS, bar.start)
    timer.daemon = True

    def write(line: str) -> None:
        bar.console.print(Text.from_ansi(line.rstrip("\n")), soft_wrap=True)

    def tell(done: int, total: int) -> None:
        bar.update(task, completed=done, total=max(done, total) or None)

    timer.start()
    with logs.written_by(write):
        try:
            yield tell
        finally:
            timer.cancel()
            timer.join()
            bar.stop()

"""The command `runmetrics`, as which `python -m runmetrics` runs too."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from runmetrics.errors import ExitCode


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a signal that comes before a command takes it ends all at once."""
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    from runmetrics.cli.main import main  # a second of imports

    main(arguments)


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(int(ExitCode.TERMINATED))


if __name__ == "__main__":
    run()

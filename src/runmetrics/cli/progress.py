"""A progress bar on stderr that shows itself only when reading takes more than a second."""

import threading
from types import TracebackType
from typing import Self

_SHOWN_AFTER_SECONDS = 1.0


class Bar:
    """Use as a context manager; `update` may be called from anywhere, as often as one likes."""

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("reading runs", total=None)
        self._timer = threading.Timer(_SHOWN_AFTER_SECONDS, self._bar.start)
        self._timer.daemon = True
        self._timer.start()
        return self

    def update(self, done: int, total: int) -> None:
        """So many runs were read of so many."""
        self._bar.update(self._task, completed=done, total=max(done, total) or None)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        self._bar.stop()

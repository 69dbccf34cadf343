"""An event loop whose name look-ups can be given up: the C library's have no time limit.

asyncio makes them in threads that are waited for when the process exits, so one that hangs would
keep the process long after its deadline.
"""

import asyncio
import contextlib
import functools
import socket
import threading
from collections.abc import Callable
from typing import Any


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose look-ups are made in daemon threads, which nobody waits for."""

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the base class's name
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Return what `socket.getaddrinfo` gives, or raise what it raises."""
        found: asyncio.Future[list[Any]] = self.create_future()

        def settle(tell: Callable[[Any], None], outcome: object) -> None:
            if not found.done():
                tell(outcome)

        def look_up() -> None:
            try:
                addresses = socket.getaddrinfo(host, port, family, type, proto, flags)
                told = functools.partial(settle, found.set_result, addresses)
            except (OSError, UnicodeError) as error:
                told = functools.partial(settle, found.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                self.call_soon_threadsafe(told)

        threading.Thread(target=look_up, name="name-lookup", daemon=True).start()
        return await found

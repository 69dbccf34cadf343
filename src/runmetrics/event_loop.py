"""An event loop whose name look-ups can be given up: the C library's have no time limit.

asyncio makes them in threads that are waited for when the process exits, so one that hangs would
keep the process long after its deadline.
"""

import asyncio
import socket
import threading
from concurrent.futures import Future
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
        found = Future[list[Any]]()
        found.set_running_or_notify_cancel()  # so that it can be settled after it was given up

        def look_up() -> None:
            try:
                found.set_result(socket.getaddrinfo(host, port, family, type, proto, flags))
            except (OSError, UnicodeError) as error:
                found.set_exception(error)

        threading.Thread(target=look_up, name="name-lookup", daemon=True).start()
        return await asyncio.wrap_future(found, loop=self)

"""Python imports this at its start: tells the tests what the process did, and hangs its DNS.

CONTACTS names a file for every address that the process turns to, PEAK_MEMORY one for its greatest
size in KiB. A look-up of the host NEVER_RESOLVED never ends.
"""

import atexit
import os
import sys
import time
from pathlib import Path


def _text(host: object) -> str:
    return host.decode() if isinstance(host, bytes) else str(host)


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo" and arguments[1] is not None:  # else it reads digits only
        while _text(arguments[0]) == os.environ.get("NEVER_RESOLVED"):
            time.sleep(1)
    if event in ("socket.connect", "socket.sendto"):
        with Path(os.environ["CONTACTS"]).open("a", encoding="utf-8") as file:
            file.write(f"{arguments[1]}\n")


def _measure() -> None:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    Path(os.environ["PEAK_MEMORY"]).write_text(peak, encoding="utf-8")


sys.addaudithook(_note)
atexit.register(_measure)

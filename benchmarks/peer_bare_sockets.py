"""A peer: the floor under any collector: the same requests over raw sockets, the answers parsed.

It knows nothing: it posts the bodies that runmetrics was seen to send (a file of JSON: a list of
round trips, each a list of bodies), those of a round trip side by side, and parses each answer
and the JSON inside it. No library but the standard one, no metric, no proof, no output.
"""

import base64
import json
import os
import socket
import sys
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

INNER = ("summaryMetrics", "systemMetrics", "config")


def main(path: Path) -> None:
    """Replay the round trips of a file."""
    server = urlsplit(os.environ["WANDB_BASE_URL"])
    assert server.hostname is not None
    assert server.port is not None
    key = base64.b64encode(f"api:{os.environ['WANDB_API_KEY']}".encode()).decode()
    round_trips = json.loads(path.read_text())
    connections: list[socket.socket] = []
    runs = 0
    for bodies in round_trips:
        while len(connections) < len(bodies):
            connections.append(socket.create_connection((server.hostname, server.port)))
        for connection, body in zip(connections, bodies, strict=False):
            send(connection, server.netloc, key, body.encode())
        for connection, _ in zip(connections, bodies, strict=False):
            runs += parsed(receive(connection))
    print(json.dumps({"runs": runs}))


def send(connection: socket.socket, host: str, key: str, body: bytes) -> None:
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {key}\r\n"
        "Accept-Encoding: gzip\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)


def receive(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65_536)
    head, _, body = head.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    parts = [body]
    missing = length - len(body)
    while missing:
        parts.append(connection.recv(min(missing, 1 << 20)))
        missing -= len(parts[-1])
    return zlib.decompress(b"".join(parts), 16 + zlib.MAX_WBITS)


def parsed(body: bytes) -> int:
    """Parse an answer and what is JSON in it; the number of runs that it holds."""
    runs = 0
    found: list[Any] = [json.loads(body)["data"]]
    while found:
        here = found.pop()
        if isinstance(here, list):
            found += here
        elif isinstance(here, dict):
            runs += "state" in here
            for name, value in here.items():
                if name in INNER and isinstance(value, str):
                    json.loads(value)
                else:
                    found.append(value)
    return runs


if __name__ == "__main__":
    main(Path(sys.argv[1]))

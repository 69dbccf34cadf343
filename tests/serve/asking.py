"""The page's server in this process, asked over a socket."""

import gzip
from http.client import HTTPConnection, HTTPResponse

from runmetrics.serve.server import Server
from tests.serve.scene import Script


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, str]:
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=300)
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    connection.request(method, path, headers=sent)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.headers["Content-Encoding"] == "gzip":
        body = gzip.decompress(body)
    return answer, body.decode()


def serving(script: Script) -> Server:
    return Server(script.loop, "127.0.0.1", 0)

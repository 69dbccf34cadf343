"""A W&B-compatible server on loopback: for the demo, the tests and the benchmarks.

It speaks the part of W&B's GraphQL that this project reads and that the official client needs to
log and to read back, refuses everything else as W&B does, and answers from a `Store`.
"""

import base64
import functools
import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any
from urllib.parse import unquote, urlsplit

from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, execute_sync
from graphql import parse as parse_document
from graphql import validate as validate_document

from runmetrics.sandbox.filters import BadRequest
from runmetrics.sandbox.http import LoopbackServer, Request, Response, Served, errors, json_response
from runmetrics.sandbox.quirks import ALWAYS, Quirks
from runmetrics.sandbox.resolvers import Context, UnreadableError, Viewer
from runmetrics.sandbox.schema import schema_for
from runmetrics.sandbox.store import RunLog, Store
from runmetrics.sandbox.writing import crash_silent_runs, stream

SANDBOX_KEY = "5a9db0c1" * 5  # forty characters, as the official client demands


@dataclass(frozen=True, slots=True)
class Document:
    """A GraphQL request as it arrived."""

    query: str
    variables: Mapping[str, Any]


class WandbSandbox(Served):
    """The server; use as a context manager.

    `keys` are the API keys it accepts; any other gets `viewer: null`. `clock` is the server's
    clock, `clock_offset_seconds` how far its Date header and its times are off. `page_cap` bounds
    `first`. `headers` are added to every answer (RateLimit-Remaining, ...). `before_request` is
    called with 1, 2, ... before each GraphQL request is answered, and may change anything.
    `crash_after_seconds` turns on the sweep that marks silent running runs as crashed (300 on
    W&B). `server` is the HTTP side: requests, faults, bytes sent.
    """

    def __init__(
        self,
        *,
        store: Store | None = None,
        quirks: Quirks | None = None,
        keys: frozenset[str] = frozenset({SANDBOX_KEY}),
        viewer: Viewer | None = None,
        clock: Callable[[], float] = time.time,
        clock_offset_seconds: float = 0.0,
        page_cap: int = 1000,
        latency_seconds: float = 0.0,
        crash_after_seconds: float = math.inf,
        port: int = 0,
    ) -> None:
        self.store = store or Store()
        self.keys = keys
        self.viewer = viewer or Viewer()
        self.clock = clock
        self.clock_offset_seconds = clock_offset_seconds
        self.page_cap = page_cap
        self.crash_after_seconds = crash_after_seconds
        self.headers: dict[str, str] = {}
        self.documents: list[Document] = []
        self.before_request: Callable[[int], None] = lambda _number: None
        self.server = LoopbackServer(self._answer, latency_seconds=latency_seconds, port=port)
        self.server.clock = self._now
        self._lock = threading.Lock()
        self.quirks = quirks or Quirks()

    @property
    def quirks(self) -> Quirks:
        """How the server misbehaves from now on; assign to change it."""
        return self._quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self._quirks = quirks
        always = quirks.empty_pages == ALWAYS
        self._empty_pages = repeat(True) if always else repeat(True, quirks.empty_pages)

    def _now(self) -> float:
        return self.clock() + self.clock_offset_seconds

    def _answer(self, request: Request) -> Response:
        parts = [unquote(part) for part in urlsplit(request.path).path.strip("/").split("/")]
        with self._lock:
            match (request.method, *parts):
                case ("POST", "graphql"):
                    response = self._graphql(request)
                case ("POST", "files", entity, project, run, "file_stream"):
                    response = self._file_stream(request, entity, project, run)
                case ("PUT", "storage", entity, project, run, *path):
                    response = self._upload(request, entity, project, run, "/".join(path))
                case _:
                    response = json_response(404, {"error": "not found"})
        return replace(response, headers={**response.headers, **self.headers})

    # ------------------------------------------------------------------------------- GraphQL

    def _graphql(self, request: Request) -> Response:
        try:
            asked = json.loads(request.body)
            document = Document(asked["query"], asked.get("variables") or {})
        except (ValueError, TypeError, KeyError):
            return errors(400, {"message": "json body could not be decoded"})
        self.documents.append(document)
        self.before_request(len(self.documents))
        now = self._now()
        if self.crash_after_seconds < math.inf:
            for project in self.store.projects.values():
                crash_silent_runs(project, now, self.crash_after_seconds)
        schema = schema_for(self.quirks)
        parsed = _parsed(schema, document.query)
        if isinstance(parsed, list):
            return errors(400, *map(_formatted, parsed))
        viewer = self.viewer if _key_of(request) in self.keys else None
        context = Context(
            self.store, self.quirks, viewer, self.page_cap, now, self._empty_pages, self.url
        )
        result = execute_sync(
            schema,
            parsed,
            context_value=context,
            variable_values=dict(document.variables),
            operation_name=asked.get("operationName") or None,
        )
        return _result(result, self.quirks)

    # ---------------------------------------------------------------------- what clients stream

    def _file_stream(self, request: Request, entity: str, project: str, name: str) -> Response:
        run = self.store.find(entity, project, name)
        if run is None or _key_of(request) not in self.keys:
            return json_response(404, {"error": "run not found"})
        stream(run, json.loads(request.body), self._now())
        return json_response(200, {"limits": {}, "stopped": run.stopped})

    def _upload(
        self, request: Request, entity: str, project: str, name: str, path: str
    ) -> Response:
        run = self.store.find(entity, project, name)
        if run is None:
            return json_response(404, {"error": "run not found"})
        run.log = run.log or RunLog()
        run.log.files[path] = request.body
        return json_response(200, {})


@functools.lru_cache(maxsize=256)
def _parsed(schema: GraphQLSchema, query: str) -> DocumentNode | list[GraphQLError]:
    """Return the document, or what is wrong with it."""
    try:
        document = parse_document(query)
    except GraphQLError as error:
        return [error]
    return validate_document(schema, document) or document


def _key_of(request: Request) -> str:
    """Return the API key of `Basic api:<key>` or `Bearer <key>`; empty without one."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    try:
        user, _, key = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return ""
    return key if scheme.lower() == "basic" and user == "api" else ""


def _result(result: ExecutionResult, quirks: Quirks) -> Response:
    failed = result.errors or []
    for error in failed:
        if isinstance(error.original_error, BadRequest):
            return errors(400, {"message": str(error.original_error), "path": error.path})
        if isinstance(error.original_error, UnreadableError):
            return errors(500, {"message": "Internal Server Error"})
    if failed and result.data is None:
        return errors(400, *map(_formatted, failed))
    body: dict[str, Any] = {"data": result.data}
    if failed:
        body["errors"] = [error.formatted for error in failed]
        if quirks.error_path is not None:
            body["errors"] = [{**each, "path": quirks.error_path} for each in body["errors"]]
    _tell_lies(result.data, quirks)
    return json_response(200, body)


def _tell_lies(data: Any, quirks: Quirks) -> None:
    """Change what a strict schema does not let a resolver answer."""
    project = (data or {}).get("project") or {}
    for name, value in project.items():
        if quirks.counts_say is not None and isinstance(value, int):
            project[name] = quirks.counts_say
        if quirks.edges_null and isinstance(value, dict) and "edges" in value:
            value["edges"] = None


def _formatted(error: GraphQLError) -> dict[str, Any]:
    """Return the error as W&B words it: names in double quotes."""
    return {**error.formatted, "message": error.message.replace("'", '"')}

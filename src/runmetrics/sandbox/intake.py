"""A Datadog metrics intake on loopback, as strict as the real one's documentation.

It takes `POST /api/v2/series` and `GET /api/v1/validate` and remembers what came; `assets` keeps
dashboards, monitors and metadata, for who has an application key as well. Where Datadog
would silently fix a name or a tag it answers 400 instead, so that nobody relies on the fixing.
A point outside the time window gets the same 202 as any other and is not stored: Datadog does not
tell either, and such points are found in `late`.
"""

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NoReturn

from runmetrics.sandbox.datadog_assets import DatadogAssets
from runmetrics.sandbox.http import (
    Handler,
    LoopbackServer,
    Request,
    Response,
    Served,
    errors,
    json_response,
)

# docs.datadoghq.com/api/latest/metrics/#submit-metrics
MOST_COMPRESSED_BYTES = 512_000
TOO_MANY_RAW_BYTES = 5_242_880
OLDEST_SECONDS = 3600
NEWEST_SECONDS = 600

_LARGEST = sys.float_info.max
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.]{0,199}")
_TAG = re.compile(r"[^\W\d_][\w:./-]{0,199}")
_SERIES_KEYS = {
    "interval", "metadata", "metric", "points", "resources", "source_type_name", "tags", "type",
    "unit",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """A gauge's value at whole epoch seconds."""

    name: str
    tags: tuple[str, ...]
    timestamp: int
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """One post of series and the answer it got; bytes as sent and decompressed."""

    status: int
    series: int
    bytes_on_the_wire: int
    bytes_raw: int


INTAKE_KEY = "da7ad06c" * 4
"""API and application key; 32 digits as Datadog's, and no word: keys are hidden from all output."""


class DatadogIntake(Served):
    """A context manager; `url` is what DD_URL is set to, `server.misbehave(...)` breaks answers.

    `keys` and `app_keys` are the API and application keys it accepts, `clock` gives epoch seconds.
    """

    def __init__(
        self,
        *,
        keys: Collection[str] = (INTAKE_KEY,),
        app_keys: Collection[str] = (INTAKE_KEY,),
        clock: Callable[[], float] = time.time,
        latency_seconds: float = 0.0,
    ) -> None:
        self.keys = set(keys)
        self.server = LoopbackServer(self._answer, latency_seconds=latency_seconds)
        self.posts: list[Post] = []
        self.late: list[Point] = []
        self._points: dict[tuple[str, tuple[str, ...], int], Point] = {}
        self.assets = DatadogAssets(app_keys, self._has_metric)
        self._clock = clock
        self._lock = threading.Lock()
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", "/api/v2/series"): self._take_series,
            ("GET", "/api/v1/validate"): lambda _request: json_response(200, {"valid": True}),
        }

    @property
    def points(self) -> list[Point]:
        """Every point stored, in order of arrival; the latest of a series at one time."""
        with self._lock:
            return list(self._points.values())

    @property
    def bytes_received(self) -> int:
        """Bytes of series bodies as they came over the wire."""
        with self._lock:
            return sum(post.bytes_on_the_wire for post in self.posts)

    def _answer(self, request: Request) -> Response:
        route = self._routes.get((request.method, request.path.partition("?")[0]))
        if self.assets.owns(request):
            route = self.assets.answer
        if route is None:
            return errors(404, "Not found")
        if request.headers.get("dd-api-key") not in self.keys:
            return errors(403, "Forbidden")
        return route(request)

    def _has_metric(self, name: str) -> bool:
        return any(point.name == name for point in self.points)

    def _take_series(self, request: Request) -> Response:
        response, series = self._read(request)
        size, raw_size = request.body_bytes_on_the_wire, len(request.body)
        with self._lock:
            self.posts.append(Post(response.status, len(series), size, raw_size))
        return response

    def _read(self, request: Request) -> tuple[Response, list[dict[str, Any]]]:
        too_large = request.body_bytes_on_the_wire > MOST_COMPRESSED_BYTES
        if too_large or len(request.body) >= TOO_MANY_RAW_BYTES:
            return errors(413, "Payload too large"), []
        try:
            document = json.loads(request.body, parse_constant=_refuse_constant)
        except ValueError as error:
            return errors(400, f"Invalid JSON: {error}"), []
        series = document.get("series") if isinstance(document, dict) else None
        if not isinstance(series, list) or not series:
            return errors(400, "series is missing or empty"), []
        if faults := [fault for one in series for fault in _faults(one)]:
            return errors(400, *faults), series
        now = self._clock()
        with self._lock:
            for one in series:
                self._store(one, now)
        return errors(202), series

    def _store(self, series: dict[str, Any], now: float) -> None:
        name, tags = series["metric"], tuple(sorted(series.get("tags", [])))
        for point in series["points"]:
            time, value = point["timestamp"], point["value"]
            stored = Point(name, tags, time, value, series.get("unit", ""))
            if -NEWEST_SECONDS <= now - time <= OLDEST_SECONDS:
                self._points[name, tags, time] = stored
            else:
                self.late.append(stored)


def _faults(series: object) -> list[str]:
    """Return everything that is wrong with one series of a post."""
    if not isinstance(series, dict):
        return ["a series is not an object"]
    name = series.get("metric")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return [f"metric name {name!r} is not valid"]
    tags, points = series.get("tags", []), series.get("points")
    faults = [f"{name}: unknown field {key}" for key in sorted(series.keys() - _SERIES_KEYS)]
    if series.get("type") not in (0, 1, 2, 3, None):
        faults.append(f"{name}: type is not 0 to 3")
    if not isinstance(series.get("unit", ""), str):
        faults.append(f"{name}: unit is not a string")
    if not isinstance(tags, list):
        faults.append(f"{name}: tags are not a list")
    else:
        faults += [f"{name}: tag {tag!r} is not valid" for tag in tags if not _is_tag(tag)]
    if not isinstance(points, list) or not points:
        faults.append(f"{name}: points are missing or empty")
    elif not all(map(_is_point, points)):
        faults.append(f"{name}: a point is not a whole timestamp and a finite number")
    return faults


def _is_tag(tag: object) -> bool:
    if not isinstance(tag, str) or not _TAG.fullmatch(tag):
        return False
    return tag == tag.lower() and not tag.endswith((":", "_")) and "__" not in tag


def _is_point(point: object) -> bool:
    if not isinstance(point, dict):
        return False
    timestamp, value = point.get("timestamp"), point.get("value")
    if type(timestamp) is not int or not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return -_LARGEST <= value <= _LARGEST


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")

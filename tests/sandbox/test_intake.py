"""The sandbox's Datadog intake refuses what Datadog refuses and remembers what it took."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from runmetrics.sandbox.http import Fault
from runmetrics.sandbox.intake import DatadogIntake, Point, Post

NOW = 1_772_366_400


@pytest.fixture
def intake() -> Iterator[DatadogIntake]:
    with DatadogIntake(keys=["good"], clock=lambda: float(NOW)) as running:
        yield running


def series(**changes: Any) -> dict[str, Any]:
    point = {"timestamp": changes.pop("timestamp", NOW), "value": changes.pop("value", 1.5)}
    return {"metric": "a.b", "type": 3, "points": [point], "tags": ["x:y"], **changes}


def post(
    intake: DatadogIntake, body: object, *, key: str = "good", encoding: str = ""
) -> httpx.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"DD-API-KEY": key}
    if encoding:
        headers["Content-Encoding"] = encoding
    return httpx.post(f"{intake.url}/api/v2/series", content=raw, headers=headers)


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_a_post_is_acknowledged_and_remembered(intake: DatadogIntake, encoding: str) -> None:
    raw = json.dumps({"series": [series(unit="run")]}).encode()
    body = {"": raw, "gzip": gzip.compress(raw), "deflate": zlib.compress(raw)}[encoding]

    answer = post(intake, body, encoding=encoding)

    assert (answer.status_code, answer.json()) == (202, {"errors": []})
    assert intake.points == [Point("a.b", ("x:y",), NOW, 1.5, "run")]
    assert intake.posts == [Post(202, 1, len(body), len(raw))]
    assert intake.bytes_received == len(body)


def test_the_same_series_at_the_same_time_overwrites(intake: DatadogIntake) -> None:
    for value, timestamp in [(1.0, NOW), (2.0, NOW), (3.0, NOW - 1)]:
        post(intake, {"series": [series(value=value, timestamp=timestamp)]})

    assert [(point.timestamp, point.value) for point in intake.points] == [(NOW, 2.0), (NOW - 1, 3)]


@pytest.mark.parametrize("path", ["/api/v2/series", "/api/v1/validate"])
def test_a_key_it_does_not_know_is_forbidden(intake: DatadogIntake, path: str) -> None:
    method = "POST" if "series" in path else "GET"

    answer = httpx.request(method, intake.url + path, headers={"DD-API-KEY": "bad"})

    assert (answer.status_code, answer.json()) == (403, {"errors": ["Forbidden"]})
    assert intake.points == []


def test_a_key_can_be_validated(intake: DatadogIntake) -> None:
    answer = httpx.get(f"{intake.url}/api/v1/validate", headers={"DD-API-KEY": "good"})

    assert (answer.status_code, answer.json()) == (200, {"valid": True})


def test_other_paths_are_not_found(intake: DatadogIntake) -> None:
    assert httpx.get(f"{intake.url}/api/v9/series").status_code == 404


@pytest.mark.parametrize(
    ("age", "stored"), [(3600, True), (3601, False), (-600, True), (-601, False)]
)
def test_a_point_outside_the_window_is_acknowledged_and_not_stored(
    intake: DatadogIntake, age: int, stored: bool
) -> None:
    answer = post(intake, {"series": [series(timestamp=NOW - age)]})

    assert answer.status_code == 202
    assert (len(intake.points), len(intake.late)) == ((1, 0) if stored else (0, 1))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"series": NaN}', "Invalid JSON: NaN is not JSON"),
        (b"[]", "series is missing or empty"),
        ({"series": []}, "series is missing or empty"),
        ({"series": [1]}, "a series is not an object"),
        ({"series": [series(metric="1a")]}, "metric name '1a' is not valid"),
        ({"series": [series(metric="a-b")]}, "metric name 'a-b' is not valid"),
        ({"series": [series(tags="x")]}, "a.b: tags are not a list"),
        ({"series": [series(tags=["X:y"])]}, "a.b: tag 'X:y' is not valid"),
        ({"series": [series(tags=["x:"])]}, "a.b: tag 'x:' is not valid"),
        ({"series": [series(type="gauge")]}, "a.b: type is not 0 to 3"),
        ({"series": [series(unit=1)]}, "a.b: unit is not a string"),
        ({"series": [series(host="h")]}, "a.b: unknown field host"),
        ({"series": [series(points=[])]}, "a.b: points are missing or empty"),
        (
            {"series": [series(value="1")]},
            "a.b: a point is not a whole timestamp and a finite number",
        ),
        (
            {"series": [series(value=True)]},
            "a.b: a point is not a whole timestamp and a finite number",
        ),
        (
            {"series": [series(timestamp=1.5)]},
            "a.b: a point is not a whole timestamp and a finite number",
        ),
        (
            b'{"series":[{"metric":"a.b","points":[{"timestamp":1,"value":1e400}]}]}',
            "a.b: a point is not a whole timestamp and a finite number",
        ),
    ],
)
def test_a_body_with_a_fault_is_refused_whole(
    intake: DatadogIntake, body: object, error: str
) -> None:
    answer = post(intake, body)

    assert (answer.status_code, answer.json()) == (400, {"errors": [error]})
    assert intake.points == []


@pytest.mark.parametrize(("size", "status"), [(512_000, 202), (512_001, 413)])
def test_a_body_is_at_most_512000_bytes_on_the_wire(
    intake: DatadogIntake, size: int, status: int
) -> None:
    raw = json.dumps({"series": [series()]}).encode()

    assert post(intake, raw.ljust(size)).status_code == status


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(("size", "status"), [(5_242_879, 202), (5_242_880, 413)])
def test_a_body_expands_to_less_than_5242880_bytes(
    intake: DatadogIntake, size: int, status: int, encoding: str
) -> None:
    raw = json.dumps({"series": [series()]}).encode().ljust(size)
    body = gzip.compress(raw) if encoding == "gzip" else zlib.compress(raw)

    assert post(intake, body, encoding=encoding).status_code == status


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("broken", [lambda whole: whole[:-4], lambda _: b"junk"])
def test_a_body_that_cannot_be_decompressed_is_refused(
    intake: DatadogIntake, broken: Callable[[bytes], bytes], encoding: str
) -> None:
    raw = json.dumps({"series": [series()]}).encode()
    body = broken(gzip.compress(raw) if encoding == "gzip" else zlib.compress(raw))

    assert post(intake, body, encoding=encoding).status_code == 400
    assert intake.posts == [Post(400, 0, len(body), 0)]


def test_it_can_be_told_to_take_a_post_and_then_break_off(intake: DatadogIntake) -> None:
    intake.server.misbehave(Fault(reset=True, after_handling=True))

    with pytest.raises(httpx.HTTPError):
        post(intake, {"series": [series()]})

    assert len(intake.points) == 1

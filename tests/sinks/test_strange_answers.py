"""Whatever the other side answers: no sink raises, each sample has one end, and none is dropped.

Forty answers by default; SINK_ANSWERS=400 for more by hand.
"""

import os
import random
from collections.abc import Iterator

import pytest

from runmetrics.deadline import Deadline
from runmetrics.plugins import Sink
from runmetrics.sandbox.http import Fault, LoopbackServer, Response
from runmetrics.sinks.batches import RetryPolicy
from tests.sinks.datadog.datadog_case import new_intake, ten
from tests.sinks.datadog.datadog_case import sink as datadog_sink
from tests.sinks.otlp.otlp_case import otlp_sink, receiver

ANSWERS = int(os.environ.get("SINK_ANSWERS", "40"))
HASTE = RetryPolicy(tries=2, first_seconds=0.001, most_seconds=0.002, request_seconds=2)

STATUSES = (
    *(200, 201, 202, 204, 226, 300, 301, 304, 307, 399, 400, 401, 402, 403, 404, 408, 413, 418),
    *(429, 451, 499, 500, 501, 502, 503, 504, 505, 599, 600, 999),
)
BODIES = (
    *(b"", b"{}", b"[]", b"null", b'{"errors":[]}', b'{"errors":"x"}', b'{"errors":{"a":1}}'),
    *(b'{"errors":[{"detail":1}]}', b'{"status":"error"}', b"\xff\xfe\x00", b"<html>", b"1e999"),
    *(b'{"errors":[' + b"[" * 5000 + b"]" * 5000 + b"]}", b"9" * 6000, b'"\\ud800"'),
    *(b"\x0a\x03\x08\x80\x80", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x03\x08\x80\x01"),
)
HEADERS: tuple[dict[str, str], ...] = (
    *({}, {"Location": "http://[::1"}, {"Location": "//x"}, {"Date": "junk"}),
    *({"Retry-After": "-1"}, {"Retry-After": "Mon, 99 Foo 0000"}, {"Retry-After": "9" * 50}),
    *({"X-RateLimit-Reset": "NaN"}, {"X-RateLimit-Reset": "1e400"}),
    *({"Content-Encoding": "gzip"}, {"Content-Encoding": "br"}),
)
TYPES = ("application/json", "application/x-protobuf", "text/html", "", "a" * 500)


@pytest.fixture(params=["datadog", "otlp"])
def far_end(request: pytest.FixtureRequest) -> Iterator[tuple[Sink, LoopbackServer]]:
    """A sink, and the server that it delivers to."""
    if request.param == "datadog":
        with new_intake() as intake:
            yield datadog_sink(intake, policy=HASTE), intake.server
    else:
        with receiver() as server:
            yield otlp_sink(server.url, {}, HASTE), server


def test_whatever_is_answered_each_sample_has_one_end_and_is_never_lost(
    far_end: tuple[Sink, LoopbackServer],
) -> None:
    sink, server = far_end
    dice, given = random.Random(12), ten()
    for _ in range(ANSWERS):
        answer = Response(*map(dice.choice, (STATUSES, BODIES, HEADERS, TYPES)))  # type: ignore[arg-type]
        fault = Fault(response=answer, truncate=dice.random() < 0.1, reset=dice.random() < 0.05)
        server.fault_for = lambda _request, fault=fault: fault  # type: ignore[misc]

        delivery = sink.deliver(given, Deadline(60))

        ends = [*delivery.accepted, *delivery.undelivered]
        assert sorted(map(id, ends)) == sorted(map(id, given)), answer
        assert bool(delivery.error) == bool(delivery.undelivered), answer
        assert len(f"{delivery.error}".splitlines()) <= 1, answer
        assert not delivery.accepted or 200 <= answer.status < 300, answer

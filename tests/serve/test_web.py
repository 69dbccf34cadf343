"""The HTTP face over real sockets: what each path answers, and when."""

import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from runmetrics.deadline import Deadline
from runmetrics.model import Delivery, Problem
from runmetrics.pipeline import Outcome
from runmetrics.serve.loop import Loop
from runmetrics.serve.server import Server
from runmetrics.serve.snapshot import after
from tests.serve.asking import ask, serving
from tests.serve.scene import Script, a_week, outcome, sample, unknown
from tests.sinks.prometheus.promtool import complaints

LABELS = 'collector="wandb",wandb_entity="e",wandb_project="p"'


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_before_the_first_collection_ended_it_is_alive_but_not_ready() -> None:
    with serving(Script()) as server:
        asked = {path: ask(server, path) for path in ("/healthz", "/readyz", "/metrics", "/")}

    assert {path: answer.status for path, (answer, _) in asked.items()} == {
        "/healthz": 200,
        "/readyz": 503,
        "/metrics": 200,
        "/": 200,
    }
    assert asked["/readyz"][1] == "the first collection is under way\n"
    assert asked["/metrics"][1] == ""
    assert "Reading for the first time" in asked["/"][1]


@pytest.mark.parametrize("first", [outcome(sample()), outcome(problems=(unknown("a.x"),))])
def test_it_is_ready_when_the_first_collection_ended_whatever_it_brought(first: Outcome) -> None:
    with serving(Script(first)) as server:
        answer, text = ask(server, "/readyz")

    assert (answer.status, text) == (200, "ok\n")


def test_it_is_not_ready_while_a_sink_is_behind_for_those_who_ask_for_deliveries() -> None:
    one = sample("a.x", 7)
    refused = Delivery("datadog", undelivered=(one, one))
    first = replace(outcome(one), deliveries=(refused,))
    then = replace(outcome(one), deliveries=(Delivery("datadog", accepted=(one,)),))
    script = Script(first)

    with serving(script) as server:
        plain, asked = ask(server, "/readyz"), ask(server, "/readyz?deliveries")
        metrics = ask(server, "/metrics")[1]
        script.loop.snapshot = after(script.loop.snapshot, then, began_at=1)
        later = ask(server, "/readyz?deliveries")

    assert (plain[0].status, plain[1]) == (200, "ok\n")
    assert (asked[0].status, asked[1]) == (503, "not delivered: datadog 2 samples\n")
    assert (later[0].status, later[1]) == (200, "ok\n")
    assert 'runmetrics_samples_undelivered{collector="wandb",sink="datadog"} 2.0' in metrics
    assert "runmetrics_last_delivery_timestamp_seconds{" not in metrics


def test_p2_after_a_failed_collection_the_last_good_values_are_served_with_their_age() -> None:
    down = Problem((), "W&B cannot be reached", "check the network")
    script = Script(outcome(sample("a.x", 7)), outcome(problems=(down,)))

    with serving(script) as server:
        answer, text = ask(server, "/metrics")
        script.clock.seconds += 5
        later = ask(server, "/metrics")[1]

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert [re.sub(r"1\.\d+e\+09", "THEN", line) for line in lines(text)] == [
        'runmetrics_up{collector="wandb"} 0.0',
        'runmetrics_duration_seconds{collector="wandb"} 0.5',
        'runmetrics_requests{collector="wandb"} 0.0',
        'runmetrics_metrics_known{collector="wandb"} 0.0',
        'runmetrics_metrics_unknown{collector="wandb"} 1.0',
        'runmetrics_data_age_seconds{collector="wandb"} 3600.0',
        'runmetrics_data_timestamp_seconds{collector="wandb"} THEN',
        f"a_x{{{LABELS}}} 7.0",
    ]
    assert 'runmetrics_data_age_seconds{collector="wandb"} 3605.0' in later


def test_p2_a_scrape_while_a_collection_is_under_way_is_answered_at_once() -> None:
    begun, end = threading.Event(), threading.Event()
    outcomes = iter((outcome(sample("a.x", 1)), outcome(sample("a.x", 2))))

    def collect(_deadline: Deadline) -> Outcome:
        if loop.snapshot is not None:
            begun.set()
            assert end.wait(10)
        return next(outcomes)

    loop = Loop(collect, interval=60, timeout=30)
    loop.collect_once(Deadline(20))
    second = threading.Thread(target=loop.collect_once, args=(Deadline(20),))
    with Server(loop, "127.0.0.1", 0) as server:
        second.start()
        assert begun.wait(5)
        while_collecting = ask(server, "/metrics")[1]
        page = ask(server, "/")[1]
        end.set()
        second.join(5)
        afterwards = ask(server, "/metrics")[1]

    assert f"a_x{{{LABELS}}} 1.0" in lines(while_collecting)
    assert "collecting now" in page
    assert f"a_x{{{LABELS}}} 2.0" in lines(afterwards)


def test_p2_a_scrape_holds_one_whole_snapshot_old_or_new() -> None:
    many = [[sample("a.x", n, tags={"user": str(u)}) for u in range(40)] for n in (1, 2)]
    script = Script(outcome(*many[0]), outcome(*many[1]))
    new = script.loop.snapshot
    old = Script(outcome(*many[0])).loop.snapshot
    enough = threading.Event()

    def change() -> None:
        while not enough.wait(0.0005):
            script.loop.snapshot = old if script.loop.snapshot is new else new

    changing = threading.Thread(target=change)
    with serving(script) as server:
        changing.start()
        scrapes = [ask(server, "/metrics")[1] for _ in range(60)]
        enough.set()
        changing.join(5)

    found = [[line[-3:] for line in lines(text) if line.startswith("a_x{")] for text in scrapes]
    assert {len(values) for values in found} == {40}
    assert [values for values in found if len(set(values)) != 1] == []
    assert {values[0] for values in found} == {"1.0", "2.0"}


def test_promtool_has_nothing_to_say_about_a_scrape(promtool: Path) -> None:
    with serving(a_week(trouble=True)) as server:
        text = ask(server, "/metrics")[1]

    assert complaints(promtool, text.encode()) == []
    assert len(lines(text)) == 7 + 12


def test_a_client_that_asks_for_openmetrics_or_gzip_or_one_name_gets_it() -> None:
    with serving(Script(outcome(sample("a.x", 7), sample("a.y", 8)))) as server:
        answer, text = ask(server, "/metrics", Accept="application/openmetrics-text;version=1.0.0")
        packed, unpacked = ask(server, "/metrics", Accept_Encoding="gzip")
        one = ask(server, "/metrics?name%5B%5D=a_y")[1]

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert f"a_x{{{LABELS}}} 7.0" in lines(unpacked)
    assert lines(one) == [f"a_y{{{LABELS}}} 8.0"]


def test_a_loop_that_does_not_move_is_not_healthy() -> None:
    script = Script(outcome(sample()))
    with serving(script) as server:
        before = ask(server, "/healthz")
        script.clock.seconds += 90 + 60 + 1
        after = ask(server, "/healthz")

    assert (before[0].status, before[1]) == (200, "ok\n")
    assert (after[0].status, after[1]) == (503, "the loop has not moved for 1951 s\n")


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz"])
def test_head_is_get_without_the_body_and_nothing_else_is_taken(path: str) -> None:
    with serving(Script(outcome(sample()))) as server:
        got, body = ask(server, path)
        head, nothing = ask(server, path, "HEAD")
        refused = [ask(server, path, method)[0] for method in ("POST", "PUT", "DELETE", "OPTIONS")]

    assert (head.status, nothing) == (200, "")
    if path in ("/healthz", "/readyz"):  # the others tell ages, whose digits grow
        assert head.headers["Content-Length"] == str(len(body.encode()))
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    assert [(answer.status, answer.headers["Allow"]) for answer in refused] == [
        (405, "GET, HEAD")
    ] * 4


@pytest.mark.parametrize("path", ["/metrics/", "/favicon.ico", "/../etc/passwd", "/index.html"])
def test_there_is_nothing_else(path: str) -> None:
    with serving(Script()) as server:
        answer, text = ask(server, path)

    assert (answer.status, text) == (404, "not here: see /, /metrics, /healthz, /readyz\n")

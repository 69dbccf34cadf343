"""The program as it is deployed: a process that collects, serves, delivers, and ends when told."""

import socket
from collections import Counter
from pathlib import Path

import pytest

from runmetrics.sandbox.http import Fault, Response
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.wandb_server import WandbSandbox
from runmetrics.sinks.prometheus.names import family_name
from tests.cli.child import Child, surroundings
from tests.cli.conftest import TEN, VALUES
from tests.serve.serving import serving
from tests.sinks.prometheus.promtool import complaints

SILENT = Fault(silent=True)
SERVED = {
    (name := family_name(metric, unit)).text: name.value(value)
    for metric, (value, unit, _) in TEN.items()
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_the_ten_are_served_as_promtool_likes_them(
    wandb: WandbSandbox, log: Path, promtool: Path
) -> None:
    with serving(surroundings(wandb), log, interval="1h") as served:
        served.until_ready()
        values = served.metrics()
        status, text = served.get("/metrics")
        page = served.get("/")[1]

    assert status == 200
    assert complaints(promtool, text.encode()) == []
    assert values.items() >= SERVED.items()
    assert (values["runmetrics_up"], values["runmetrics_runs_read"]) == (1, 4)
    assert 0 <= values["runmetrics_data_age_seconds"] < 10
    assert "<h1>e/p</h1>" in page
    assert "All is known" in page


def test_it_collects_again_after_the_interval(wandb: WandbSandbox, log: Path) -> None:
    with serving(surroundings(wandb), log) as served:
        served.until_ready()
        run = wandb.store.run("e", "p", "live")
        run.state = "finished"
        served.until(lambda: served.metrics()["wandb_runs_active"] == 0)

    assert served.said("info")[0].startswith(f"http://{served.address}/ shows wandb, ")


def test_push_delivers_after_each_collection_with_the_time_of_each(
    wandb: WandbSandbox, intake: DatadogIntake, log: Path
) -> None:
    with serving(surroundings(wandb, intake), log, "--push") as served:
        served.until(lambda: len({point.timestamp for point in intake.points}) >= 2)

    totals = [point for point in intake.points if point.name == "wandb.runs.total"]
    assert [point.value for point in totals] == [5.0] * len(totals)
    assert {point.name for point in intake.points} >= VALUES.keys()


def test_without_push_nothing_is_delivered(
    wandb: WandbSandbox, intake: DatadogIntake, log: Path
) -> None:
    with serving(surroundings(wandb, intake), log) as served:
        served.until(lambda: len(served.said("info")) >= 3)

    assert intake.server.requests == []


def test_p2_while_wandb_does_not_answer_the_last_values_are_served_and_then_up_is_0(
    wandb: WandbSandbox, log: Path
) -> None:
    with serving(surroundings(wandb), log) as served:
        served.until_ready()
        asked = len(wandb.server.requests)
        wandb.server.fault_for = lambda _request: SILENT
        served.until(lambda: len(wandb.server.requests) > asked)
        while_collecting = served.metrics()
        served.until(lambda: served.metrics()["runmetrics_up"] == 0)
        failed = served.metrics()
        health = served.get("/healthz")[0]
        wandb.server.fault_for = lambda _request: None
        served.until(lambda: served.metrics()["runmetrics_up"] == 1)

    assert (while_collecting["runmetrics_up"], failed["runmetrics_up"]) == (1, 0)
    assert while_collecting.items() >= SERVED.items()
    assert failed.items() >= SERVED.items()
    assert failed["runmetrics_data_age_seconds"] >= 1
    assert health == 200
    assert f"the time for reading W&B at {wandb.url} is over" in served.said()[0]


def test_a_start_without_any_answer_is_ready_with_up_0(log: Path) -> None:
    environment = surroundings("http://127.0.0.1:9")
    with serving(environment, log, interval="2s") as served:
        served.until_ready()
        values = served.metrics()

    assert values["runmetrics_up"] == 0
    assert "wandb_runs" not in values
    assert "runmetrics_data_age_seconds" not in values


def test_d18_a_sink_that_is_down_leaves_the_values_on_show(
    wandb: WandbSandbox, intake: DatadogIntake, log: Path, tmp_path: Path
) -> None:
    intake.server.fault_for = lambda _request: Fault(response=Response(403, b"{}"))
    spool = tmp_path / "spool"
    environment = surroundings(wandb, intake)
    with serving(environment, log, "--push", "--spool", str(spool)) as served:
        served.until(lambda: served.metrics().items() >= SERVED.items())
        values, page = served.metrics(), served.get("/")[1]
        ready, delivered = served.get("/readyz")[0], served.get("/readyz?deliveries")[0]
        intake.server.fault_for = lambda _request: None
        # What waited in the spool, and what came after.
        served.until(lambda: len(_times(intake)) >= 2)

    assert (ready, delivered) == (200, 503)
    assert values["runmetrics_samples_undelivered"] >= len(VALUES)
    assert "runmetrics_last_delivery_timestamp_seconds" not in values
    assert "Datadog refused the API key (403)" in " ".join(served.said())
    assert "Datadog refused the API key (403)" in page


def _times(intake: DatadogIntake) -> set[int]:
    """The timestamps of the collections that the intake has whole."""
    times = Counter(point.timestamp for point in intake.points if point.name in VALUES)
    return {time for time, points in times.items() if points == len(VALUES)}


def test_k5_a_key_that_rotates_is_read_again_from_its_file(
    wandb: WandbSandbox, intake: DatadogIntake, log: Path, tmp_path: Path
) -> None:
    """As a mounted Secret's: the file is replaced under the running process."""
    environment = surroundings(wandb, intake)
    key_file = tmp_path / "key"
    key_file.write_text("0" * 32)
    environment["DD_API_KEY_FILE"] = str(key_file)
    key = environment.pop("DD_API_KEY")
    with serving(environment, log, "--push", interval="2s") as served:
        served.until(lambda: "Datadog refused the API key (403)" in " ".join(served.said()))
        refused = len(intake.points)
        key_file.write_text(key)
        served.until(lambda: bool(_times(intake)))

    assert refused == 0


def test_p3_connections_without_end_do_not_keep_it_from_collecting(
    wandb: WandbSandbox, log: Path
) -> None:
    with serving(surroundings(wandb), log, interval="10s", open_files=256) as served:
        served.until_ready()
        host, _, port = served.address.partition(":")
        clients = [socket.create_connection((host, int(port)), timeout=300) for _ in range(582)]
        asked = len(wandb.server.requests)
        served.until(lambda: len(wandb.server.requests) >= asked + 4)
        for client in clients:
            client.close()
        health = served.get("/healthz")[0]

    assert health == 200
    assert served.said() == []


def test_h3_sigterm_in_the_wait_ends_it_at_once_with_143(wandb: WandbSandbox, log: Path) -> None:
    with serving(surroundings(wandb), log, interval="1h") as served:
        served.until_ready()
        code, seconds = served.terminate()

    assert code == 143
    assert seconds < 10
    assert served.said() == []


def test_h3_sigterm_while_it_collects_ends_it_at_once_with_143(
    wandb: WandbSandbox, intake: DatadogIntake, log: Path
) -> None:
    wandb.server.fault_for = lambda _request: SILENT
    with serving(surroundings(wandb, intake), log, "--push", interval="1h") as served:
        served.until(lambda: len(wandb.server.requests) == 1)
        code, seconds = served.terminate()

    assert code == 143
    assert seconds < 10
    assert served.said() == [f"reading W&B at {wandb.url} was stopped by a signal"]
    assert intake.server.requests == []


def test_h3_sigterm_while_it_delivers_gives_the_push_8_seconds_and_ends(
    wandb: WandbSandbox, intake: DatadogIntake, log: Path
) -> None:
    intake.server.fault_for = lambda _request: SILENT
    with serving(surroundings(wandb, intake), log, "--push", interval="1h") as served:
        served.until(lambda: len(intake.server.requests) == 1)
        code, seconds = served.terminate()

    assert code == 143
    assert seconds < 20  # 8 and the end of a process on a loaded machine
    assert len(intake.server.requests) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--interval", "30"], 2, "'30' is no interval: write 30m, 90s or 2h, up to 7d"),
        (["--interval", "0s"], 2, "'0s' is no interval: write 30m, 90s or 2h, up to 7d"),
        (["--interval", "8d"], 2, "'8d' is no interval: write 30m, 90s or 2h, up to 7d"),
        (["--sink", "otlp"], 2, "--sink: is for --push alone: add --push, or leave it out"),
        (["--spool", "kept"], 2, "--spool: is for --push alone: add --push, or leave it out"),
        (["--push", "--sink", "nowhere"], 2, "there is no sink 'nowhere': installed are: "),
        (["nothing"], 2, "there is no collector 'nothing': installed are: "),
        (["wanbd"], 2, "there is no collector 'wanbd': did you mean "),
        (["--timeout", "0"], 2, "'--timeout': \"0\" is no timeout: write seconds, from 1 to 86400"),
        (["--host", "203.0.113.1"], 78, "cannot listen on 203.0.113.1 port 9464 ("),
    ],
)
def test_what_cannot_be_served_is_refused_at_the_start(
    arguments: list[str], code: int, said: str
) -> None:
    environment = {**surroundings("http://127.0.0.1:9"), "COLUMNS": "200"}

    ended = Child(arguments, environment, entry=("-m", "runmetrics"), collector=("serve",)).end()

    assert ended.code == code
    assert said in ended.err
    assert ended.contacts == frozenset()

"""The doctor names the cause where the far end is broken: Datadog, OTLP, the textfile."""

from pathlib import Path

import pytest

from runmetrics.sandbox.http import Fault, LoopbackServer, Response
from runmetrics.sandbox.intake import INTAKE_KEY, DatadogIntake
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.cli.metrics.case import command

from .case import NOWHERE, OTHER_KEY, line, lines, steps, world

# Datadog


def test_a_datadog_key_that_is_nowhere() -> None:
    with world() as here:
        ended = here.doctor(datadog_key=None)

    assert lines(ended) == [
        line(
            *("broken", "Datadog key"),
            "no Datadog API key found (DD_API_KEY: is not set; DD_API_KEY_FILE: is not set; "
            "AWS secret datadog/api-key: no AWS credentials): "
            "set DD_API_KEY, or store the key as the AWS secret datadog/api-key",
        )
    ]
    assert steps(ended, "not asked") == ["AWS identity", "Datadog"]
    assert ended.code == 78


def test_a_datadog_key_of_another_site() -> None:
    with world() as here:
        ended = here.doctor("--push", datadog_key=OTHER_KEY)

    assert lines(ended) == [
        line(
            *("broken", "Datadog"),
            f"Datadog refused the API key (403) at {here.intake.url}: "
            "check DD_API_KEY, and that DD_URL is the intake of your organisation",
        )
    ]
    assert steps(ended, "not asked") == ["Datadog point"]
    assert ended.code == 77


def test_an_intake_that_nobody_answers_at() -> None:
    with world() as here:
        ended = here.doctor(DD_URL=NOWHERE)

    assert lines(ended) == [
        line(
            *("broken", "Datadog"),
            "Datadog at http://127.0.0.1:9 did not answer: the connection is refused: "
            "check DD_URL, the network policy and the proxy settings",
        )
    ]
    assert ended.code == 75


def test_an_intake_that_is_a_login_page() -> None:
    page = Response(200, b"<html>Please log in</html>", content_type="text/html")
    with world() as here:
        here.intake.server.misbehave(Fault(response=page))
        ended = here.doctor()

    assert lines(ended) == [
        line(
            *("broken", "Datadog"),
            f"Datadog at {here.intake.url} answered 200 text/html, which is not its "
            'acknowledgement: "<html>Please log in</html>": check the proxy and DD_URL',
        )
    ]
    assert ended.code == 75


def test_a_point_that_is_not_taken() -> None:
    with world() as here:
        here.intake.server.misbehave(None, Fault(response=Response(404, b"{}")))
        ended = here.doctor("--push")

    assert lines(ended) == [
        line(
            *("broken", "Datadog point"),
            f"Datadog has no metrics intake (404) at {here.intake.url}: "
            "check that DD_URL is the intake of your organisation",
        )
    ]
    assert ended.code == 78


def test_the_worst_of_both_ends_is_the_exit_code() -> None:
    with world() as here:
        ended = here.doctor(WANDB_BASE_URL=NOWHERE, datadog_key=OTHER_KEY)

    assert steps(ended, "broken") == ["W&B server", "Datadog"]
    assert ended.code == 77  # refused is more permanent than 75


# OTLP and Prometheus, where they are configured


@pytest.mark.parametrize("push", [(), ("--push",)])
def test_an_otlp_receiver_and_a_textfile_that_work(push: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "runmetrics.prom"
    accepted = Response(200, b"", content_type="application/x-protobuf")
    with world() as here, LoopbackServer(lambda _request: accepted) as receiver:
        ended = here.doctor(
            *push,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            RUNMETRICS_PROMETHEUS_TEXTFILE=str(file),
        )

    points = [line("ok", "OTLP point", "runmetrics.doctor was accepted")] * len(push)
    assert ended.out.splitlines()[-2 - len(push) :] == [
        line("ok", "OTLP receiver", f"{receiver.url} answers as one"),
        *points,
        line("ok", "Prometheus file", f"{file} can be written"),
    ]
    assert ended.code == 0
    assert [request.path for request in receiver.requests] == ["/v1/metrics"] * (1 + len(push))
    assert [b"runmetrics.doctor" in each.body for each in receiver.requests] == [
        *[False],
        *[True] * len(push),
    ]
    assert list(tmp_path.glob("*.prom")) == []  # what is served is left alone


def test_a_textfile_whose_directory_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "nonesuch" / "runmetrics.prom"
    with world() as here:
        ended = here.doctor(RUNMETRICS_PROMETHEUS_TEXTFILE=str(file))

    assert lines(ended) == [
        line(
            *("broken", "Prometheus file"),
            f"the textfile {file} cannot be written (No such file or directory): "
            "RUNMETRICS_PROMETHEUS_TEXTFILE must name a file in a directory that is there and "
            "writable",
        )
    ]
    assert ended.code == 78


def test_an_otlp_receiver_that_nobody_answers_at() -> None:
    with world() as here:
        ended = here.doctor(OTEL_EXPORTER_OTLP_ENDPOINT=NOWHERE)

    assert lines(ended) == [
        line(
            *("broken", "OTLP receiver"),
            "the OTLP receiver at http://127.0.0.1:9/v1/metrics did not answer: "
            "the connection is refused: check OTEL_EXPORTER_OTLP_ENDPOINT, the network policy and "
            "the proxy settings",
        )
    ]
    assert ended.code == 75


def test_datadog_may_go_without_a_key_where_another_sink_is_configured(tmp_path: Path) -> None:
    with world() as here:
        file = str(tmp_path / "runmetrics.prom")
        ended = here.doctor(datadog_key=None, RUNMETRICS_PROMETHEUS_TEXTFILE=file)

    assert steps(ended, "not asked") == ["AWS identity", "Datadog key", "Datadog"]
    assert ended.code == 0


# Tags and spool


def test_a_tag_that_datadog_keeps_otherwise_is_said_with_what_was_meant() -> None:
    with world() as here:
        ended = here.doctor(DD_TAGS="team=ml,Region:eu west!")

    assert lines(ended) == [
        line(
            *("warning", "Datadog tags"),
            '"team=ml" of DD_TAGS is sent as "team_ml": did you mean team:ml?',
        ),
        line("warning", "Datadog tags", '"west!" of DD_TAGS is sent as "west": write it so'),
    ]


def test_tags_that_are_kept_are_shown() -> None:
    with world() as here:
        ended = here.doctor(DD_TAGS="team:ml,Region:EU")

    assert line("ok", "Datadog tags", "team:ml, region:eu") in ended.out.splitlines()


def test_a_spool_is_opened_as_a_run_opens_it(tmp_path: Path) -> None:
    with world() as here:
        ended = here.doctor(RUNMETRICS_SPOOL_DIR=str(tmp_path / "spool"))

    assert line("ok", "spool", f"{tmp_path}/spool can be used") in ended.out.splitlines()


def test_a_spool_that_cannot_be_used_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with world() as here:
        ended = here.doctor(RUNMETRICS_SPOOL_DIR=str(tmp_path / "file"))

    (warned,) = lines(ended)
    assert warned.startswith(line("warning", "spool", f"cannot use the spool {tmp_path}/file ("))
    assert warned.endswith("or run without --spool and RUNMETRICS_SPOOL_DIR")


def test_the_sandboxs_key_hides_no_word() -> None:
    with WandbSandbox() as wandb, DatadogIntake() as intake:
        wandb.store.project("sandbox", "p")
        environment = {"DD_URL": intake.url, "DD_API_KEY": INTAKE_KEY, "WANDB_ENTITY": "sandbox"}
        ended = command("doctor", sandbox=wandb, **environment)

    account = line("ok", "W&B account", "sandbox, whose entities are sandbox")
    assert account in ended.out.splitlines()

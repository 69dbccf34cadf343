"""The doctor names the cause where the near end is broken: the key, the server, the clocks."""

import time
from pathlib import Path

import pytest

from runmetrics.sandbox.http import Fault, Response
from runmetrics.sandbox.quirks import Quirks
from tests.cli.child import Child, surroundings

from .case import DATADOG_KEY, NOWHERE, OF_PROJECTS, OTHER_KEY, line, lines, port_of, steps, world


def test_a_healthy_set_up_is_all_ok() -> None:
    with world() as here:
        ended = here.doctor("--push")

    assert ended.out.splitlines() == [
        line("ok", "configuration", "no file, the 10 built-in metrics"),
        line("ok", "W&B key", "from WANDB_API_KEY"),
        line("ok", "W&B server", f"{here.wandb.url} answers"),
        line("ok", "clocks", "this machine's and W&B's differ by less than a minute"),
        line("ok", "W&B account", "ada, whose entities are ada, e, acme"),
        line("ok", "server fields", "the server has every field that is read"),
        line("ok", "project", "e/p can be read"),
        line(
            *("ok", "runs"),
            "2 runs, 2 of the week, 1 of them running; "
            "the last sign of life was 1 hour ago, of run done",
        ),
        line("ok", "accuracy", "2 of 2 runs of the week have a number under 'accuracy'"),
        line("ok", "loss", "2 of 2 runs of the week have a number under 'loss'"),
        line("ok", "GPU count", "2 of 2 runs of the week say how many GPUs they have"),
        line("ok", "GPU utilization", "2 of 2 runs of the week report it"),
        line("ok", "collecting", "10 of 10 metrics have a value"),
        line("ok", "Datadog key", "from DD_API_KEY"),
        line("ok", "Datadog", f"{here.intake.url} accepts the key"),
        line("ok", "Datadog point", "runmetrics.doctor was accepted"),
    ]
    assert ended.code == 0
    assert ended.err == ""
    (point,) = here.intake.points
    assert (point.name, point.value) == ("runmetrics.doctor", 1.0)


def test_without_push_nothing_is_sent() -> None:
    with world() as here:
        assert here.doctor().code == 0

    assert here.intake.points == []
    assert [request.path for request in here.intake.server.requests] == ["/api/v1/validate"]


def test_json_holds_every_finding_and_the_exit_code() -> None:
    with world() as here:
        whole = here.doctor("--json", WANDB_PROJECT="pp")

    assert (whole.code, whole.json["schema"], whole.json["exit_code"]) == (78, 1, 78)
    (wrong,) = [each for each in whole.json["findings"] if each["verdict"] == "broken"]
    assert wrong == {
        "step": "project",
        "verdict": "broken",
        "says": "W&B has no project e/pp, or this key has no access to it",
        "fix": "check WANDB_PROJECT; did you mean p?",
        "exit_code": 78,
    }


# Keys


def test_no_key_anywhere() -> None:
    with world() as here:
        environment = surroundings("", None, WANDB_API_KEY="", WANDB_BASE_URL=here.wandb.url)
        datadog = {"DD_API_KEY": DATADOG_KEY, "DD_URL": here.intake.url}
        entry = ("-m", "runmetrics")
        ended = Child([], environment | datadog, entry=entry, collector=("doctor",)).end()

    found = [each for each in ended.out.splitlines() if not each.startswith("ok")]
    assert found[:2] == [
        line("not asked", "AWS identity", "no AWS credentials here"),
        line(
            *("broken", "W&B key"),
            "no W&B API key found (WANDB_API_KEY: is not set; WANDB_API_KEY_FILE: is not set; "
            "AWS secret wandb/api-key: no AWS credentials; wandb login: no key recorded for "
            f"{here.wandb.url}): set WANDB_API_KEY, or store the key as the AWS secret "
            "wandb/api-key, or run `wandb login`",
        ),
    ]
    assert all(each.endswith("  first fix: W&B key") for each in found[2:])
    assert len(found[2:]) == 3 + len(OF_PROJECTS)
    assert ended.code == 78
    assert here.wandb.documents == []


def test_a_key_that_w_and_b_does_not_know() -> None:
    with world() as here:
        ended = here.doctor(WANDB_API_KEY=OTHER_KEY)

    url = here.wandb.url
    assert lines(ended) == [
        line(
            *("broken", "W&B account"),
            f"W&B at {url} refused the API key (it knows nobody by that key) from WANDB_API_KEY: "
            f"make a new one at {url}/authorize and put it in the same place",
        )
    ]
    assert steps(ended, "not asked") == OF_PROJECTS
    assert ended.code == 77


def test_a_key_that_is_refused_with_401() -> None:
    with world() as here:
        here.wandb.server.fault_for = lambda _request: Fault(response=Response(401))
        ended = here.doctor()

    url = here.wandb.url
    assert lines(ended) == [
        line(
            *("broken", "W&B account"),
            f"W&B at {url} refused the API key (401) from WANDB_API_KEY: "
            f"make a new one at {url}/authorize and put it in the same place",
        )
    ]
    assert steps(ended, "not asked") == ["clocks", *OF_PROJECTS]
    assert ended.code == 77


def test_a_refused_key_is_a_warning_where_the_project_is_public() -> None:
    with world() as here:
        here.wandb.store.project("e", "p").public = True
        ended = here.doctor(WANDB_API_KEY=OTHER_KEY)

    assert lines(ended) == [
        line(
            *("warning", "W&B account"),
            "W&B does not accept the API key, but e/p is public and was read without it: "
            f"renew the key at {here.wandb.url}/authorize",
        )
    ]
    assert ended.code == 0


# The server


def test_a_host_that_nobody_answers_at() -> None:
    with world() as here:
        ended = here.doctor(WANDB_BASE_URL=NOWHERE)

    assert lines(ended) == [
        line(
            *("broken", "W&B server"),
            "W&B at http://127.0.0.1:9 cannot be reached, the connection is refused (2 tries): "
            "check WANDB_BASE_URL, the network policy and the proxy settings",
        )
    ]
    assert steps(ended, "not asked") == ["clocks", "W&B account", *OF_PROJECTS]
    assert steps(ended, "ok")[-2:] == ["Datadog key", "Datadog"]  # they do not depend on it
    assert ended.code == 75


def test_a_host_that_does_not_speak_tls() -> None:
    with world() as here:
        url = f"https://127.0.0.1:{port_of(here.wandb)}"
        ended = here.doctor(WANDB_BASE_URL=url)

    assert lines(ended) == [
        line(
            *("broken", "W&B server"),
            f"W&B at {url} cannot be reached, it does not speak TLS as we do (2 tries): "
            "check WANDB_BASE_URL and what stands between it and us (a proxy, a login page)",
        )
    ]
    assert ended.code == 75


def test_a_proxy_that_answers_with_its_login_page() -> None:
    page = Response(200, b"<html>Please log in</html>", content_type="text/html")
    with world() as here:
        here.wandb.server.fault_for = lambda _request: Fault(response=page)
        ended = here.doctor()

    assert lines(ended) == [
        line(
            *("broken", "W&B server"),
            f"W&B at {here.wandb.url} answered with text/html that is not from W&B, "
            '"<html>Please log in</html>" (2 tries): '
            "check WANDB_BASE_URL and what stands between it and us (a proxy, a login page)",
        )
    ]
    assert ended.code == 75


def test_a_server_that_fails() -> None:
    with world() as here:
        here.wandb.server.fault_for = lambda _request: Fault(response=Response(500))
        ended = here.doctor()

    assert lines(ended) == [
        line(
            *("broken", "W&B server"),
            f"W&B at {here.wandb.url} answered 500 (2 tries): "
            "see https://status.wandb.com or your own server's log; the next run may pass",
        )
    ]
    assert ended.code == 75


def test_a_server_that_never_answers_is_given_up_within_the_deadline(tmp_path: Path) -> None:
    file = tmp_path / "short.yaml"
    file.write_text("timeout_seconds: 2\n")
    with world() as here:
        here.wandb.server.fault_for = lambda _request: Fault(silent=True)
        began = time.monotonic()
        ended = here.doctor("--config", file)
        assert time.monotonic() - began < 28  # a request alone may take 30 s

    assert lines(ended) == [
        line(
            *("broken", "W&B server"),
            f"the time for reading W&B at {here.wandb.url} is over: "
            "raise --timeout, or ask for less",
        )
    ]
    assert ended.code == 75


def test_a_server_without_a_viewer_does_not_say_whose_the_key_is() -> None:
    with world(quirks=Quirks(unknown_fields={"viewer"})) as here:
        ended = here.doctor()

    assert line(
        "warning", "W&B account", "this W&B server does not say whose the API key is"
    ) in lines(ended)
    assert ended.code == 0


def test_an_old_server_says_which_fields_it_lacks_and_what_is_done_instead() -> None:
    with world(quirks=Quirks(unknown_fields={"runInfo", "teams", "computeSeconds"})) as here:
        ended = here.doctor()

    assert lines(ended) == [
        line(
            *("warning", "server fields"),
            "this W&B server has no field 'computeSeconds': durations come from the runs' times, "
            "idle gaps of resumed runs included",
        ),
        line(
            *("warning", "server fields"),
            "this W&B server has no field 'runInfo': "
            "GPU counts come from the runs' config and system metrics",
        ),
    ]
    assert line("ok", "W&B account", "ada, whose entities are ada") in ended.out.splitlines()
    assert ended.code == 0


@pytest.mark.parametrize("offset_seconds", [-3600, 3600])
def test_a_clock_that_is_off_by_an_hour_loses_points(offset_seconds: int) -> None:
    with world(clock_offset_seconds=offset_seconds) as here:
        ended = here.doctor()

    (found,) = lines(ended, "broken")
    assert found in [
        line(
            *("broken", "clocks"),
            f"the clocks of this machine and of W&B differ by {seconds} s, so windows follow "
            "W&B's; Datadog drops points so far off without a word: "
            "fix the time synchronisation of this machine",
        )
        for seconds in range(3598, 3603)
    ]
    assert ended.code == 78


def test_a_clock_that_is_off_by_minutes_is_a_warning() -> None:
    with world(clock_offset_seconds=240.5) as here:
        ended = here.doctor()

    (found,) = lines(ended)
    assert found in [
        line(
            *("warning", "clocks"),
            f"the clocks of this machine and of W&B differ by {seconds} s, so windows follow "
            "W&B's: fix the time synchronisation of this machine",
        )
        for seconds in (239, 240, 241)
    ]
    assert ended.code == 0


def test_a_doctor_that_is_stopped_says_what_it_found_so_far() -> None:
    with world() as here:
        here.wandb.server.fault_for = lambda _request: Fault(silent=True)
        environment = surroundings(here.wandb, None, WANDB_API_KEY=OTHER_KEY)
        datadog = {"DD_API_KEY": DATADOG_KEY, "DD_URL": here.intake.url}
        entry = ("-m", "runmetrics")
        child = Child([], environment | datadog, entry=entry, collector=("doctor",))
        child.terminate_when(lambda: bool(here.wandb.server.requests))
        ended = child.end()

    assert ended.code == 143
    assert line("ok", "W&B key", "from WANDB_API_KEY") in ended.out.splitlines()


def test_from_80_percent_of_the_bound_on_series_on_it_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "bound.yaml"
    said = {}
    with world() as here:
        for most in (13, 12):
            file.write_text(f"max_series_total: {most}\n")
            said[most] = lines(here.doctor("--config", file), "warning")

    assert said[13] == []
    assert said[12] == [
        line(
            *("warning", "collecting"),
            "10 series of at most 12, 1 of them wandb.runs.active: raise max_series_total, or "
            "lower max_series, before metrics are no longer split",
        )
    ]

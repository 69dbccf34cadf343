"""What goes wrong between us and W&B, as a user sees it (rows W2 to W25, D18)."""

import gzip
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from runmetrics.sandbox.http import Fault, Request, Response
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.quirks import ALWAYS, Quirks
from runmetrics.sandbox.store import Store, StoredRun
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.cli.child import WANDB_KEY, delivered, run
from tests.cli.conftest import VALUES


def answer(status: int, body: str = "{}", kind: str = "application/json", **headers: str) -> Fault:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(response=Response(status, body.encode(), named, kind))


def only_for(project: str, fault: Fault) -> Callable[[Request], Fault | None]:
    def choose(request: Request) -> Fault | None:
        asked = json.loads(request.body)["variables"].get("project")
        return fault if asked == project else None

    return choose


def test_w2_a_project_that_is_forbidden_leaves_the_others_delivered(
    wandb: WandbSandbox, intake: DatadogIntake, store: Store
) -> None:
    store.project("e", "vault")
    denied = answer(403, '{"errors": [{"message": "permission denied"}]}')
    wandb.server.fault_for = only_for("vault", denied)

    ended = run("--push", wandb=wandb, intake=intake, RUNMETRICS_PROJECTS="e/vault,e/p,e/absent")

    assert ended.code == 76
    assert delivered(intake) == VALUES
    assert ended.said() == [
        (
            f"e/vault: W&B at {wandb.url} denied access to the API key from WANDB_API_KEY "
            '(403, "permission denied"): let its account read the entity and the project'
        ),
        (
            "e/absent: W&B has no project e/absent, or this key has no access to it: "
            "check RUNMETRICS_PROJECTS; e has p, vault"
        ),
    ]
    assert re.search(r"runs.total e/vault +unknown ", ended.out)


def test_w3_w4_w5_w9_what_passes_is_waited_for_and_the_numbers_are_whole(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.server.misbehave(answer(429, Retry_After="NaN"), answer(503), Fault(truncate=True))
    wandb.server.misbehave(answer(429, RateLimit_Reset="0.2"))

    ended = run("--push", wandb=wandb, intake=intake)

    assert (ended.code, delivered(intake)) == (0, VALUES)
    assert [re.sub("; trying again in .*", "", line) for line in ended.said("info")] == [
        f"W&B at {wandb.url} limits the rate of requests, 429",
        f"W&B at {wandb.url} answered 503",
        f"W&B at {wandb.url} broke off its answer",
        f"W&B at {wandb.url} limits the rate of requests, 429",
    ]
    assert len(wandb.server.requests) == 4 + 2


@pytest.mark.parametrize(
    ("fault", "code", "requests", "message"),
    [
        pytest.param(
            answer(429, Retry_After="3600"),
            *(75, 1),
            "limits the rate of requests, 429, and asks to wait 3600 s, but N s are left: "
            "run less often, or read fewer projects with this key",
            id="w3",
        ),
        pytest.param(
            answer(200, f"<html>Sign in {WANDB_KEY}</html>", "text/html"),
            *(75, 3),
            'answered with text/html that is not from W&B, "<html>Sign in ***</html>" (3 tries): '
            "check WANDB_BASE_URL and what stands between it and us (a proxy, a login page)",
            id="w10",
        ),
        pytest.param(
            answer(200, '{"data": null, "errors": [{"message": "user not logged in"}]}'),
            *(77, 1),
            'refused the API key ("user not logged in") from WANDB_API_KEY: make a new one at '
            "URL/authorize and put it in the same place",
            id="w1-errors",
        ),
        pytest.param(
            answer(401, f'{{"error": "no {WANDB_KEY}"}}'),
            *(77, 1),
            "refused the API key (401) from WANDB_API_KEY: make a new one at "
            "URL/authorize and put it in the same place",
            id="w1-401",
        ),
    ],
)
def test_what_cannot_be_read_at_all_is_said_in_one_line_and_nothing_is_sent(
    wandb: WandbSandbox,
    intake: DatadogIntake,
    fault: Fault,
    code: int,
    requests: int,
    message: str,
) -> None:
    wandb.server.fault_for = lambda _request: fault

    ended = run(wandb=wandb, intake=intake)

    assert (ended.code, ended.out) == (code, "")
    said = [re.sub(r"but \d+ s are left", "but N s are left", line) for line in ended.said()]
    assert said == [f"W&B at {wandb.url} {message.replace('URL/', f'{wandb.url}/')}"]
    assert len(wandb.server.requests) == requests
    assert intake.server.requests == []


def test_w22_a_redirect_is_not_followed(wandb: WandbSandbox, intake: DatadogIntake) -> None:
    wandb.server.misbehave(answer(307, Location=f"{intake.url}/graphql"))

    ended = run(wandb=wandb, intake=intake)

    assert ended.code == 78
    assert ended.said() == [
        (
            f"W&B at {wandb.url} redirects (307) to {intake.url}, which does not get the key: "
            "set WANDB_BASE_URL to the address of the server itself"
        )
    ]
    assert intake.server.requests == []


def test_w23_a_body_over_the_cap_is_given_up_and_smaller_documents_are_asked(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.server.misbehave(answer(200, " " * (33 * 1024 * 1024)))

    ended = run("--push", "--timeout", "300", wandb=wandb, intake=intake)

    assert (ended.code, delivered(intake)) == (0, VALUES)
    assert ended.peak_kib < 150 * 1024


def test_w32_a_bomb_for_every_answer_takes_little_memory(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    refuse = Fault(response=Response(200, bomb, {"Content-Encoding": "gzip"}))
    wandb.server.fault_for = lambda _request: refuse

    ended = run(wandb=wandb, intake=intake)

    assert ended.code == 75
    assert len(wandb.server.requests) == 2
    assert 0 < ended.peak_kib < 200 * 1024


def test_w32_a_thousand_summaries_of_60_kb_take_little_memory() -> None:
    store, now, text = Store(), datetime.now(UTC), "0123456789abcdef" * 3_750
    for number in range(1_000):
        beat = now - timedelta(minutes=1 + number)
        summary = {"accuracy": text, "loss": 0.25}
        store.add("e", "p", StoredRun(f"r{number}", "finished", beat, beat, summary))
    with WandbSandbox(store=store, keys=frozenset({WANDB_KEY})) as wandb:
        ended = run("--json", "--timeout", "300", wandb=wandb)

    assert ended.code == 0
    assert ended.values["wandb.metrics.latest_loss"] == 0.25
    assert ended.values["wandb.runs.completed_7d"] == 1_000
    assert "wandb.metrics.best_accuracy" not in ended.values
    assert 0 < ended.peak_kib < 200 * 1024


def test_w11_an_alias_that_failed_is_asked_for_alone_and_then_unknown(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.quirks = Quirks(
        unreadable=frozenset({("solo", "systemMetrics")}), unreadable_answer="errors"
    )

    ended = run("--push", "--json", wandb=wandb, intake=intake)

    assert ended.code == 76
    assert ended.unknown == {
        "wandb.training.gpu_utilization_avg",
        "wandb.training.total_gpu_hours_7d",  # the samples may show a second node
    }
    assert delivered(intake) == {name: VALUES[name] for name in VALUES if name not in ended.unknown}


def test_w14_empty_pages_that_promise_more_make_what_needs_them_unknown(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.quirks = Quirks(empty_pages=ALWAYS)

    ended = run("--push", wandb=wandb, intake=intake)

    assert ended.code == 75  # counts too: no run could be read that bears them out
    (said,) = ended.said()
    assert said.startswith("W&B sends an empty page of runs and says that more follow")
    assert delivered(intake) == {}
    assert len(wandb.documents) < 12


def test_w13_cursors_that_repeat_end_and_give_no_wrong_number(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.page_cap = 2
    wandb.quirks = Quirks(repeated_cursor="same")

    ended = run("--push", wandb=wandb, intake=intake)

    assert ended.code in (0, 76)
    assert delivered(intake).items() <= VALUES.items()
    assert len(wandb.documents) < 12


def test_w24_an_old_server_is_done_without_and_it_is_said(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.quirks = Quirks(unknown_fields=frozenset({"runInfo"}))

    ended = run("--push", wandb=wandb, intake=intake)

    assert ended.code == 0
    assert delivered(intake) == {**VALUES, "wandb.training.total_gpu_hours_7d": 2 * 2 + 4 + 1 + 1}
    assert ended.said("warning") == [
        (
            "this W&B server has no field 'runInfo': "
            "GPU counts come from the runs' config and system metrics"
        )
    ]


def test_w20_a_clock_that_is_off_is_said_and_the_points_carry_the_local_time(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    wandb.clock_offset_seconds = 3600.0

    ended = run("--push", wandb=wandb, intake=intake)

    assert ended.code == 0
    (warning,) = ended.said("warning")
    assert re.fullmatch(
        r"the clocks of this machine and of W&B differ by 3(599|600|601) s, so windows follow "
        r"W&B's: fix the time synchronisation of this machine",
        warning,
    )
    assert delivered(intake) == VALUES
    assert intake.late == []


def test_d9_datadog_that_is_down_is_75_and_the_numbers_are_still_printed(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    intake.server.fault_for = lambda _request: answer(503, Retry_After="3600")

    ended = run("--push", "--json", wandb=wandb, intake=intake)

    assert (ended.code, ended.values) == (75, VALUES)
    assert ended.said() == [
        f"Datadog is unavailable (503) at {intake.url}: the next run tries again"
    ]
    assert len(intake.server.requests) == 1

"""What a user gets: results on stdout, logs on stderr, points at Datadog."""

import re

from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.store import Store, StoredRun
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.cli.child import MODULE, SCRIPT, WANDB_BASIC, WANDB_KEY, addresses, delivered, run
from tests.cli.conftest import TEN, VALUES


def test_a_dry_run_prints_the_ten_says_so_and_contacts_nobody_but_wandb(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    ended = run(wandb=wandb, intake=intake)

    assert (ended.code, ended.err) == (0, "")
    for name, (_, _, shown) in TEN.items():
        assert re.search(rf"^  {re.escape(name)} +{re.escape(shown)}  ", ended.out, re.MULTILINE)
    assert "run past" in next(line for line in ended.out.splitlines() if "best_acc" in line)
    assert ended.out.splitlines()[-1] == "dry run: nothing was sent; --push delivers"
    assert intake.server.requests == []
    assert ended.contacts == addresses(wandb)


def test_push_delivers_the_ten_with_units_and_tags_in_one_post_and_says_so(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    ended = run("--push", wandb=wandb, intake=intake, DD_ENV="prod", DD_TAGS="team:rl")

    assert (ended.code, ended.err) == (0, "")
    assert re.search(
        r"^datadog accepted 10 of 10 samples and 15 about this run \(1 request, \d+ bytes\)$",
        ended.out,
        re.MULTILINE,
    )
    assert "dry run" not in ended.out
    assert delivered(intake) == VALUES
    ten = [point for point in intake.points if point.name in TEN]
    assert {point.name: point.unit for point in ten} == {
        name: unit for name, (_, unit, _) in TEN.items()
    }
    assert {point.tags for point in ten} == {
        ("collector:wandb", "env:prod", "team:rl", "wandb_entity:e", "wandb_project:p")
    }
    assert [post.status for post in intake.posts] == [202]
    assert ended.contacts == addresses(wandb, intake)
    sent = "".join(f"{each.headers} {each.body!r}" for each in intake.server.requests)
    assert WANDB_KEY not in sent
    assert WANDB_BASIC not in sent


def test_json_has_a_stable_shape_and_is_all_that_stdout_holds(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    ended = run("--push", "--json", wandb=wandb, intake=intake)

    report = ended.report
    assert list(report) == [
        *("schema", "collector", "time", "dry_run", "exit_code", "seconds"),
        *("samples", "missing", "problems", "notices", "datadog_tags", "about_itself"),
        *("deliveries", "cost"),
    ]
    assert (report["schema"], report["dry_run"], report["exit_code"]) == (1, False, 0)
    assert ended.values == VALUES
    best = next(each for each in report["samples"] if each["name"].endswith("best_accuracy"))
    assert best == {
        "name": "wandb.metrics.best_accuracy",
        "value": 0.9,
        "unit": "",
        "tags": {"wandb_entity": "e", "wandb_project": "p", "collector": "wandb"},
        "time": report["time"],
        "runs": 1,
        "run": {"id": "past", "display_name": "past", "url": f"{wandb.url}/e/p/runs/past"},
        "note": "",
    }
    (delivery,) = report["deliveries"]
    assert list(delivery) == [
        *("sink", "given", "accepted", "dropped", "spooled", "lost"),
        *("error", "exit_code", "requests", "bytes_sent", "notices"),
    ]
    assert (delivery["sink"], delivery["accepted"], delivery["exit_code"]) == ("datadog", 25, 0)
    assert delivery["given"] == len(report["samples"]) + len(report["about_itself"]) == 25
    assert set(report["cost"]) == {"requests", "bytes_received", "bytes_decoded", "runs_read"}
    assert report["cost"]["requests"] == len(wandb.documents) == 2


def test_the_script_and_the_module_are_one_and_the_same(wandb: WandbSandbox) -> None:
    script = run("--json", wandb=wandb, entry=SCRIPT)
    module = run("--json", wandb=wandb, entry=MODULE)

    assert script.code == module.code == 0
    assert script.values == module.values == VALUES


def test_nothing_to_average_is_no_data_and_no_error(wandb: WandbSandbox, store: Store) -> None:
    store.project("e", "empty")

    ended = run("--json", wandb=wandb, WANDB_PROJECT="empty")

    assert (ended.code, ended.err) == (0, "")
    assert set(ended.values.values()) == {0.0}
    assert {each["name"]: each["why"] for each in ended.report["missing"]} == {
        "wandb.metrics.best_accuracy": "no run has a number under 'accuracy'",
        "wandb.metrics.latest_loss": "no run with a heartbeat has a number under 'loss'",
        "wandb.metrics.avg_accuracy_7d": "no finished runs in the window",
        "wandb.training.avg_duration_hours": "no finished runs in the window",
        "wandb.training.gpu_utilization_avg": "no runs in the window",
    }


def test_w21_names_that_steer_terminals_or_have_no_encoding_do_no_harm(
    wandb: WandbSandbox, store: Store
) -> None:
    best = store.run("e", "p", "past")
    best.display_name = "\x1b[31mred\x9b1m [bold]\nnew\ud800 \N{ROCKET}"

    table = run(wandb=wandb)
    ascii_only = run("--json", wandb=wandb, PYTHONIOENCODING="ascii")

    assert "run  [31mred 1m [bold] new? \N{ROCKET} (past)" in table.out
    assert "\x1b" not in table.out
    assert (table.code, ascii_only.code, ascii_only.values) == (0, 0, VALUES)


def test_verbose_logs_what_is_done_and_never_a_header(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    ended = run("--push", "--verbose", wandb=wandb, intake=intake)

    assert ended.code == 0
    assert ended.said("debug")
    assert "authorization" not in ended.err.lower()
    assert "dd-api-key" not in ended.err.lower()


def test_several_projects_are_delivered_side_by_side(
    wandb: WandbSandbox, intake: DatadogIntake, store: Store
) -> None:
    store.add("e", "q", StoredRun("a", "running"))

    ended = run("--push", wandb=wandb, intake=intake, RUNMETRICS_PROJECTS="e/p,e/q")

    assert ended.code == 0
    totals = {point.tags: point.value for point in intake.points if point.name.endswith("total")}
    assert totals == {
        ("collector:wandb", "wandb_entity:e", "wandb_project:p"): 5,
        ("collector:wandb", "wandb_entity:e", "wandb_project:q"): 1,
    }

"""Pushing dashboards, monitors and metadata: found again, compared, created or updated."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from runmetrics.assets import Kind, find
from runmetrics.assets.account import Account
from runmetrics.assets.alerts import shipped
from runmetrics.assets.push import Dashboards, push
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.errors import CredentialRefused, RunmetricsError, TemporaryError
from runmetrics.sandbox.http import Fault, Response
from runmetrics.sinks.batches import RetryPolicy
from tests.assets.conftest import API_KEY, APP_KEY, Datadog, compiled
from tests.cli.metrics.case import command

(BOARD,) = find(Kind.DASHBOARD)
MONITORS = compiled().wanted
TITLES = [asset.title for asset in MONITORS]
ALL_PACKS = "packs: [health, gpu, throughput, gpu_hours]\n"
QUICK = RetryPolicy(tries=3, first_seconds=0.001, most_seconds=0.002, request_seconds=0.3)
SMALL = dataclasses.replace(BOARD, document={**BOARD.document, "widgets": []})


def kept(document: dict[str, Any]) -> dict[str, Any]:
    """What Datadog keeps, without what it adds."""
    return {key: value for key, value in document.items() if key not in ("id", "url", "multi")}


def done(out: str) -> list[str]:
    """The lines that say what was done; not those about what was left out."""
    return [line for line in out.splitlines() if not line.startswith("left out")]


def written(directory: Path, text: str = "") -> Path:
    """A configuration file with all packs."""
    path = directory / "mine.yaml"
    path.write_text(ALL_PACKS + text)
    return path


def edited(directory: Path, kind: Kind, name: str, *changes: tuple[str, str]) -> Path:
    """Export, and change a file's text."""
    noun = {Kind.DASHBOARD: "dashboards", Kind.MONITOR: "monitors", Kind.SLO: "slos"}[kind]
    assert command(noun, "export", directory).code == 0
    path = directory / kind / name
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return directory


def dashboards(
    organisation: Datadog, seconds: float = 20, policy: RetryPolicy = QUICK
) -> Dashboards:
    settings = Settings(
        dd_api_key=SecretStr(API_KEY),
        dd_app_key=SecretStr(APP_KEY),
        dd_url=organisation.intake.url,
    )
    return Dashboards(Account(settings, Deadline(seconds), policy))


def pushed(organisation: Datadog, seconds: float = 20, policy: RetryPolicy = QUICK) -> list[str]:
    shelf = dashboards(organisation, seconds, policy)
    return [one.verdict for one in push(shelf, [SMALL], dry_run=False)]


# lists and files


def test_what_is_shipped_is_listed() -> None:
    assert command("dashboards", "list").out.splitlines() == [
        "datadog/dashboards/wandb.json                 W&B training runs",
        "grafana/wandb.json                            W&B training runs",
    ]
    assert command("slos", "list").out.split("  ")[0] == "datadog/slos/numbers_are_fresh.json"
    listed = command("monitors", "list").out.splitlines()
    names = [line.split()[0] for line in listed if "  needs " not in line]
    assert names == [
        "collector_no_data",
        "collector_remarks",
        "collector_unknowns",
    ]
    assert (
        f"{'silent_runs':44}  needs wandb.health.silent, not collected: "
        "add packs: [health] to the configuration file"
    ) in listed
    assert {line.split()[0] for line in listed} == shipped().keys()


def test_exported_files_are_those_that_are_shipped(tmp_path: Path) -> None:
    ended = command("dashboards", "export", tmp_path)

    assert ended.out.splitlines() == [
        f"{tmp_path}/datadog/dashboards/wandb.json",
        f"{tmp_path}/grafana/wandb.json",
    ]
    assert (tmp_path / "datadog/dashboards/wandb.json").read_text() == BOARD.text


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "datadog").write_text("a file")

    ended = command("monitors", "export", tmp_path)

    path = tmp_path / "datadog/monitors/collector_no_data.json"
    assert (ended.code, ended.errors) == (
        78,
        [f"cannot write {path} (Not a directory): name a directory that is writable"],
    )


def test_a_full_disk_is_temporary(tmp_path: Path) -> None:
    path = tmp_path / "datadog/dashboards/wandb.json"
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")

    ended = command("dashboards", "export", tmp_path)

    assert (ended.code, ended.errors) == (
        75,
        [f"cannot write {path} (No space left on device): make space, or name another directory"],
    )


# dashboards


def test_a_dashboard_is_created_as_it_is_in_the_file(organisation: Datadog) -> None:
    ended = organisation.run("dashboards", "push")

    assert (ended.code, ended.out) == (0, "created  W&B training runs\n")
    (there,) = organisation.intake.assets.dashboards.values()
    assert kept(there) == BOARD.document


def test_pushing_again_changes_nothing(organisation: Datadog) -> None:
    organisation.run("dashboards", "push")
    before = list(organisation.written)

    ended = organisation.run("dashboards", "push")

    assert ended.out == "unchanged  W&B training runs\n"
    assert organisation.written == before


def test_an_edited_dashboard_is_updated_and_the_changes_are_shown(
    organisation: Datadog, tmp_path: Path
) -> None:
    organisation.run("dashboards", "push")
    share = ('"100 * idle / allocated"', '"idle / allocated"')
    mine = edited(tmp_path, Kind.DASHBOARD, "wandb.json", share)

    ended = organisation.run("dashboards", "push", "--from", mine)

    place = "widgets[0].definition.widgets[2].definition.requests[0].formulas[0].formula"
    assert ended.out.splitlines() == [
        "updated  W&B training runs",
        f'    {place}: "100 * idle / allocated" -> "idle / allocated"',
    ]
    (there,) = organisation.intake.assets.dashboards.values()
    assert '"idle / allocated"' in json.dumps(there)
    assert organisation.written == ["POST /api/v1/dashboard", "PUT /api/v1/dashboard/abc-def-000"]


@pytest.mark.parametrize("noun", ["dashboards", "monitors", "slos"])
def test_a_dry_run_writes_nothing(organisation: Datadog, noun: str) -> None:
    ended = organisation.run(noun, "push", "--dry-run")

    assert ended.code == 0
    verdicts = {line.split("  ")[0] for line in ended.out.splitlines()}
    assert verdicts <= {"would be created", "left out"}
    assert organisation.written == []


def test_a_dashboard_is_found_among_hundreds(organisation: Datadog) -> None:
    dashboards = organisation.intake.assets.dashboards
    for index in range(250):
        dashboards[f"other-{index}"] = {"id": f"other-{index}", "title": f"Other {index}"}
    dashboards["ours"] = {**SMALL.document, "id": "ours"}

    assert pushed(organisation) == ["unchanged"]


def test_two_dashboards_of_one_title_are_left_alone(organisation: Datadog) -> None:
    dashboards = organisation.intake.assets.dashboards
    for key in ("a", "b"):
        dashboards[key] = {"id": key, "title": "W&B training runs"}

    ended = organisation.run("dashboards", "push")

    assert (ended.code, ended.errors) == (
        78,
        ["2 dashboards are called 'W&B training runs' (ids a, b): delete all but one of them"],
    )
    assert organisation.written == []


def test_what_the_official_client_does_not_know_is_not_sent(
    organisation: Datadog, tmp_path: Path
) -> None:
    mine = edited(tmp_path, Kind.DASHBOARD, "wandb.json", ('"toplist"', '"top_list"'))

    ended = organisation.run("dashboards", "push", "--from", mine)

    assert (ended.code, ended.errors) == (
        78,
        [
            (
                "Datadog's client does not take datadog/dashboards/wandb.json (something in it"
                " is not known): fix the file, or export the shipped one again"
            )
        ],
    )
    assert organisation.intake.server.requests == []


def test_what_datadog_refuses_is_said_in_its_words(organisation: Datadog, tmp_path: Path) -> None:
    mine = edited(tmp_path, Kind.MONITOR, "collector_unknowns.json", ("} > 0", "} > 60"))

    ended = organisation.run("monitors", "push", "--from", mine)

    assert ended.code == 78
    assert ended.errors == [
        (
            f"Datadog refuses this (400) at {organisation.intake.url}: "
            '"{"errors": ["Alert threshold does not match that used in the query"]}": fix the file'
        )
    ]


# monitors


def test_monitors_are_created_as_they_are_exported(organisation: Datadog, tmp_path: Path) -> None:
    file = written(tmp_path)
    organisation.run("monitors", "export", tmp_path, "--config", file)

    ended = organisation.run("monitors", "push", "--config", file)

    assert done(ended.out) == [f"created  {title}" for title in TITLES]
    there = {one["name"]: kept(one) for one in organisation.intake.assets.monitors.values()}
    exported = [asset.document for asset in find(Kind.MONITOR, tmp_path)]
    assert there == {document["name"]: document for document in exported}


def test_monitors_that_are_as_the_file_says_are_left_alone(
    organisation: Datadog, tmp_path: Path
) -> None:
    file = written(tmp_path)
    organisation.run("monitors", "push", "--config", file)
    before = list(organisation.written)

    ended = organisation.run("monitors", "push", "--config", file)

    assert done(ended.out) == [f"unchanged  {title}" for title in TITLES]
    assert organisation.written == before


def test_one_line_of_the_file_changes_the_threshold_and_the_query(
    organisation: Datadog, tmp_path: Path
) -> None:
    organisation.run("monitors", "push", "--config", written(tmp_path))
    file = written(tmp_path, "monitors: {runs_failing: {threshold: 5}}")

    ended = organisation.run("monitors", "push", "--config", file)

    changed = [line for line in done(ended.out) if not line.startswith("unchanged")]
    assert [line.split(":")[0].strip() for line in changed[1:]] == [
        "query",
        "options.thresholds.critical",
    ]
    assert changed[2] == "    options.thresholds.critical: 3 -> 5"


def test_a_warning_that_the_file_no_longer_gives_is_taken_away(
    organisation: Datadog, tmp_path: Path
) -> None:
    text = "monitors: {{gpus_idle: {{threshold: 60{}}}}}"
    organisation.run("monitors", "push", "--config", written(tmp_path, text.format(", warning: 9")))

    ended = organisation.run("monitors", "push", "--config", written(tmp_path, text.format("")))

    assert "    options.thresholds.warning: 9 -> not set" in ended.out.splitlines()
    thresholds = [
        one["options"]["thresholds"]
        for one in organisation.intake.assets.monitors.values()
        if "monitor:gpus_idle" in one["tags"]
    ]
    assert thresholds == [{"critical": 60, "warning": None}]


def test_a_monitor_that_is_switched_off_is_deleted(organisation: Datadog, tmp_path: Path) -> None:
    organisation.run("monitors", "push", "--config", written(tmp_path))
    file = written(tmp_path, "monitors: {gpus_idle: off}")

    dry = organisation.run("monitors", "push", "--config", file, "--dry-run")
    ended = organisation.run("monitors", "push", "--config", file)
    again = organisation.run("monitors", "push", "--config", file)

    title = next(title for title in TITLES if "GPUs idle" in title)
    assert done(dry.out)[-1] == f"would be deleted  {title}"
    assert done(ended.out)[-1] == f"deleted  {title}"
    assert "deleted" not in again.out
    there = organisation.intake.assets.monitors.values()
    assert [one["name"] for one in there] == [each for each in TITLES if each != title]


def test_a_monitor_whose_metric_is_not_collected_is_left_out_and_said(
    organisation: Datadog,
) -> None:
    ended = organisation.run("monitors", "push")

    assert (
        "left out  nan_loss: needs wandb.health.loss_not_finite_7d, not collected: "
        "add packs: [health] to the configuration file"
    ) in ended.out.splitlines()
    assert "monitor:nan_loss" not in str(organisation.intake.assets.monitors)


def test_each_team_is_told_where_it_listens(organisation: Datadog, tmp_path: Path) -> None:
    told = '{wandb_project: {llm: "@slack-nlp", vision: ["@slack-cv", "@cv"], default: "@ml"}}'
    file = written(tmp_path, f"monitors: {{notify: {told}}}")

    organisation.run("monitors", "push", "--config", file)

    for one in organisation.intake.assets.monitors.values():
        lines = one["message"].split("\n\n")[-1].splitlines()
        if "wandb_project" in one["query"]:
            llm, vision = ('is_exact_match "wandb_project.name" "' + p + '"' for p in PROJECTS)
            end = "{{/is_exact_match}}"
            assert lines == [
                f"{{{{#{llm}}}}}@slack-nlp{end}",
                f"{{{{#{vision}}}}}@slack-cv @cv{end}",
                f"{{{{^{vision}}}}}{{{{^{llm}}}}}@ml{end}{end}",
            ]
        else:
            assert lines == ["@ml"]


PROJECTS = ("llm", "vision")


TEAMS = """
projects:
  - {path: acme/llm, tags: {team: nlp}}
  - {path: acme/*, tags: {team: other, cost_center: "7"}}
monitors:
  notify: {team: {nlp: "@slack-nlp", default: "@slack-ml"}}
"""


def test_alerts_are_split_by_the_tags_of_every_project_and_tell_the_team(
    organisation: Datadog, tmp_path: Path
) -> None:
    organisation.run("monitors", "push", "--config", written(tmp_path, TEAMS))

    idle = next(
        one
        for one in organisation.intake.assets.monitors.values()
        if "monitor:gpus_idle" in one["tags"]
    )
    assert idle["query"].count("{*} by {team,wandb_entity,wandb_project}") == 2
    assert idle["message"].split("\n\n")[-1].splitlines() == [
        '{{#is_exact_match "team.name" "nlp"}}@slack-nlp{{/is_exact_match}}',
        '{{^is_exact_match "team.name" "nlp"}}@slack-ml{{/is_exact_match}}',
    ]


def test_a_tag_that_some_project_lacks_tells_nobody(organisation: Datadog, tmp_path: Path) -> None:
    lacking = TEAMS.replace("tags: {team: other, cost_center: ", "tags: {cost_center: ")

    ended = organisation.run("monitors", "push", "--config", written(tmp_path, lacking))

    assert ended.code == 78
    assert "monitors.notify: not every project has the tag team" in ended.errors[-2]
    assert organisation.written == []


def test_a_renamed_monitor_is_found_by_its_tag(organisation: Datadog, tmp_path: Path) -> None:
    file = written(tmp_path)
    organisation.run("monitors", "push", "--config", file)
    next(iter(organisation.intake.assets.monitors.values()))["name"] = "Hush"

    ended = organisation.run("monitors", "push", "--config", file)

    assert done(ended.out) == [
        f"updated  {TITLES[0]}",
        f'    name: "Hush" -> "{TITLES[0]}"',
        *(f"unchanged  {title}" for title in TITLES[1:]),
    ]
    assert len(organisation.intake.assets.monitors) == len(MONITORS)


def test_the_command_line_says_whom_to_tell_in_place_of_the_file(
    organisation: Datadog, tmp_path: Path
) -> None:
    file = written(tmp_path, 'monitors: {notify: "@file", gpus_idle: {notify: "@own"}}')

    options = ("--notify", "@slack-ml", "--notify", "@pagerduty")
    organisation.run("monitors", "push", "--config", file, *options)

    told = {
        one["tags"][1]: one["message"].split("\n\n")[-1]
        for one in organisation.intake.assets.monitors.values()
    }
    assert told.pop("monitor:gpus_idle") == "@own"
    assert set(told.values()) == {"@slack-ml @pagerduty"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--notify", "slack-ml"], "'slack-ml' does not begin with @: write @slack-ml"),
        (
            ["--notify", "@slack-ml", "--from", "exported"],
            "whom to tell stands in the exported files: write it there, or leave --from out",
        ),
    ],
)
def test_a_handle_begins_with_an_at_sign_and_is_not_for_exported_files(
    organisation: Datadog, arguments: list[str], said: str
) -> None:
    ended = organisation.run("monitors", "push", *arguments)

    assert ended.code == 2
    assert said in ended.err
    assert organisation.intake.server.requests == []


def test_a_file_that_could_not_be_found_again_is_not_pushed(
    organisation: Datadog, tmp_path: Path
) -> None:
    mine = edited(tmp_path, Kind.MONITOR, "collector_no_data.json", ('"monitor:', '"of:'))

    ended = organisation.run("monitors", "push", "--from", mine)

    assert (ended.code, ended.errors) == (
        78,
        [
            (
                "datadog/monitors/collector_no_data.json is not marked as ours: give it the tags"
                " integration:runmetrics and monitor:NAME, by which it is found again"
            )
        ],
    )


# service level objectives


def test_an_slo_is_created_left_alone_and_updated(organisation: Datadog, tmp_path: Path) -> None:
    (slo,) = find(Kind.SLO)
    created = organisation.run("slos", "push")
    again = organisation.run("slos", "push")
    mine = edited(tmp_path, Kind.SLO, "numbers_are_fresh.json", ('"target": 99.0', '"target": 98'))
    updated = organisation.run("slos", "push", "--from", mine)

    assert created.out == f"created  {slo.title}\n"
    assert again.out == f"unchanged  {slo.title}\n"
    assert updated.out.splitlines() == [
        f"updated  {slo.title}",
        "    thresholds[0].target: 99 -> 98",
        "    thresholds[1].target: 99 -> 98",
    ]
    assert [one["thresholds"][0]["target"] for one in organisation.intake.assets.slos.values()] == [
        98
    ]


# metadata


def arrived(organisation: Datadog, *names: str) -> None:
    """Make Datadog know these metrics, as if points of them had come."""
    organisation.intake.assets.has_metric = lambda name: name in names


def test_metadata_is_set_for_metrics_that_arrived(organisation: Datadog) -> None:
    arrived(organisation, "wandb.training.total_gpu_hours_7d", "runmetrics.up")

    ended = organisation.run("metadata", "push")

    lines = ended.out.splitlines()
    assert ended.code == 0
    assert lines[lines.index("updated  wandb.training.total_gpu_hours_7d") :][1:5] == [
        '    type: not set -> "gauge"',
        '    unit: not set -> "hour"',
        '    description: not set -> "GPU hours used in the last 7 days"',
        '    short_name: not set -> "training total gpu hours 7d"',
    ]
    assert "absent  wandb.runs.active" in lines
    assert organisation.intake.assets.metadata.keys() == {
        "wandb.training.total_gpu_hours_7d",
        "runmetrics.up",
    }


def test_metadata_that_is_right_is_left_alone(organisation: Datadog) -> None:
    arrived(organisation, "runmetrics.up")
    organisation.run("metadata", "push")
    before = list(organisation.written)

    ended = organisation.run("metadata", "push")

    assert "unchanged  runmetrics.up" in ended.out
    assert organisation.written == before


def test_a_dry_run_of_metadata_writes_nothing(organisation: Datadog) -> None:
    arrived(organisation, "runmetrics.up")

    ended = organisation.run("metadata", "push", "--dry-run")

    assert "would be updated  runmetrics.up" in ended.out
    assert organisation.written == []


def test_the_metrics_of_ones_own_file_are_described(organisation: Datadog, tmp_path: Path) -> None:
    arrived(organisation, "mine.runs")
    config = tmp_path / "mine.yaml"
    config.write_text("metrics: [{name: mine.runs, unit: run, count: runs, state: failed}]")

    organisation.run("metadata", "push", "--config", config)

    assert organisation.intake.assets.metadata == {
        "mine.runs": {
            "type": "gauge",
            "unit": "run",
            "description": "number of failed runs",
            "short_name": "runs",
        }
    }


# keys and faults


def test_without_an_application_key_it_says_which_variable_to_set(organisation: Datadog) -> None:
    ended = command("dashboards", "push", DD_URL=organisation.intake.url, DD_API_KEY=API_KEY)

    assert (ended.code, ended.errors) == (
        78,
        [
            (
                "no Datadog application key found (DD_APP_KEY: is not set): set DD_APP_KEY to one"
                " that may write dashboards, monitors and metrics metadata"
            )
        ],
    )
    assert organisation.intake.server.requests == []


@pytest.mark.parametrize("variable", ["DD_API_KEY", "DD_APP_KEY"])
def test_a_refused_key_is_said_without_the_key(organisation: Datadog, variable: str) -> None:
    wrong = "wrong-canary-of-no-known-pattern"

    ended = organisation.run("monitors", "push", **{variable: wrong})

    assert wrong not in ended.err
    assert (ended.code, ended.errors) == (
        77,
        [
            (
                f"Datadog refused the keys (403) at {organisation.intake.url}: check that"
                " DD_API_KEY and DD_APP_KEY are of one organisation, that the application key may"
                " write dashboards, monitors and metrics metadata, and that DD_URL is the"
                " intake of your organisation"
            )
        ],
    )
    assert len(organisation.intake.server.requests) == 1


UNAVAILABLE = Fault(Response(503, b"{}"))


def test_reading_is_tried_again_when_datadog_is_unavailable(organisation: Datadog) -> None:
    organisation.intake.server.misbehave(UNAVAILABLE, Fault(reset=True))

    assert pushed(organisation) == ["created"]


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (UNAVAILABLE, "Datadog is unavailable (503)"),
        (Fault(after_handling=True, reset=True), "did not answer"),
    ],
)
def test_creating_is_not_tried_again_as_it_may_have_been_done(
    organisation: Datadog, fault: Fault, cause: str
) -> None:
    organisation.intake.server.misbehave(None, fault)

    with pytest.raises(TemporaryError, match=re.escape(cause)):
        pushed(organisation)
    assert organisation.written == ["POST /api/v1/dashboard"]


def test_what_could_not_be_listed_is_not_taken_for_absent(organisation: Datadog) -> None:
    assert pushed(organisation) == ["created"]
    shelf = dashboards(organisation)
    organisation.intake.server.misbehave(Fault(Response(403, b"{}")))

    with pytest.raises(CredentialRefused):
        shelf.find(SMALL)

    assert shelf.find(SMALL) is not None


def test_creating_is_tried_again_where_it_was_not_taken(organisation: Datadog) -> None:
    organisation.intake.server.misbehave(None, Fault(Response(429, b"{}")))

    assert pushed(organisation) == ["created"]
    assert len(organisation.intake.assets.dashboards) == 1


def test_a_dripping_answer_is_cut(organisation: Datadog) -> None:
    organisation.intake.server.fault_for = lambda _request: Fault(drip_seconds=0.2)

    with pytest.raises(TemporaryError, match=r"no whole answer within 0\.\d+ s"):
        pushed(organisation)


def test_the_deadline_bounds_all_tries(organisation: Datadog) -> None:
    organisation.intake.server.fault_for = lambda _request: Fault(silent=True)

    with pytest.raises(TemporaryError, match="did not answer"):
        pushed(organisation, seconds=0.5, policy=RetryPolicy(request_seconds=10))
    assert len(organisation.intake.server.requests) == 1


@pytest.mark.parametrize(
    ("response", "kind", "words"),
    [
        (Response(401, b"{}"), CredentialRefused, "refused the keys (401)"),
        (Response(302, b"", {"Location": "http://127.0.0.1:9/"}), RunmetricsError, "(302)"),
        (
            Response(200, b"<html>log in</html>", content_type="text/html"),
            RunmetricsError,
            'answered something else: "<html>log in</html>"',
        ),
        (Response(200, b'{"dashboards": 7}'), TemporaryError, "what its client cannot read"),
    ],
)
def test_any_other_answer_ends_it(
    organisation: Datadog, response: Response, kind: type[RunmetricsError], words: str
) -> None:
    organisation.intake.server.misbehave(Fault(response))

    with pytest.raises(kind) as caught:
        pushed(organisation)
    assert words in str(caught.value)
    assert organisation.written == []

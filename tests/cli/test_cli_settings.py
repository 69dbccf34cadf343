"""What a command says of its settings: defaults that decide what is read, misspelt variables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.store import Store
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.cli.metrics.case import Ended, command
from tests.collectors.wandb.collecting import run

BOTH = [
    "WANDB_ENTITY is not set: the default pufferai is read",
    "WANDB_PROJECT is not set: the default metta is read",
]


@pytest.fixture
def sandbox() -> Iterator[WandbSandbox]:
    store = Store()
    store.add("pufferai", "metta", run("a"))
    store.add("acme", "metta", run("b"))
    with WandbSandbox(store=store) as server:
        yield server


@pytest.mark.parametrize("arguments", [("collect", "wandb"), ("explain", "wandb.runs.total")])
def test_what_is_read_by_default_is_said_in_the_log(
    arguments: tuple[str, ...], sandbox: WandbSandbox
) -> None:
    neither = command(*arguments, sandbox=sandbox, WANDB_ENTITY="", WANDB_PROJECT="")
    one = command(*arguments, sandbox=sandbox, WANDB_ENTITY="acme", WANDB_PROJECT="")
    both = command(*arguments, sandbox=sandbox, WANDB_ENTITY="acme", WANDB_PROJECT="metta")

    assert [ended.code for ended in (neither, one, both)] == [0, 0, 0]
    assert neither.errors == BOTH
    assert one.errors == BOTH[1:]
    assert both.errors == []


def test_what_is_read_by_default_is_said_in_table_json_and_plan(sandbox: WandbSandbox) -> None:
    def neither(*arguments: str) -> Ended:
        return command(*arguments, sandbox=sandbox, WANDB_ENTITY="", WANDB_PROJECT="")

    table = neither("collect", "wandb")
    as_json = neither("collect", "wandb", "--json")
    plan = neither("plan")

    assert [line for line in table.out.splitlines() if "default" in line] == BOTH
    assert as_json.json["notices"] == BOTH
    assert plan.errors == BOTH


def test_a_list_of_projects_leaves_no_default(sandbox: WandbSandbox) -> None:
    ended = command(
        *("collect", "wandb"),
        sandbox=sandbox,
        WANDB_ENTITY="",
        WANDB_PROJECT="",
        RUNMETRICS_PROJECTS="acme/metta",
    )
    assert (ended.code, ended.errors) == (0, [])


def test_variables_that_the_projects_of_the_file_beat_are_said(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("projects: [acme/metta]\n")

    beaten = command("metrics", "--config", file, WANDB_ENTITY="", WANDB_PROJECT="other")
    neither = command(
        *("metrics", "--config", file), WANDB_PROJECT="other", RUNMETRICS_PROJECTS="acme/llm"
    )

    said = f"WANDB_PROJECT is not read: projects of {file} beats it"
    assert (beaten.code, beaten.errors) == (0, [said])
    assert (neither.code, neither.errors) == (0, [])


def test_a_file_that_ends_in_yml_is_said_to_be_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runmetrics.yml").write_text("packs: [gpu]\n")

    assert command("metrics").errors == ["runmetrics.yml is not read: rename it to runmetrics.yaml"]
    assert command("metrics", "--config", "runmetrics.yml").errors == []
    Path("runmetrics.yaml").write_text("packs: [gpu]\n")
    assert command("metrics").errors == []


def test_with_wrong_settings_json_is_left_to_the_doctor() -> None:
    wrong = 'DD_SITE: "eu" is not a Datadog site'

    ended = command("collect", "wandb", "--json", DD_SITE="eu")
    found = command("doctor", "--json", DD_SITE="eu").json["findings"]

    assert (ended.code, ended.out) == (78, "")
    assert ended.errors[0].startswith(wrong)
    assert found[0]["says"] == wrong


def test_a_misspelt_variable_is_a_warning_of_every_command() -> None:
    ended = command(
        "metrics", WANDB_ENTITTY="acme", RUNMETRICS_PROJECT="acme/metta", WANDB_ENTITY=""
    )

    assert ended.code == 0
    assert ended.errors == [
        "RUNMETRICS_PROJECT is no setting: did you mean RUNMETRICS_PROJECTS?",
        "WANDB_ENTITTY is not read: did you mean WANDB_ENTITY?",
    ]


def test_two_teams_are_told_apart_in_datadog_and_in_prometheus(
    sandbox: WandbSandbox, tmp_path: Path
) -> None:
    file = tmp_path / "teams.yaml"
    file.write_text(
        "projects:\n"
        "- {path: pufferai/metta, tags: {team: rl}}\n"
        "- {path: acme/*, tags: {team: nlp}}\n"
    )
    textfile = tmp_path / "wandb.prom"
    with DatadogIntake(keys={"datadog-key-of-the-sandbox"}) as intake:
        ended = command(
            *("collect", "wandb", "--push", "--sink", "datadog", "--sink", "prometheus"),
            *("--config", file),
            sandbox=sandbox,
            WANDB_ENTITY="",
            WANDB_PROJECT="",
            DD_URL=intake.url,
            DD_API_KEY="datadog-key-of-the-sandbox",
            RUNMETRICS_PROMETHEUS_TEXTFILE=str(textfile),
        )
    assert (ended.code, ended.errors) == (0, [])

    of_runs = [point for point in intake.points if point.name.startswith("wandb.")]
    teams = [tag for point in of_runs for tag in point.tags if tag.startswith("team:")]
    assert len(of_runs) > 10
    assert len(teams) == len(of_runs)
    totals = {point.tags: point.value for point in of_runs if point.name == "wandb.runs.total"}
    assert {tuple(tag for tag in tags if tag.startswith("team:")) for tags in totals} == {
        ("team:rl",),
        ("team:nlp",),
    }
    series = [line for line in textfile.read_text().splitlines() if line.startswith("wandb_")]
    assert all('team="' in line for line in series)


def test_a_dry_run_shows_the_tags_that_datadog_would_get(sandbox: WandbSandbox) -> None:
    def dry_run(*arguments: str) -> Ended:
        return command(
            *("collect", "wandb", *arguments),
            sandbox=sandbox,
            WANDB_ENTITY="acme",
            WANDB_PROJECT="metta",
            DD_ENV="Prod",
            DD_SERVICE="training",
            DD_VERSION="1.2",
            DD_TAGS="team=ml,tier:1,env:ignored",
        )

    table, as_json = dry_run(), dry_run("--json")

    assert table.out.splitlines()[-1] == (
        "dry run: nothing was sent; --push delivers, to Datadog with the tags "
        "env:prod, service:training, version:1.2, team_ml, tier:1"
    )
    tags = ["env:prod", "service:training", "version:1.2", "team_ml", "tier:1"]
    assert as_json.json["datadog_tags"] == tags
    changed = '"team=ml" of DD_TAGS is sent as "team_ml": did you mean team:ml?'
    assert table.errors == [changed]
    assert as_json.json["notices"] == [changed]


def test_the_tags_of_a_dry_run_are_those_that_are_sent(sandbox: WandbSandbox) -> None:
    with DatadogIntake(keys={"datadog-key-of-the-sandbox"}) as intake:

        def collected(*arguments: str) -> Any:
            return command(
                *("collect", "wandb", "--json", *arguments),
                sandbox=sandbox,
                WANDB_ENTITY="acme",
                WANDB_PROJECT="metta",
                DD_ENV="x",
                DD_TAGS="a:b c=d",
                DD_URL=intake.url,
                DD_API_KEY="datadog-key-of-the-sandbox",
            ).json["datadog_tags"]

        shown, pushed = collected(), collected("--push")

    assert (shown, pushed) == (["env:x", "a:b", "c_d"], [])
    assert intake.points
    assert all({*shown} <= {*point.tags} for point in intake.points)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["collect", "wandb", "--report"], "--report"),
        (["collect", "wandb", "--config"], "--config"),
        (["collect", "wandb", "--push", "--spool"], "--spool"),
        (["collect", "wandb", "--push", "--sink"], "--sink"),
        (["collect"], "COLLECTOR"),
        (["explain"], "NAME"),
        (["config", "check"], "FILE"),
        (["dashboards", "export"], "DIRECTORY"),
        (["slos", "push", "--from"], "--from"),
        (["monitors", "push", "--notify"], "--notify"),
        (["serve", "--host"], "--host"),
    ],
)
def test_an_empty_path_or_name_is_a_wrong_command_line(
    arguments: list[str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where an empty path leads

    ended = command(*arguments, "")

    assert (ended.code, ended.out) == (2, "")
    assert "is empty: write a value, or leave it out" in ended.err
    assert f"'{name}'" in ended.err.replace(name.lower(), name)


@pytest.mark.parametrize("option", ["--sink", "--spool"])
def test_what_is_for_push_alone_is_a_wrong_command_line_without_it(option: str) -> None:
    ended = command("collect", "wandb", option, "prometheus")

    assert (ended.code, ended.out) == (2, "")
    said = f"Invalid value for {option}: is for --push alone: add --push, or leave it out"
    assert said in ended.err

"""`runmetrics config`: a file is checked, and editors get its schema."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from yaml import safe_load

from tests.cli.metrics.case import command


def test_a_right_file_gets_one_line(tmp_path: Path) -> None:
    file = tmp_path / "right.yaml"
    file.write_text("packs: [health]\nmetrics: [{name: m.x, count: runs, state: failed}]")

    ended = command("config", "check", file)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{file} is right: 20 metrics, 1 of them of its own\n"


def test_keys_that_have_every_run_read_are_named(tmp_path: Path) -> None:
    file = tmp_path / "right.yaml"
    file.write_text("metrics: [{name: m.x, max: summary.eval.accuracy}]")

    ended = command("config", "check", file)

    assert ended.out.splitlines()[1] == (
        f"{file}: W&B cannot rank by keys with dots (summary.eval.accuracy): one more request for "
        "every 1,000 runs of the project"
    )


def test_a_where_that_names_a_key_with_a_dot_is_said_to_mean_the_path(tmp_path: Path) -> None:
    file = tmp_path / "right.yaml"
    file.write_text(
        "where: {config.model.size: 7}\n"
        "metrics:\n"
        "- {name: m.x, count: runs, where: {$or: [{summary_metrics.f1.max: {$gt: 1}}]}}\n"
        "- {name: m.y, count: runs, where: {config.lr: 0.1}}\n"
    )

    ended = command("config", "check", file)

    assert ended.out.splitlines()[1] == (
        f"{file}: where: W&B takes keys with dots for paths (config.model.size, "
        'summary_metrics.f1.max): they find {"a": {"b": 1}}, never {"a.b": 1}'
    )


def test_every_fault_of_a_wrong_file_is_listed(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("entty: a\nmetrics:\n- {name: m.x, count: runs, window: week}\n")

    ended = command("config", "check", file)

    assert (ended.code, ended.out) == (78, "")
    assert ended.errors == [
        f'{file}:1: entty: unknown key: did you mean "entity"?',
        f'{file}:3: m.x: window: "week" is not a length of time: write 7d, 24h, 30m or 90s',
        f"{file} has 2 faults: fix what is listed",
    ]


def test_wrong_monitors_are_found_in_one_round_with_a_wrong_metric(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "entty: a\n"
        "packs: [gpu]\n"
        "metrics: [{name: m.x, count: runs, window: week}]\n"
        "monitors:\n"
        '  notify: {team: {nlp: "@a", default: "@b"}}\n'
        "  gpus_idel: {threshold: 5}\n"
        "  m.x: {above: 5}\n"
    )

    ended = command("config", "check", file)

    assert ended.code == 78
    assert ended.errors == [
        f'{file}:1: entty: unknown key: did you mean "entity"?',
        f'{file}:3: m.x: window: "week" is not a length of time: write 7d, 24h, 30m or 90s',
        (
            f"{file}:5: monitors.notify: not every project has the tag team: give it to each "
            "under projects, or go by one of wandb_entity, wandb_project"
        ),
        f'{file}:6: monitors.gpus_idel: is no monitor and no metric: did you mean "gpus_idle"?',
        f"{file} has 4 faults: fix what is listed",
    ]


@pytest.mark.parametrize(
    ("packs", "fault"),
    [
        ("packs: [gpuu]", '1: packs[0]: "gpuu" is not a pack: did you mean "gpu"?'),
        ("packs:", "1: packs: has no value: write one, or leave the key out"),
        (
            "{packs: [gpu], packs: [health],",
            "1: packs: stands twice, first on line 1: keep one of the two",
        ),
    ],
)
def test_a_monitor_is_right_where_a_wrong_list_of_packs_may_collect_its_metric(
    packs: str, fault: str, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.yaml"
    monitors = "monitors: {gpus_idle: {threshold: 5}, runs_fail: {threshold: 1}}"
    file.write_text(f"{packs}\n{monitors}{'}' * packs.startswith('{')}\n")

    ended = command("config", "check", file)

    assert ended.errors == [
        f"{file}:{fault}",
        f'{file}:2: monitors.runs_fail: is no monitor and no metric: did you mean "runs_failing"?',
        f"{file} has 2 faults: fix what is listed",
    ]


def test_monitors_may_go_by_tags_of_projects_that_are_wrong_yet(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "projects: [acme]\n"
        'monitors: {notify: {team: {nlp: "@nlp", default: "@ml"}}, runs_fail: {threshold: 1}}\n'
    )

    ended = command("config", "check", file)

    assert ended.errors == [
        f'{file}:1: projects[0]: "acme" is not a project: write entity/project or entity/*',
        f'{file}:2: monitors.runs_fail: is no monitor and no metric: did you mean "runs_failing"?',
        f"{file} has 2 faults: fix what is listed",
    ]


def test_wrong_settings_and_wrong_metrics_are_found_in_one_round(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "entity: a/b\nprojects: [acme]\ntimeout_seconds: 0.5\n"
        "metrics:\n- {name: m.x, count: runs, unit: hours, state: finshed}\n"
    )

    ended = command("config", "check", file)

    assert ended.code == 78
    assert ended.errors == [
        f'{file}:1: entity: "a/b" is not the name of an entity: write the name alone',
        f'{file}:2: projects[0]: "acme" is not a project: write entity/project or entity/*',
        f"{file}:3: timeout_seconds: 0.5 is no timeout: write seconds, from 1 to 86400",
        (
            f'{file}:5: m.x: state: "finshed" is no state that W&B is known to report: '
            'did you mean "finished"?'
        ),
        f'{file}:5: m.x: unit: "hours" is not in Datadog\'s unit catalogue: did you mean "hour"?',
        f"{file} has 5 faults: fix what is listed",
    ]


def test_a_state_that_w_and_b_may_have_newly_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "doubtful.yaml"
    file.write_text("metrics:\n- {name: m.x, count: runs, state: finshed}\n")

    ended = command("config", "check", file)

    assert (ended.code, ended.out) == (0, f"{file} is right: 11 metrics, 1 of them of its own\n")
    assert ended.errors == [
        (
            f'{file}:2: m.x: state: "finshed" is no state that W&B is known to report: '
            'did you mean "finished"?'
        )
    ]


def test_the_environment_has_no_part_in_the_check_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "right.yaml"
    file.write_text("project: p\n")

    assert command("config", "check", file, DD_SITE="nowhere.example").code == 0


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    ended = command("config", "check", tmp_path / "gone.yaml")

    assert ended.code == 78
    assert ended.errors == [
        f"{tmp_path}/gone.yaml: there is no such file: name a file that is there"
    ]


def test_the_schema_is_one_that_editors_know_and_says_what_every_key_means() -> None:
    schema = command("config", "schema").json

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    undescribed = [place for place, key in _keys(schema) if not key.get("description")]
    assert undescribed == []


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("packs: [gpu]", True),
        ("metrics: [{name: a.b, max: summary.x}]", True),
        ("metrics: [{name: a.b}]", False),
        ("metric: []", False),
    ],
)
def test_the_schema_tells_right_from_wrong(text: str, right: bool) -> None:
    schema = command("config", "schema").json

    assert Draft202012Validator(schema).is_valid(safe_load(text)) is right


def _keys(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for model in (schema, *schema["$defs"].values()):
        for name, key in model["properties"].items():
            yield f"{model['title']}.{name}", key

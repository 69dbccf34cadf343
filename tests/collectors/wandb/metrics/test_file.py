"""The configuration file: which one is read, what it may hold, and every fault of it at once."""

import json
import math
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runmetrics.collectors.wandb.fields import RUN_FIELDS
from runmetrics.collectors.wandb.metrics.catalog import Catalog, load_catalog
from runmetrics.collectors.wandb.metrics.file import (
    builtin_metrics,
    find_config,
    parse_config,
    read_config,
)
from runmetrics.collectors.wandb.metrics.language import Aggregate
from runmetrics.collectors.wandb.metrics.layout import Layout, config_schema
from runmetrics.collectors.wandb.metrics.yaml_lines import read_yaml
from runmetrics.config.file_settings import FileSettings, Project
from runmetrics.config.settings import Settings
from runmetrics.errors import ConfigurationError, ExitCode
from tests.collectors.wandb.collecting import TEN

FILE = Path("runmetrics.yaml")


def faults(text: str) -> list[str]:
    """What is wrong with a file, each without the file's name."""
    with pytest.raises(ConfigurationError) as caught:
        parse_config(text, FILE)
    assert all(fault.startswith("runmetrics.yaml:") for fault in caught.value.faults)
    return [fault.removeprefix("runmetrics.yaml:") for fault in caught.value.faults]


def entry(line: str) -> str:
    """A file with one metric, m.x, that is right but for the line given (the fourth)."""
    return f"metrics:\n- name: m.x\n  count: runs\n  {line}\n"


# Which file


def test_without_any_file_there_is_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(None, {}) is None
    assert find_config(None, {"RUNMETRICS_CONFIG": ""}) is None


def test_the_option_beats_the_environment_which_beats_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("runmetrics", "environment", "option"):
        Path(f"{name}.yaml").write_text(f"project: {name}\n")

    def project(explicit: Path | None, environ: dict[str, str]) -> object:
        config = find_config(explicit, environ)
        return config and config.settings["project"]

    environ = {"RUNMETRICS_CONFIG": "environment.yaml"}
    assert project(None, {}) == "runmetrics"
    assert project(None, environ) == "environment"
    assert project(Path("option.yaml"), environ) == "option"


@pytest.mark.parametrize(
    ("explicit", "environ", "fix"),
    [
        (Path("gone.yaml"), {}, "fix the path after --config"),
        (None, {"RUNMETRICS_CONFIG": "gone.yaml"}, "fix or unset RUNMETRICS_CONFIG"),
    ],
)
def test_a_file_that_was_named_has_to_be_there(
    explicit: Path | None, environ: dict[str, str], fix: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_config(explicit, environ)
    assert str(caught.value) == f"gone.yaml: there is no such file: {fix}"
    assert caught.value.exit_code is ExitCode.CONFIGURATION


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_config(tmp_path, {})
    assert str(caught.value) == (
        f"{tmp_path}: cannot be read (Is a directory): name a file that this user may read"
    )


def test_a_file_has_to_be_utf_8_and_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbfentity: a\n")
    config = find_config(path, {})
    assert config is not None
    assert config.settings == {"entity": "a"}
    path.write_bytes(b"entity: \xff\n")
    with pytest.raises(ConfigurationError) as caught:
        find_config(path, {})
    assert str(caught.value) == f"{path}: byte 8 is not UTF-8: save the file as UTF-8 text"


# What it may hold


def test_an_empty_file_changes_nothing() -> None:
    config = parse_config("# nothing yet\n", FILE)
    assert (config.layout, config.settings) == (Layout(), {})
    assert (config.layout.metrics, config.layout.builtin, config.layout.where) == ([], True, {})


def test_the_settings_of_a_file_are_those_it_sets() -> None:
    text = """
        entity: pufferai
        project: metta
        projects: [a/b, c/*]
        accuracy_key: val/acc
        loss_key: val/loss
        gpus_per_run: config.trainer.devices
        timeout_seconds: 60
    """
    assert parse_config(text, FILE).settings == {
        "entity": "pufferai",
        "project": "metta",
        "projects": (Project(path="a/b"), Project(path="c/*")),
        "accuracy_key": "val/acc",
        "loss_key": "val/loss",
        "gpus_per_run": "config.trainer.devices",
        "timeout_seconds": 60,
    }


@pytest.mark.parametrize(
    ("key", "variable", "value"),
    [
        ("projects", "RUNMETRICS_PROJECTS", "acme/my project"),
        ("projects", "RUNMETRICS_PROJECTS", "acme/*"),
        ("projects", "RUNMETRICS_PROJECTS", "acme/a/b"),
        ("projects", "RUNMETRICS_PROJECTS", "my team/a"),
        ("entity", "WANDB_ENTITY", "a/b"),
        ("project", "WANDB_PROJECT", "my project"),
        ("project", "WANDB_PROJECT", "50%"),
        ("accuracy_key", "RUNMETRICS_ACCURACY_KEY", "two\nlines"),
        ("accuracy_key", "RUNMETRICS_ACCURACY_KEY", "summary.accuracy"),
        ("loss_key", "RUNMETRICS_LOSS_KEY", "train.summary.loss"),
        ("gpus_per_run", "RUNMETRICS_GPUS_PER_RUN", "config.a b"),
        ("gpus_per_run", "RUNMETRICS_GPUS_PER_RUN", "1e9"),
    ],
)
def test_the_file_and_the_environment_take_the_same_and_refuse_it_in_the_same_words(
    key: str, variable: str, value: str
) -> None:
    text = json.dumps({key: [value] if key == "projects" else value})
    try:
        in_file = parse_config(text, FILE).settings[key]
    except ConfigurationError as error:
        (fault,) = error.faults
        with pytest.raises(ConfigurationError) as caught:
            Settings.load(environ={variable: value}, env_file=Path("none"))
        what = re.sub(r"^runmetrics.yaml:1: \w+(\[0\])?: ", "", fault)
        assert caught.value.faults == (f"{variable}: {what}",)
    else:
        settings = Settings.load(environ={variable: value}, env_file=Path("none"))
        assert getattr(settings, key) == in_file


def test_projects_may_carry_tags() -> None:
    text = """
        projects:
        - {path: acme/llm, tags: {team: nlp, cost-centre: "017"}}
        - acme/*
    """
    assert parse_config(text, FILE).settings["projects"] == (
        Project(path="acme/llm", tags={"team": "nlp", "cost-centre": "017"}),
        Project(path="acme/*"),
    )


@pytest.mark.parametrize(
    ("projects", "fault"),
    [
        ("[]", "projects: [] names nothing: write one or more, or leave it out"),
        ("[{tags: {team: a}}]", "projects[0].path: is missing: write path: acme/llm"),
        ("[{path: acme}]", (
            'projects[0].path: "acme" is not a project: write entity/project or entity/*'
        )),
        ("[{path: a/b, tag: {a: b}}]", 'projects[0].tag: unknown key: did you mean "tags"?'),
        ("[{path: a/b, tags: {cost: 17}}]", (
            "projects[0].tags.cost: 17 is not text: write it in quotes"
        )),
        ("[{path: a/b, tags: {cost: {a: 1}}}]", (
            'projects[0].tags.cost: {"a": 1} is not text: write one word'
        )),
        ("[{path: a/b, tags: {env: x}}]", (
            'projects[0].tags.env: "env" has a meaning of its own: take another name'
        )),
        ("[{path: a/b, tags: {a b: x}}]", (
            'projects[0].tags.a b: "a b" is not the name of a tag: '
            "write letters, digits and _-./, from a letter on"
        )),
        ("[{path: a/b, tags: {user: x}}]", (
            "projects[0].tags.user: is the tag that `by: user` gives: take another name"
        )),
        ("[a/b, {path: a/b, tags: {team: x}}]", (
            'projects: "a/b" stands twice with other tags: keep one of them'
        )),
        ("[7]", "projects[0]: 7 is not a project: write entity/project or entity/*"),
        ("7", "projects: 7 is not a list: write [one, another]"),
    ],
)  # fmt: skip
def test_a_fault_of_a_project_says_which_entry_and_what_would_be_right(
    projects: str, fault: str
) -> None:
    assert faults(f"projects: {projects}") == [f"1: {fault}"]


def test_a_tag_of_a_project_must_not_be_one_that_splits_a_metric() -> None:
    text = "projects: [{path: a/b, tags: {Team: x}}]\n"
    text += "metrics: [{name: m.x, count: runs, window: 7d, by: config.team}]"
    assert faults(text) == [
        "1: projects[0].tags.Team: is the tag that `by: config.team` gives: take another name"
    ]


def test_the_tag_of_a_project_is_right_where_by_names_no_group() -> None:
    text = "projects: [{path: a/b, tags: {team: x}}]\n"
    text += "metrics: [{name: m.x, count: runs, window: 7d, by: team}]"
    [fault] = faults(text)
    assert fault.startswith('2: m.x: by: "team" cannot split a metric: ')


@pytest.mark.parametrize("value", ["auto", 0.5, 1, 16_384, "config.a"])
def test_gpus_per_run_is_auto_a_number_or_a_config_key(value: object) -> None:
    config = parse_config(json.dumps({"gpus_per_run": value}), FILE)
    assert config.settings == {"gpus_per_run": value}


@pytest.mark.parametrize("value", [0, 16_384.5, 16_385, 99_999])
def test_gpus_per_run_is_no_number_that_no_run_can_have(value: float) -> None:
    right = "write auto, a number above 0 and up to 16384, or config.KEY"
    assert faults(f"gpus_per_run: {value}") == [
        f"1: gpus_per_run: {value} is no way to count GPUs: {right}"
    ]


def test_an_entry_may_borrow_from_another_and_change_it() -> None:
    text = """
        metrics:
        - &mine {name: a.b, max: summary.x, unit: hour}
        - {<<: *mine, name: a.c}
    """
    first, second = parse_config(text, FILE).layout.metrics
    assert (first.name, second.name) == ("a.b", "a.c")
    assert second.field == first.field


# What is wrong with it


def test_every_fault_is_found_in_one_reading_in_the_order_of_the_lines() -> None:
    text = """\
entity: 7
projcts: [a/b]
metrics:
- name: wandb.x.y
  max: sumary.acc
  windw: 7 days
- name: wandb.x.y
  unit: per second
"""
    with pytest.raises(ConfigurationError) as caught:
        parse_config(text, FILE)
    assert str(caught.value) == "runmetrics.yaml has 7 faults: fix what is listed"
    options = "count, sum, mean, min, max, latest, p50, p90, p95, p99"
    assert list(caught.value.faults) == [
        "runmetrics.yaml:1: entity: 7 is not text: write it in quotes",
        'runmetrics.yaml:2: projcts: unknown key: did you mean "projects"?',
        (
            'runmetrics.yaml:5: wandb.x.y: max: "sumary.acc" is not a field: '
            'did you mean "summary.acc"?'
        ),
        'runmetrics.yaml:6: wandb.x.y: windw: unknown key: did you mean "window"?',
        f"runmetrics.yaml:7: wandb.x.y: has no aggregate: a metric has exactly one of {options}",
        "runmetrics.yaml:7: wandb.x.y: name: stands twice, first on line 4: give one another name",
        (
            'runmetrics.yaml:8: wandb.x.y: unit: "per second" is not in Datadog\'s unit catalogue: '
            "write one like run, hour or percent"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "a: [",
            (
                "1: not YAML: while parsing a flow node, "
                "expected the node content, but found '<stream end>'"
            ),
        ),
        (
            "entity: a\n b: c\n",
            "2: not YAML: mapping values are not allowed here",
        ),
        (
            "entity: a\n---\nentity: b\n",
            "2: not YAML: expected a single document in the stream, but found another document",
        ),
        ("entity: !env X", "1: not YAML: the tag '!env' is not known here"),
        ("a: !env {}", "1: not YAML: the tag '!env' is not known here"),
        ("a: !!binary aGk=", "1: not YAML: the tag 'tag:yaml.org,2002:binary' is not known here"),
        ("\na: !!int ''", "2: not YAML: '' cannot be read"),
        ("a: &a [*a]", "1: not YAML: it is nested too deeply, or refers to itself"),
        ("[" * 5000, "1: not YAML: it is nested too deeply, or refers to itself"),
        ("entity: a\nb: \x00", "2: not YAML: the character U+0000 is not allowed"),
        ("? [a]\n: b", "1: not YAML: a key has to be a word"),
        ('a: "\\ud800"', "1: not YAML: a text holds half a character"),
        (
            'a: "\\UFFFFFFFF"',
            "1: not YAML: it holds an escape for a character that there is not",
        ),
        ("a: 99999999999999999999", "1: not YAML: the number is too large"),
        ("- 1", "1: [1] is not a mapping: write key: value"),
        ("entity: a\nentity: b", "2: entity: stands twice, first on line 1: keep one of the two"),
        ("entity:", "1: entity: has no value: write one, or leave the key out"),
        ("entity: ''", "1: entity: is empty: write a value, or leave it out"),
        (
            "wandb_api_key: abc",
            "1: wandb_api_key: a key never stands in a file: set WANDB_API_KEY or the AWS secret",
        ),
        (
            "base_url: https://x",
            "1: base_url: the host that a key is sent to is set by WANDB_BASE_URL alone",
        ),
        ("projects: [a]", '1: projects[0]: "a" is not a project: write entity/project or entity/*'),
        (
            "gpus_per_run: -1",
            (
                "1: gpus_per_run: -1 is no way to count GPUs: "
                "write auto, a number above 0 and up to 16384, or config.KEY"
            ),
        ),
        (
            "timeout_seconds: 1m",
            '1: timeout_seconds: "1m" is no timeout: write seconds, from 1 to 86400',
        ),
        (
            "timeout_seconds: 0.5",
            "1: timeout_seconds: 0.5 is no timeout: write seconds, from 1 to 86400",
        ),
        ("builtin: 'no'", '1: builtin: "no" is neither true nor false: write true or false'),
        (
            "drop: [wandb.runs.totl]",
            '1: drop[0]: "wandb.runs.totl" is not built in: did you mean "wandb.runs.total"?',
        ),
        (
            "packs: [helth]",
            '1: packs[0]: "helth" is not a pack: did you mean "health"?',
        ),
        (
            "packs: [money]",
            (
                '1: packs[0]: "money" is not a pack: '
                "it can be health, gpu, throughput, gpu_hours, cost"
            ),
        ),
        (
            "builtin: false\npacks: [helth]",
            '2: packs[0]: "helth" is not a pack: did you mean "health"?',
        ),
        (
            "packs: [helth]\ndrop: [wandb.health.silent]",
            '1: packs[0]: "helth" is not a pack: did you mean "health"?',
        ),
        (
            "builtin: false\npacks: helth",
            '2: packs: "helth" is not a list: write [one, another]',
        ),
        (
            "packs: [gpu]\ndrop: [wandb.gpu.idl]",
            '2: drop[0]: "wandb.gpu.idl" is not built in: did you mean "wandb.gpu.idle"?',
        ),
        (
            "max_series: 0",
            "1: max_series: 0 is not a number of series: write a whole number above 0",
        ),
        (
            "max_series_total: 0",
            "1: max_series_total: 0 is not a number of series: write a whole number above 0",
        ),
        ("metrics: {}", "1: metrics: {} is not a list: write - name: wandb.runs.mine"),
        (
            "metrics: {a.b: {count: runs}}",
            '1: metrics: {"a.b": {"count": "runs"}} is not a list: write - name: a.b',
        ),
        ("builtin: false", "1: builtin: leaves nothing to collect: add metrics or packs"),
        (
            "builtin: false\nmetrics: []",
            "1: builtin: leaves nothing to collect: add metrics or packs",
        ),
        (
            f"drop: [{', '.join(TEN)}]",
            "1: drop: leaves nothing to collect: add metrics or packs",
        ),
        ("metrics: [3]", "1: metrics[0]: 3 is not a mapping: write key: value"),
    ],
)
def test_a_fault_of_the_file_says_where_it_is_and_what_would_be_right(
    text: str, fault: str
) -> None:
    assert faults(text) == [fault]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("window: 7 days", 'window: "7 days" is not a length of time: write 7d, 24h, 30m or 90s'),
        ("window: 7", "window: 7 is not a length of time: write 7d, 24h, 30m or 90s"),
        ("window: 0d", 'window: "0d" is not a length of time: write 7d, 24h, 30m or 90s'),
        ("window: 9999w", 'window: "9999w" is longer than ten years: leave it out'),
        (
            "window_by: created",
            "window_by: says how a window is counted, but there is none: add window: 7d",
        ),
        (
            "max: summary.a",
            (
                "max: has count and max: a metric has exactly one of "
                "count, sum, mean, min, max, latest, p50, p90, p95, p99"
            ),
        ),
        ("state: []", "state: [] is not a state: write finished, or a list: [failed, crashed]"),
        ("by: [usr]", 'by: "usr" cannot split a metric: did you mean "user"?'),
        (
            "by: [config.a b, config.A_b]",
            ('by: "config.a b" and "config.A_b" become the same tag, A_b: keep one of the two'),
        ),
        ("full_scan: 1", "full_scan: 1 is neither true nor false: write true or false"),
        ("description: 5", "description: 5 is not text: write it in quotes"),
        ("description: {a: 1}", 'description: {"a": 1} is not text: write one word'),
        ("where: x", 'where: "x" is not a mapping: write key: value'),
        (
            "where: {x: {$gtt: 3}}",
            'where.x.$gtt: unknown operator: did you mean "$gt"?',
        ),
        ("where: {x: {eq: 3}}", 'where.x.eq: unknown operator: did you mean "$eq"?'),
        (
            "where: {config.x: {nin: [3]}}",
            'where.config.x.nin: unknown operator: did you mean "$nin"?',
        ),
        ("where: {$or: []}", "where.$or: [] names nothing: write $or: [{...}, {...}]"),
        ("where: {state: {$in: []}}", "where.state.$in: [] names nothing: write $in: [x]"),
        ("where: {$or: {a: 1}}", 'where.$or: {"a": 1} is not a list: write $or: [{...}, {...}]'),
        (
            "where: {$or: [{a: .nan}]}",
            "where.$or[0].a: a filter cannot hold NaN or an infinity: use if: {FIELD: {is: nan}}",
        ),
        (
            "where: {summary.a: 1}",
            "where.summary.a: a filter names summary keys otherwise: write summary_metrics.a",
        ),
        (
            "where: {createdAt: {$gt: 2026-01-31}}",
            (
                'where.createdAt.$gt: "2026-01-31" is not a time in UTC: '
                "write it as 2026-01-31T00:00:00Z"
            ),
        ),
        (
            "where: {heartbeatAt: {$gt: 1767225600}}",
            (
                "where.heartbeatAt.$gt: 1767225600 is not a time in UTC: "
                "write it as 2026-01-31T00:00:00Z"
            ),
        ),
        (
            "where: {tags: [train]}",
            (
                'where.tags: ["train"] is a bare list, which W&B cannot compare with: '
                'write tags: {$in: ["train"]}'
            ),
        ),
        (
            "where: {tags: {$ne: [train]}}",
            (
                'where.tags.$ne: ["train"] is a bare list, which W&B cannot compare with: '
                'write $nin: ["train"]'
            ),
        ),
        (
            "where: {tags: {$nin: debug}}",
            'where.tags.$nin: "debug" is not a list: write $nin: [x]',
        ),
        (
            "ratio: wandb.runs.failed_7d / wandb.runs.total",
            (
                "ratio: a ratio is left to the dashboard, as a formula over two metrics, so that "
                "it is right for any choice of projects: see docs/OPERATIONS.md, Ratios"
            ),
        ),
    ],
)
def test_a_fault_of_a_metric_names_the_metric_and_the_key(line: str, fault: str) -> None:
    said = faults(entry(f"{line}\n  full_scan: true" if line.startswith("by") else line))
    assert said == [f"4: m.x: {fault}"]


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        ("{dispalyName: a}", "displayName"),
        ("{$or: [{summaryMetrics.a: 1}]}", "summary_metrics.a"),
        ("{heartbeat: 1}", "heartbeatAt"),
        ("{config: {lr: 1}}", "config.KEY"),
        ("{$and: [{summary_metrics: {state: runing}}]}", "summary_metrics.KEY"),
    ],
)
def test_a_filter_that_is_close_to_a_known_one_is_worth_a_word(where: str, meant: str) -> None:
    (notice,) = parse_config(f"where: {where}", FILE).notices

    assert notice.startswith("runmetrics.yaml:1: where")
    assert notice.endswith(f'no filter of W&B is known by that name: did you mean "{meant}"?')


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("{state: finshed}", "where.state"),
        ("{state: {$ne: finshed}}", "where.state.$ne"),
        ("{state: {$in: [failed, finshed]}}", "where.state.$in[1]"),
        ("{$or: [{state: {$nin: [finshed]}}, {group: a}]}", "where.$or[0].state.$nin[0]"),
    ],
)
def test_a_filter_by_a_state_that_is_close_to_a_known_one_is_worth_a_word(
    where: str, place: str
) -> None:
    (of_all,) = parse_config(f"where: {where}", FILE).notices
    (of_one,) = parse_config(entry(f"window: 7d\n  where: {where}"), FILE).notices

    said = 'is no state that W&B is known to report: did you mean "finished"?'
    assert of_all == f'runmetrics.yaml:1: {place}: "finshed" {said}'
    assert of_one.endswith(f'm.x: {place}: "finshed" {said}')


def test_a_key_inside_a_value_is_no_filter() -> None:
    where = "where: {config.a: {state: runing, dispalyName: x}}"
    assert parse_config(where, FILE).notices == ()


@pytest.mark.parametrize("state", ["finished", "{$regex: ^fin}", "{$in: [failed, archived]}"])
def test_a_filter_by_a_state_that_is_known_or_like_none_is_worth_no_word(state: str) -> None:
    assert parse_config(f"where: {{state: {state}}}", FILE).notices == ()


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ('"["', '"[" is no regular expression (unterminated character set at position 0)'),
        ('"*a"', '"*a" is no regular expression (nothing to repeat at position 0)'),
        ("3", "3 is no regular expression (not text)"),
    ],
)
def test_a_regular_expression_that_cannot_be_read_is_worth_a_word(pattern: str, why: str) -> None:
    where = f"{{$or: [{{displayName: {{$regex: {pattern}}}}}]}}"
    (of_all,) = parse_config(f"where: {where}", FILE).notices
    (of_one,) = parse_config(entry(f"window: 7d\n  where: {where}"), FILE).notices

    said = f"where.$or[0].displayName.$regex: {why}: W&B may refuse it"
    assert of_all == f"runmetrics.yaml:1: {said}"
    assert of_one.endswith(f"m.x: {said}")


def test_a_filter_may_exclude_nothing() -> None:
    assert parse_config("where: {config.a: {$nin: []}}", FILE).notices == ()


@pytest.mark.parametrize("pattern", ["^nightly-", "(?i)a|b", "[[:alpha:]]+", "a{2}"])
def test_a_regular_expression_that_can_be_read_is_worth_no_word(pattern: str) -> None:
    where = f"where: {{displayName: {{$regex: '{pattern}'}}}}"
    assert parse_config(where, FILE).notices == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("if: {summary.a: {eq: nan}}", 'if.summary.a.eq: "nan" {}: use is: nan or infinite'),
        ("if: {config.a: {ne: -Inf}}", 'if.config.a.ne: "-Inf" {}: use is: nan or infinite'),
        (
            "where: {summary_metrics.a: nan}",
            'where.summary_metrics.a: "nan" {}: use if: {{FIELD: {{is: nan}}}}',
        ),
        (
            "where: {$or: [{config.a: {$in: [x, NaN]}}]}",
            'where.$or[0].config.a.$in[1]: "NaN" {}: use if: {{FIELD: {{is: nan}}}}',
        ),
    ],
)
def test_a_text_that_spells_nan_is_worth_a_word(line: str, said: str) -> None:
    (notice,) = parse_config(entry(f"window: 7d\n  {line}"), FILE).notices

    assert notice.endswith(
        f"m.x: {said.format('is compared as text, not with NaN or an infinity')}"
    )


@pytest.mark.parametrize(
    "line",
    [
        "if: {summary.a: {eq: nana}}",
        "if: {summary.a: {is: nan}}",
        "where: {displayName: nan, config.a: {$regex: nan}}",
    ],
)
def test_a_text_that_does_not_is_worth_no_word(line: str) -> None:
    assert parse_config(entry(f"window: 7d\n  {line}"), FILE).notices == ()


def test_a_project_that_stands_twice_with_the_same_tags_is_worth_a_word() -> None:
    file = parse_config("projects:\n- acme/llm\n- acme/other\n- {path: acme/llm}", FILE)

    assert [project.path for project in file.settings["projects"]] == ["acme/llm", "acme/other"]
    assert file.notices == (
        'runmetrics.yaml:4: projects[2]: "acme/llm" stands twice: keep one of the two',
    )


def test_a_file_that_never_ends_is_refused_for_its_size() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_config(Path("/dev/zero"))

    assert caught.value.cause == ("/dev/zero: cannot be read (it holds more than 4,194,304 bytes)")


def test_a_filter_by_a_name_that_is_like_no_other_is_w_and_b_s_own_affair() -> None:
    assert (
        parse_config("where: {display_name: a, config.x: 1, logLineCount: 7}", FILE).notices == ()
    )


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ("{run.x: {gt: 1}}", 'if.run.x: "run.x" is not a field: it can be '
         + ", ".join(f"run.{name}" for name in RUN_FIELDS)),
        ("{run.silence: {gt: 1}}",
         'if.run.silence: "run.silence" is not a field: did you mean "run.silent"?'),
        ("{system.gpu.*: {gt: 1}}", ('if.system.gpu.*: "system.gpu.*" is not a field: '
         "a * is every GPU of a run, and no more: write system.gpu.*.KEY")),
        ("{summary.a: {over: 1}}", ("if.summary.a.over: unknown key: it can be "
         "gt, gte, lt, lte, eq, ne, is")),
        ("{summary.a: {greater: 1}}", ("if.summary.a.greater: unknown key: it can be "
         "gt, gte, lt, lte, eq, ne, is")),
        ("{summary.a: 3}", "if.summary.a: 3 is not a comparison: write {eq: 3}"),
        ("{summary.a: done}", 'if.summary.a: "done" is not a comparison: write {eq: "done"}'),
        ("{summary.a: nan}", 'if.summary.a: "nan" is not a comparison: write {is: nan}'),
        ("{summary.a: NaN}", 'if.summary.a: "NaN" is not a comparison: write {is: nan}'),
        ("{summary.a: .nan}", "if.summary.a: NaN is not a comparison: write {is: nan}"),
        ("{summary.a: -.inf}", "if.summary.a: -Infinity is not a comparison: write {is: infinite}"),
        ("{summary.a: infinite}",
         'if.summary.a: "infinite" is not a comparison: write {is: infinite}'),
        ("{summary.a: not_finite}",
         'if.summary.a: "not_finite" is not a comparison: write {is: not_finite}'),
        ("{summary.a: numeric}",
         'if.summary.a: "numeric" is not a comparison: write {is: numeric}'),
        ("{summary.a: missing}",
         'if.summary.a: "missing" is not a comparison: write {is: missing}'),
        ("{summary.a: {}}", "if.summary.a: asks nothing: write a comparison like {gt: 30}"),
        ("{summary.a: {gt: x}}",
         'if.summary.a.gt: "x" is not a finite number: write one, or use is or eq'),
        ("{summary.a: {eq: .nan}}",
         ("if.summary.a.eq: NaN cannot be compared: "
         "write a number or text, or use is: nan or infinite")),
        ("{summary.a: {eq: 'NaN'}}",
         ('if.summary.a.eq: "NaN" cannot be compared: '
         "write a number or text, or use is: nan or infinite")),
        ("{summary.a: {ne: '-Infinity'}}",
         ('if.summary.a.ne: "-Infinity" cannot be compared: '
         "write a number or text, or use is: nan or infinite")),
        ("{summary.a: {is: null}}",
         "if.summary.a.is: has no value: write one, or leave the key out"),
        ("{summary.a: {is: nul}}", ('if.summary.a.is: "nul" is not known here: '
         "write nan, infinite, not_finite, numeric or missing")),
    ],
)  # fmt: skip
def test_a_fault_of_a_condition_names_its_field(condition: str, fault: str) -> None:
    assert faults(entry(f"if: {condition}\n  window: 7d")) == [f"4: m.x: {fault}"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("gpu_hours", "run.gpu_hours"),
        ("silent_minutes", "run.silent_minutes"),
        ("duration", "run.duration_hours"),
        ("gpu_hour", "run.gpu_hours"),
        ("accuracy", "summary.accuracy"),
        ("loss", "summary.loss"),
    ],
)
def test_a_word_without_a_source_is_a_number_of_ours_where_it_is_near_one(
    word: str, meant: str
) -> None:
    (fault,) = faults(f"metrics:\n- {{name: m.x, mean: {word}, window: 7d}}")

    assert fault == f'2: m.x: mean: "{word}" is not a field: did you mean "{meant}"?'


@pytest.mark.parametrize(
    ("unit", "fix"),
    [
        ("hours", 'did you mean "hour"?'),
        ("Percent", 'did you mean "percent"?'),
        ("degree_celsius", 'did you mean "degree celsius"?'),
        ("%", "write one like run, hour or percent"),
        (["run"], "write one like run, hour or percent"),
    ],
)
def test_a_unit_that_datadog_does_not_know_is_refused_with_what_would_be_right(
    unit: object, fix: str
) -> None:
    assert faults(entry(f"unit: {json.dumps(unit)}")) == [
        f"4: m.x: unit: {json.dumps(unit)} is not in Datadog's unit catalogue: {fix}"
    ]


@pytest.mark.parametrize(
    ("aggregated", "unit", "right"),
    [
        ("count: runs", "hour", "write run"),
        ("sum: run.gpu_hours", "percent", "write hour"),
        ("sum: run.gpu_hours", "second", "write hour"),
        ("sum: run.active_gpu_hours", "dollar", "add priced: true"),
        ("sum: run.duration_hours", "dollar", "write hour"),
        ("p95: run.duration_hours", "minute", "write hour"),
        ("max: run.age_hours", "day", "write hour"),
        ("max: run.silent_minutes", "hour", "write minute"),
        ("max: run.minutes_since_log", "second", "write minute"),
        ("mean: run.gpu_utilization", "fraction", "write percent"),
        ("sum: run.gpus", "hour", "write device"),
        ("mean: run.silent", "percent", "write fraction"),
        ("mean: run.stalled", "hour", "write fraction"),
    ],
)
def test_a_unit_that_would_make_another_number_of_it_is_refused(
    aggregated: str, unit: str, right: str
) -> None:
    what = aggregated.split(": ")[1]
    assert faults(f"metrics: [{{name: m.x, {aggregated}, window: 7d, unit: {unit}}}]") == [
        f'1: m.x: unit: "{unit}" is not the unit of {what}: {right}, or leave the unit out'
    ]


@pytest.mark.parametrize(
    ("aggregated", "unit"),
    [
        ("count: runs", "error"),
        ("sum: run.gpus", "unit"),
        ("sum: run.gpu_hours", "hour"),
        ("sum: run.gpu_hours, priced: true", "dollar"),
        ("mean: run.silent", "fraction"),
        ("sum: run.stalled", "run"),
        ("max: summary.seconds", "second"),
    ],
)
def test_a_unit_that_may_be_right_is_kept(aggregated: str, unit: str) -> None:
    metric = f"{{name: m.x, {aggregated}, window: 7d, unit: {unit}}}"
    text = f"gpu_prices: {{default: 2}}\nmetrics: [{metric}]"
    assert parse_config(text, FILE).layout.metrics[0].unit == unit


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("7up", "write up"),
        ("a b", "write a_b"),
        ("a._b", "write a.b"),
        ("größe.x", "write gr_e.x"),
        ("a_", "write a"),
        ("!", "write one like wandb.runs.active"),
    ],
)
def test_a_name_that_datadog_would_change_is_refused_with_what_it_would_become(
    name: str, fix: str
) -> None:
    said = faults(f"metrics:\n- name: {name!r}\n  count: runs\n")
    assert said == [f'2: {name}: name: "{name}" is not a name that Datadog keeps: {fix}']


def test_a_metric_without_a_name_is_named_by_its_place() -> None:
    assert faults("metrics:\n- count: runs\n- nme: a\n") == [
        "2: metrics[0]: name: is missing: write name: wandb.runs.mine",
        (
            "3: metrics[1]: has no aggregate: a metric has exactly one of "
            "count, sum, mean, min, max, latest, p50, p90, p95, p99"
        ),
        "3: metrics[1]: name: is missing: write name: wandb.runs.mine",
        '3: metrics[1]: nme: unknown key: did you mean "name"?',
    ]


def test_names_of_the_programs_own_metrics_are_kept() -> None:
    assert faults("metrics: [{name: runmetrics.up, count: runs}]") == [
        (
            '1: runmetrics.up: name: names that begin with "runmetrics." are kept for this '
            "program's own"
        )
    ]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ("mean: summary.a", "mean"),
        ("p50: config.a", "p50"),
        ("max: run.gpus", "max of a run field"),
        ("latest: system.cpu", "latest of a system field"),
        ("count: runs, by: user", "by"),
        ("count: runs, if: {summary.a: {gt: 1}}", "if"),
    ],
)
def test_reading_the_whole_history_needs_consent(keys: str, what: str) -> None:
    assert faults(f"metrics:\n- {{name: m.x, {keys}}}") == [
        (
            f"2: m.x: {what} without a window reads every run of the project: "
            "add window: 7d, or full_scan: true"
        )
    ]
    parse_config(f"metrics:\n- {{name: m.x, {keys}, full_scan: true}}", FILE)
    parse_config(f"metrics:\n- {{name: m.x, {keys}, window: 7d}}", FILE)


@pytest.mark.parametrize("state", ["running", "[running, pending]", "[preempting]"])
def test_the_runs_of_a_state_that_none_stays_in_are_read_without_consent(state: str) -> None:
    parse_config(f"metrics:\n- {{name: m.x, p95: run.age_hours, by: user, state: {state}}}", FILE)


@pytest.mark.parametrize("state", ["finished", "[running, finished]"])
def test_one_state_that_runs_stay_in_is_the_whole_history(state: str) -> None:
    assert faults(f"metrics:\n- {{name: m.x, p95: run.age_hours, state: {state}}}") == [
        (
            "2: m.x: p95 without a window reads every run of the project: "
            "add window: 7d, or full_scan: true"
        )
    ]


def test_a_page_of_yaml_cannot_unfold_into_more_than_memory_holds() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (said,) = faults("\n".join(lines))
    assert said.endswith("not YAML: it unfolds to more than 50000 values")


def test_merges_of_merges_cost_what_they_hold() -> None:
    """A few hundred bytes that PyYAML would unfold into a billion pairs."""
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    text = "\n".join(lines)
    assert len(text) < 700

    document = read_yaml(text)

    assert document.value["a9"] == {"x": 1, "y": 2}


def test_merges_that_hold_more_than_memory_are_refused() -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(1000))
    lines = [f"a: &a {{{keys}}}", *[f"b{n}: {{<<: *a}}" for n in range(60)]]
    (said,) = faults("\n".join(lines))
    assert said.endswith("not YAML: it unfolds to more than 50000 values")


def test_a_key_that_stands_in_a_file_by_mistake_is_not_repeated() -> None:
    assert "canary" not in "".join(faults("wandb_api_key: canary\ndd_api_kye: canary\n"))


# The schema


def test_the_schema_accepts_the_built_in_file() -> None:
    path = files("runmetrics.collectors.wandb.metrics") / "builtin.yaml"
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    assert not list(Draft202012Validator(schema).iter_errors(yaml.safe_load(path.read_text())))
    assert len(builtin_metrics().layout.metrics) == 10


@pytest.mark.parametrize(
    "line",
    ["windw: 7d", "window: 7 days", "max: summary.a", "state: 3", "unit: A B", "window: null",
     "if: {sumary.x: {gt: 1}}", "if: {summary.x: {over: 1}}", "window_by: creation"],
)  # fmt: skip
def test_the_schema_refuses_what_the_check_refuses(line: str) -> None:
    value = yaml.safe_load(entry(line))
    assert list(Draft202012Validator(config_schema()).iter_errors(value))
    assert faults(entry(line))


@pytest.mark.parametrize(
    "text",
    ["entity: a/b", "projects: [a]", "projects: [{path: a/b, tag: {}}]", "timeout_seconds: 0.5",
     "gpus_per_run: -1", "max_series_total: 0", "custom_metric_price: -1", "accuracy_key: ''",
     "loss_key: summary.loss",
     "projects: [{path: a/b, tags: {team: 7}}]", "projects: [{path: a/b, tags: {a b: x}}]"],
)  # fmt: skip
def test_the_schema_refuses_the_settings_that_the_check_refuses(text: str) -> None:
    assert list(Draft202012Validator(config_schema()).iter_errors(yaml.safe_load(text)))
    assert faults(text)


@pytest.mark.parametrize(
    "text",
    ["projects: [acme/my project, acme/*]", "projects: [{path: acme/llm, tags: {team: nlp}}]",
     "gpus_per_run: config.a b", "gpus_per_run: 8", "timeout_seconds: 1"],
)  # fmt: skip
def test_the_schema_takes_the_settings_that_the_check_takes(text: str) -> None:
    assert not list(Draft202012Validator(config_schema()).iter_errors(yaml.safe_load(text)))
    assert parse_config(text, FILE).settings


# Anything at all

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["7d", "runs", "summary.a", "run.gpus", "user", "finished", "a.b", "nan"]),
)
KEYS = st.one_of(
    st.text(max_size=4),
    st.sampled_from(["metrics", "where", "if", "by", "state", "window", "window_by", "name"]),
    st.sampled_from(["builtin", "drop", "packs", "projects", "full_scan", "gt", "is"]),
    st.sampled_from(["summary.a", "run.gpus", "[key]", "<<", "$or"]),
    st.sampled_from(Aggregate).map(str),
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)
ENTRY = st.fixed_dictionaries(
    {"name": st.sampled_from(["a.b", "a.c"]) | SCALARS},
    optional=dict.fromkeys(["count", "max", "window", "if", "where", "by", "state"], ANYTHING),
)
FILES = ANYTHING | st.fixed_dictionaries(
    {"metrics": st.lists(ENTRY, max_size=3)},
    optional=dict.fromkeys(["where", "drop", "packs", "projects", "gpus_per_run"], ANYTHING),
)


def read(text: str) -> Catalog | tuple[str, ...]:
    try:
        config = parse_config(text, FILE)
    except ConfigurationError as error:
        return error.faults or ("",)
    return load_catalog(config, FileSettings())


@given(FILES)
def test_any_value_becomes_a_catalog_or_faults_of_one_line_each(value: Any) -> None:
    result = read(yaml.safe_dump(value, allow_unicode=True))
    if isinstance(result, Catalog):
        for metric in result.metrics:
            json.dumps(metric.where, allow_nan=False)
            assert all(c.op == "is" or not _unordered(c.value) for c in metric.conditions)
    else:
        assert [len(fault.splitlines()) for fault in result] == [1] * len(result)


def _unordered(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>%@\"'#,? \n\t<~.\\x0"), max_size=40))
def test_any_text_becomes_a_catalog_or_faults(text: str) -> None:
    read(text)

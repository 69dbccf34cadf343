"""What a file says of monitors, and what Datadog is given."""

import re
from pathlib import Path
from typing import Any

import pytest

from runmetrics.assets.alerts import Split, shipped
from runmetrics.assets.monitors import monitor_faults
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.config.settings import Settings
from runmetrics.errors import ConfigurationError
from tests.assets.conftest import compiled
from tests.cli.metrics.case import command

OPERATIONS = Path(__file__).parents[2] / "docs/OPERATIONS.md"
MINE = """
metrics: [{name: mine.hours, description: Hours of mine, sum: run.gpu_hours, window: 24h, by: user}]
"""


def monitor(name: str, text: str, **options: Any) -> dict[str, Any]:
    if shipped().get(name) and shipped()[name].off_until_given:
        text = text or f"monitors: {{{name}: {{threshold: 1000}}}}"
    found = {asset.path.stem: asset.document for asset in compiled(text, **options).wanted}
    return found[name]


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        compiled(text)
    return [fault.removeprefix("mine.yaml:") for fault in caught.value.faults]


@pytest.mark.parametrize("name", shipped())
def test_a_threshold_stands_once_in_the_file_and_twice_in_what_datadog_is_given(name: str) -> None:
    document = monitor(name, f"monitors: {{{name}: {{threshold: 77.5}}}}")

    assert document["options"]["thresholds"] == {"critical": 77.5, "warning": None}
    assert re.search(r" [<>] 77\.5$", document["query"])


def test_window_priority_and_warning_are_the_files() -> None:
    document = monitor("gpus_idle", "monitors: {gpus_idle: {warning: 10, window: 6h, priority: 1}}")

    assert document["query"].startswith("min(last_6h):100 * ")
    assert document["priority"] == 1
    assert document["options"]["thresholds"] == {"critical": 50, "warning": 10}


def test_a_metric_of_ones_own_has_a_monitor_in_one_line() -> None:
    document = monitor("mine.hours", f"{MINE}monitors: {{mine.hours: {{above: 100}}}}")

    assert document["query"] == (
        "min(last_2h):max:mine.hours{*} by {wandb_entity,wandb_project,user} > 100"
    )
    assert "is {{value}}, above {{threshold}}: Hours of mine." in document["message"]
    assert document["tags"] == ["integration:runmetrics", "monitor:mine.hours"]


def test_the_monitor_of_a_split_metric_names_whose_series_it_is() -> None:
    text = MINE.replace("by: user", "by: [user, config.Model.size]")
    document = monitor("mine.hours", f"{text}monitors: {{mine.hours: {{above: 100}}}}")

    whose = (
        "{{wandb_entity.name}}/{{wandb_project.name}} "
        "for user {{user.name}} and model.size {{[model.size].name}}"
    )
    assert "by {wandb_entity,wandb_project,user,model.size} >" in document["query"]
    assert document["name"] == f"[runmetrics] mine.hours is above {{{{threshold}}}} in {whose}"
    assert f"`mine.hours` of {whose} is {{{{value}}}}, above" in document["message"]
    assert f"`mine.hours` of {whose} is {{{{value}}}}: not above" in document["message"]


def test_a_budget_that_nobody_gave_alerts_nobody() -> None:
    name = "gpu_hours_over_budget"
    needs = "needs a threshold that only you know: give it in the configuration file"

    without, given = compiled(""), compiled(f"monitors: {{{name}: {{threshold: 50}}}}")

    assert without.lacking == {name: needs}
    assert name not in [asset.path.stem for asset in without.wanted]
    assert name in [asset.path.stem for asset in given.wanted]
    assert faults(f"monitors: {{{name}: on}}") == [f"2: monitors.{name}: {needs}"]


def test_below_compares_the_greatest_of_the_window_with_the_threshold() -> None:
    text = "monitors: {wandb.metrics.best_accuracy: {below: 0.5, warning: 0.6}}"
    document = monitor("wandb.metrics.best_accuracy", text)

    assert document["query"] == (
        "max(last_2h):min:wandb.metrics.best_accuracy{*} by {wandb_entity,wandb_project} < 0.5"
    )
    assert document["options"]["thresholds"] == {"critical": 0.5, "warning": 0.6}


def test_alerts_are_split_by_the_tags_that_every_project_carries() -> None:
    document = monitor("silent_runs", "", tags=["team"])

    assert "{*} by {team,wandb_entity,wandb_project} > 0" in document["query"]


def test_a_team_is_compared_as_the_sink_spells_its_tag() -> None:
    text = 'monitors: {notify: {team: {"NLP Research": "@slack-nlp", default: "@slack-ml"}}}'
    message = monitor("silent_runs", text, tags=["team"])["message"]

    assert '{{#is_exact_match "team.name" "nlp_research"}}@slack-nlp{{/is_exact_match}}' in message


def test_a_tag_with_a_dot_stands_in_brackets_where_it_is_compared_too() -> None:
    text = 'monitors: {notify: {org.team: {nlp: "@slack-nlp", default: "@slack-ml"}}}'
    document = monitor("silent_runs", text, tags=["org.team"])

    told = document["message"].splitlines()[-2:]
    assert "by {org.team," in document["query"]
    assert told == [
        '{{#is_exact_match "[org.team].name" "nlp"}}@slack-nlp{{/is_exact_match}}',
        '{{^is_exact_match "[org.team].name" "nlp"}}@slack-ml{{/is_exact_match}}',
    ]


@pytest.mark.parametrize("name", shipped())
def test_recovery_says_what_happened_and_nothing_of_what_to_do(name: str) -> None:
    message = monitor(name, "")["message"]

    recovered = re.search(r"{{#is_recovery}}\n(.+)\n{{/is_recovery}}", message, re.DOTALL)
    assert recovered
    assert len(recovered[1]) > 20
    otherwise = re.search(r"{{\^is_recovery}}\n(.+)\n{{/is_recovery}}", message, re.DOTALL)
    assert otherwise
    assert otherwise[1].startswith("## What it means")


def test_no_data_says_what_happened() -> None:
    message = monitor("collector_no_data", "")["message"]

    assert message.startswith("{{#is_no_data}}\nNo collection reported anything for 1 hour:")


def test_the_words_follow_the_window() -> None:
    message = monitor("collector_no_data", "monitors: {collector_no_data: {window: 4h}}")["message"]

    assert "No collection reported anything for 4 hours:" in message
    assert "For 4 hours no collection could read anything" in message


@pytest.mark.parametrize("name", shipped())
def test_no_message_holds_a_time_that_the_file_may_change(name: str) -> None:
    alert = shipped()[name]

    words = f"{alert.message} {alert.missing}"
    assert not re.search(r"\b[Ff]or (an|one|two|\d+) (hour|minute)s?\b", words)
    assert "$" not in monitor(name, "")["message"]


def test_links_go_to_the_server_that_is_used() -> None:
    page = "https://wandb.example/{{wandb_entity.name}}/{{wandb_project.name}}"
    messages = [
        asset.document["message"] for asset in compiled(pages="https://wandb.example").wanted
    ]

    assert f"]({page})" in monitor("silent_runs", "", pages="https://wandb.example")["message"]
    assert not any("https://wandb.ai" in message for message in messages)


ACTIVE = "wandb.runs.active"
WRONG = {
    "gpus_idel: off": 'gpus_idel: is no monitor and no metric: did you mean "gpus_idle"?',
    "gpus_idle: {above: 5}": ("gpus_idle.above: is for a metric's own monitor: write threshold: 5"),
    f"{ACTIVE}: {{threshold: 5}}": (
        f"{ACTIVE}.threshold: does not say on which side of it to alert: write above: 5 or below: 5"
    ),
    f"{ACTIVE}: {{}}": (
        f"{ACTIVE}: has neither above nor below: write one of the two, like above: 100"
    ),
    f"{ACTIVE}: {{above: 1, below: 2}}": (
        f"{ACTIVE}: has above and below: write one of the two, like above: 100"
    ),
    "gpus_idle: {warning: 60}": (
        "gpus_idle.warning: 60 would come after the alert: write less than 50"
    ),
    f"{ACTIVE}: {{below: 2, warning: 1}}": (
        f"{ACTIVE}.warning: 1 would come after the alert: write more than 2"
    ),
    'notify: {team: {a: "@a", default: "@b"}}': (
        "notify: not every project has the tag team: give it to each under projects, or go by one"
        " of wandb_entity, wandb_project"
    ),
}


def test_somebody_told_for_a_tag_that_no_project_carries_is_a_fault() -> None:
    text = """
projects:
- {path: a/b, tags: {team: nlp}}
- {path: a/c, tags: {team: Vision Lab}}
monitors:
  notify: {team: {nlpp: "@a", vision lab: "@b", default: "@c"}}
  gpus_idle: {notify: {team: {audio: "@a", default: "@c"}}}
"""
    file = parse_config(text, Path("mine.yaml"))
    settings = Settings.load(None, file.settings, environ={}, env_file=Path("none"))

    split = Split.of(settings)
    found = [*monitor_faults(file, shipped(), {}, split)]

    no_project = "no project has the tag team"
    assert found[0] == (f'mine.yaml:6: monitors.notify: {no_project}: "nlpp": did you mean "nlp"?')
    assert found[-1] == (
        f'mine.yaml:7: monitors.gpus_idle.notify: {no_project}: "audio": it can be nlp, Vision Lab'
    )


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_with_its_line_and_what_would_be_right(text: str) -> None:
    assert faults(f"monitors: {{{text}}}") == [f"2: monitors.{WRONG[text]}"]


def test_a_monitor_that_is_asked_for_and_could_never_alert_is_a_fault() -> None:
    assert faults("drop: [wandb.gpu.idle]\nmonitors: {gpus_idle: {threshold: 60}}") == [
        (
            "3: monitors.gpus_idle: needs wandb.gpu.idle, not collected: "
            "add packs: [gpu] to the configuration file"
        )
    ]


MISSHAPED = {
    "gpus_idle: 3": "gpus_idle: 3 is not a mapping: write key: value",
    "gpus_idle: {treshold: 3}": 'gpus_idle.treshold: unknown key: did you mean "threshold"?',
    "gpus_idle: {threshold: many}": (
        'gpus_idle.threshold: "many" is not a number: write one like 100 or 0.5'
    ),
    "gpus_idle: {window: 4w}": (
        'gpus_idle.window: "4w" is not a window of a monitor: write 30m, 4h or 1d'
    ),
    "gpus_idle: {window: 3d}": (
        "gpus_idle.window: 3d is not between 5m and 2d, as Datadog's monitors want it"
    ),
    "gpus_idle: {priority: 9}": (
        "gpus_idle.priority: 9 is not a priority: write a number from 1 (highest) to 5"
    ),
    "notify: slack-ml": (
        'notify: "slack-ml" is nobody that Datadog can tell: write "@slack-ml", or a list of such'
    ),
    'notify: {team: {nlp: "@nlp"}}': (
        "notify: team has no default, for every other value: write"
        ' {team: {nlp: "@slack-nlp", default: "@slack-ml"}}'
    ),
}


@pytest.mark.parametrize("text", MISSHAPED)
def test_every_command_refuses_what_no_monitor_can_say(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_config(f"monitors: {{{text}}}", Path("mine.yaml"))
    assert caught.value.faults == (f"mine.yaml:1: monitors.{MISSHAPED[text]}",)


def test_config_check_knows_the_monitors_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("monitors: {gpus_idel: off}")

    ended = command("config", "check", file)

    assert ended.code == 78
    assert ended.errors[0].endswith('did you mean "gpus_idle"?')


def test_the_example_of_the_documentation_is_right() -> None:
    (example,) = re.findall(r"```yaml\n(monitors:\n.+?)```", OPERATIONS.read_text(), re.DOTALL)
    nightly = "{name: wandb.training.nightly_gpu_hours, sum: run.gpu_hours, window: 24h}"

    made = compiled(f"metrics: [{nightly}]\n{example}", tags=["team"])

    assert made.off == ("gpus_idle",)
    found = {asset.path.stem: asset.document for asset in made.wanted}
    assert found["collector_no_data"]["message"].endswith("@pagerduty")
    assert found["runs_failing"]["options"]["thresholds"]["critical"] == 5
    assert " > 100" in found["wandb.training.nightly_gpu_hours"]["query"]

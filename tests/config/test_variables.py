"""Variables that nobody reads: said with the right name, and never for what others read."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import wandb
from wandb import env

from runmetrics.config.settings import KNOWN, unread_variables

SOURCE = Path(__file__).parents[2] / "src"


def said(names: Iterable[str]) -> list[str]:
    return unread_variables(dict.fromkeys(names, "x"))


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("WANDB_ENTITTY", "WANDB_ENTITY"),
        ("WANDB_PROJECTS", "WANDB_PROJECT"),
        ("wandb_entity", "WANDB_ENTITY"),
        ("WANDB_APIKEY", "WANDB_API_KEY"),
        ("DD_STIE", "DD_SITE"),
        ("DD_TAG", "DD_TAGS"),
    ],
)
def test_a_near_miss_of_a_variable_that_others_read_too_is_said(name: str, guess: str) -> None:
    assert said([name]) == [f"{name} is not read: did you mean {guess}?"]


def test_a_variable_is_no_near_miss_where_the_right_one_is_set_too() -> None:
    assert said(["DD_TAG", "DD_TAGS"]) == []
    assert unread_variables({"DD_TAG": "a:b", "DD_TAGS": ""}) != []


def test_every_unknown_variable_under_our_own_prefix_is_said() -> None:
    assert said(["RUNMETRICS_PROJECT", "RUNMETRICS_WHATEVER", "PATH"]) == [
        "RUNMETRICS_PROJECT is no setting: did you mean RUNMETRICS_PROJECTS?",
        "RUNMETRICS_WHATEVER is no setting: docs/CONFIGURATION.md has all settings",
    ]


def test_what_kubernetes_sets_for_a_service_called_runmetrics_is_not_said() -> None:
    names = """
        RUNMETRICS_SERVICE_HOST RUNMETRICS_SERVICE_PORT RUNMETRICS_SERVICE_PORT_HTTP
        RUNMETRICS_PORT RUNMETRICS_PORT_9464_TCP RUNMETRICS_PORT_9464_TCP_ADDR
        RUNMETRICS_SERVE_PORT_9464_TCP_PROTO
    """
    assert said(names.split()) == []


def test_no_variable_of_the_official_client_is_a_near_miss() -> None:
    settings = {f"WANDB_{name.upper()}" for name in wandb.Settings.model_fields}
    theirs = {value for value in vars(env).values() if str(value).startswith("WANDB_")}
    assert len(settings) > 100
    assert said(settings | theirs | set(KNOWN)) == []
    assert [name for name in settings | theirs if said([name])] == []


def test_every_variable_of_ours_that_the_code_names_is_a_setting() -> None:
    text = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    named = set(re.findall(r"(?<!_)\bRUNMETRICS_[A-Z_]*[A-Z]\b", text))
    assert named - set(KNOWN) == set()

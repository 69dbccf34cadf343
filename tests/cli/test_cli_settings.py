"""What a command says of its settings: defaults that decide what is read, misspelt variables."""

from collections.abc import Iterator

import pytest

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


def test_a_misspelt_variable_is_a_warning_of_every_command() -> None:
    ended = command(
        "metrics", WANDB_ENTITTY="acme", RUNMETRICS_PROJECT="acme/metta", WANDB_ENTITY=""
    )

    assert ended.code == 0
    assert ended.errors == [
        "RUNMETRICS_PROJECT is no setting: did you mean RUNMETRICS_PROJECTS?",
        "WANDB_ENTITTY is not read: did you mean WANDB_ENTITY?",
    ]

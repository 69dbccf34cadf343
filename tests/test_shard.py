"""Shards: every project is in exactly one of them, on whatever machine one asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmetrics.sandbox.store import Store
from runmetrics.sandbox.wandb_server import WandbSandbox
from runmetrics.shard import Shard
from tests.cli.child import WANDB_KEY
from tests.cli.child import run as run_program
from tests.collectors.wandb.collecting import TOTAL, collect, run

NAMES = st.text(min_size=1, max_size=40)


@given(NAMES, st.integers(1, 16))
def test_every_project_is_in_exactly_one_shard(name: str, count: int) -> None:
    assert sum(Shard(index, count).owns(name) for index in range(count)) == 1


@given(NAMES, st.integers(1, 15))
def test_a_further_shard_takes_projects_over_and_moves_none_between_the_others(
    name: str, count: int
) -> None:
    before = next(index for index in range(count) if Shard(index, count).owns(name))
    after = next(index for index in range(count + 1) if Shard(index, count + 1).owns(name))

    assert after in (before, count)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_a_further_shard_takes_its_share(count: int) -> None:
    further = Shard(count, count + 1)

    taken = sum(further.owns(f"entity/p{number}") for number in range(2000))

    assert taken == pytest.approx(2000 / (count + 1), rel=0.2)


def test_the_shard_of_a_project_never_changes_between_versions_and_machines() -> None:
    owners = [
        next(index for index in range(4) if Shard(index, 4).owns(f"vision/p{number}"))
        for number in range(8)
    ]

    assert owners == [2, 3, 1, 1, 3, 1, 0, 3]


def test_a_shard_is_written_as_it_is_read() -> None:
    assert Shard.parse("3/16") == Shard(3, 16)
    assert str(Shard(3, 16)) == "3/16"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("4/4", "there is no shard 4/4: shards are counted from 0/4 to 3/4"),
        ("0/0", "there is no shard 0/0: shards are counted from 0/1 on"),
        ("-1/4", "'-1/4' is not a shard: write i/n, like 0/4"),
        ("1", "'1' is not a shard: write i/n, like 0/4"),
        ("1/x", "'1/x' is not a shard: write i/n, like 0/4"),
        ("0/99999", "'0/99999' is not a shard: write i/n, like 0/4"),
        ("", "'' is not a shard: write i/n, like 0/4"),
    ],
)
def test_what_is_no_shard_is_refused_with_what_would_be_one(text: str, fault: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its whole text is compared
        Shard.parse(text)
    assert str(caught.value) == fault


def test_the_shards_of_a_collection_read_every_project_once() -> None:
    projects = tuple(f"e/p{number}" for number in range(12))
    store = Store()
    for project in projects:
        store.add("e", project.removeprefix("e/"), run("a"))

    with WandbSandbox(store=store) as sandbox:
        read = [
            f"e/{sample.tags['wandb_project']}"
            for index in range(5)
            for sample in collect(sandbox, projects=("e/*", "e/p1"), shard=Shard(index, 5)).samples
            if sample.name == TOTAL
        ]

    assert sorted(read) == sorted(projects)


def test_a_shard_without_a_project_of_its_own_delivers_nothing_and_is_no_failure() -> None:
    store = Store()
    store.add("e", "p", run("a"))
    empty = next(index for index in range(3) if not Shard(index, 3).owns("e/p"))
    with WandbSandbox(store=store, keys=frozenset({WANDB_KEY})) as sandbox:
        ended = run_program(f"--shard={empty}/3", "--json", wandb=sandbox)

    assert ended.code == 0
    assert ended.report["samples"] == []
    assert ended.report["cost"]["runs_read"] == 0
    assert ended.said("warning") == [
        f"shard {empty}/3 does not have the one project: nothing is read"
    ]


def test_a_wrong_shard_is_a_usage_error() -> None:
    ended = run_program("--shard", "2/2", wandb="http://127.0.0.1:9")

    assert ended.code == 2
    assert "there is no shard 2/2" in ended.err

"""What is said beside values: keys that look like the one that runs lack."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from runmetrics.collectors.wandb.reading.document import Answers, Ask, SummaryAsk
from runmetrics.collectors.wandb.reading.project_client import ProjectClient
from runmetrics.collectors.wandb.remarks import logged_keys, most_alike
from runmetrics.collectors.wandb.runs import Run
from runmetrics.collectors.wandb.unknown import Unknown, unreadable
from runmetrics.errors import ExitCode, TemporaryError


@pytest.mark.parametrize(
    ("key", "others", "alike"),
    [
        ("accuracy", ["loss", "val/accuracy"], ["val/accuracy"]),
        ("accuracy", ["Accuracy", "train_acc"], ["Accuracy"]),
        ("accuracy", ["acuracy", "lr"], ["acuracy"]),
        ("val/loss", ["eval_loss", "train/loss", "lr"], ["eval_loss", "train/loss"]),
        ("loss", ["losses", "closs", "x"], ["closs", "losses"]),
        ("accuracy", ["accuracy"], []),
        ("accuracy", [], []),
        ("lr", ["loss", "epoch"], []),
    ],
)
def test_alike_is_what_shares_a_word_or_is_spelt_nearly_so_most_alike_first(
    key: str, others: list[str], alike: list[str]
) -> None:
    assert most_alike(key, others) == alike


def test_three_similar_keys_are_enough() -> None:
    assert most_alike("loss", ["loss1", "loss2", "loss3", "loss4"]) == ["loss1", "loss2", "loss3"]


class FakeClient(ProjectClient):
    """Answers whole summaries from a dict, or fails."""

    def __init__(self, summaries: Mapping[str, str], error: TemporaryError | None = None) -> None:
        self.summaries = summaries
        self.error = error
        self.asked: list[str] = []

    async def ask(self, asks: Iterable[Ask[Any]]) -> Answers:
        if self.error:
            raise self.error
        found: dict[Ask[Any], str] = {
            ask: self.summaries[ask.run_id] for ask in asks if isinstance(ask, SummaryAsk)
        }
        self.asked += (ask.run_id for ask in found if isinstance(ask, SummaryAsk))
        return Answers(found)


def found(client: FakeClient, *runs: str) -> set[str]:
    return asyncio.run(logged_keys(client, runs))


def test_keys_in_use_are_those_of_numbers_one_level_deep() -> None:
    summary = {
        "loss": 0.5,
        "acc": {"max": 0.9, "when": "now", "deep": {"x": 1}},
        "chart": {"_type": "image-file", "size": 3},
        "note": "text",
        "bad": None,
        "flag": True,
        "_step": 7,
        "_wandb": {"runtime": 9},
        "line\nbreak": 1,
    }

    assert found(FakeClient({"a": json.dumps(summary)}), "a") == {"loss", "acc.max"}


def test_no_more_than_three_runs_are_asked_each_once() -> None:
    client = FakeClient({run: json.dumps({run: 1}) for run in "abcd"})

    assert found(client, "a", "a", "b", "c", "d") == {"a", "b", "c"}
    assert client.asked == ["a", "b", "c"]


def test_nothing_is_asked_where_no_run_lacks_anything() -> None:
    client = FakeClient({})

    assert found(client) == set()
    assert client.asked == []


def test_a_summary_that_is_junk_or_cannot_be_read_suggests_nothing() -> None:
    assert found(FakeClient({"a": "{"}), "a") == set()
    assert found(FakeClient({}, TemporaryError("W&B is away")), "a") == set()


def test_an_error_leaves_its_cause_its_fix_and_its_code_unknown() -> None:
    assert Unknown.because(TemporaryError("W&B is away", "wait")) == Unknown(
        "W&B is away", "wait", ExitCode.TEMPORARY
    )


def test_w5_the_first_run_whose_part_cannot_be_served_is_named() -> None:
    runs = [Run("a"), Run("b", "bad-sun-2", unreadable=frozenset({"config"})), Run("c")]

    assert unreadable(runs, "systemMetrics") is None
    assert unreadable(runs, "config") == Unknown(
        "W&B cannot serve config of run b (bad-sun-2)",
        "look at the run in W&B; deleting it, or asking support@wandb.com, fixes it",
    )

"""docs/CONFIGURATION.md says what the code does."""

import json
import re
from pathlib import Path

import pytest

from runmetrics.collectors.wandb.fields import GROUPS, RUN_FIELDS
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.metrics.language import Aggregate
from runmetrics.collectors.wandb.metrics.where import OPERATORS
from tests.cli.metrics.case import command
from tests.collectors.wandb.collecting import run, sandbox_of
from tests.docs.pages import blocks, page

PAGE = page("CONFIGURATION.md")


@pytest.mark.parametrize("text", blocks(PAGE, "yaml"), ids=lambda text: text.split()[1])
def test_a_documented_file_is_right(text: str) -> None:
    config = parse_config(text, Path("runmetrics.yaml"))

    assert config.layout.metrics or config.settings


@pytest.mark.parametrize("text", re.findall(r"`(?:if: )?(\{[^`]*\})`", PAGE))
def test_a_documented_filter_or_test_is_right(text: str) -> None:
    key = "if" if "run." in text or "summary." in text.replace("summary_metrics.", "") else "where"
    entry = f"metrics: [{{name: m.x, count: runs, window: 7d, {key}: {text}}}]"

    assert parse_config(entry, Path("runmetrics.yaml")).layout.metrics


@pytest.mark.parametrize(
    "word", [*(f"run.{name}" for name in RUN_FIELDS), *GROUPS, *OPERATORS, *Aggregate], ids=str
)
def test_every_word_of_the_language_is_documented(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_the_json_output_has_the_documented_keys() -> None:
    (documented,) = (json.loads(text) for text in blocks(PAGE, "json"))
    with sandbox_of(run("a", summary={"accuracy": 1})) as sandbox:
        printed = command("collect", "wandb", "--json", sandbox=sandbox).json

    assert list(documented) == list(printed)
    for part in ("samples", "missing"):
        assert list(documented[part][0]) == list(printed[part][0])
    assert list(documented["cost"]) == list(printed["cost"])


@pytest.mark.parametrize("line", re.findall(r"`runmetrics ((?:[a-z]+ )*[a-z]+)", PAGE))
def test_every_command_that_is_named_is_there(line: str) -> None:
    words = line.removesuffix(" wandb").split()
    assert command(*words, "--help").code == 0


@pytest.mark.parametrize("place", re.findall(r"\]\((#[a-z-]+)\)", PAGE))
def test_every_place_in_the_page_that_is_linked_is_there(place: str) -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    assert place in {
        "#" + re.sub(r"[^a-z -]", "", each.lower()).replace(" ", "-") for each in headings
    }

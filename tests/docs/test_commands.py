"""Every command of this program that README and docs print works as it is printed there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from runmetrics.sandbox.intake import INTAKE_KEY, DatadogIntake
from tests.cli.metrics.case import command
from tests.collectors.wandb.collecting import run, sandbox_of
from tests.docs.pages import DOCS, EXAMPLE, REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))]
ELSEWHERE = {"demo", "sandbox", "serve", "collectors", "--install-completion"}
"""Tried in tests of their own: they stay, take long, belong to a plugin, or change the shell."""
STANDS_FOR = {"NAME": "wandb.runs.active", "FILE": str(EXAMPLE)}
PACKS = "packs: [health, gpu, throughput, gpu_hours, cost]\ngpu_prices: {default: 2}\n"


def printed() -> Iterator[str]:
    """Yield the commands in code of every page but CLI.md, which is their help."""
    launched = r"(?:uv run )?(?:python devops/datadog/scripts/run_collector.py|runmetrics) "
    for page in PAGES:
        if page.name != "CLI.md":
            text = page.read_text()
            yield from re.findall(rf"^ *({launched}[^\n]*)$", text, re.MULTILINE)
            yield from re.findall(rf"`({launched}[^`]*)`", text)


def arguments(line: str) -> tuple[str, ...]:
    """Return a printed command's arguments, without its comment and where its output goes."""
    words = shlex.split(line.partition(" > ")[0].replace("[--push]", "--push"), comments=True)
    words = words[2:] if words[:2] == ["uv", "run"] else words
    beginning = ["collect"] if words[0] == "python" else []
    words = words[2:] if words[0] == "python" else words[1:]
    return tuple(beginning + [STANDS_FOR.get(word, word) for word in words])


COMMANDS = sorted({found for line in printed() if (found := arguments(line))[0] not in ELSEWHERE})


def test_the_pages_print_commands() -> None:
    assert ("collect", "wandb", "--push") in COMMANDS
    assert ("monitors", "push", "--dry-run") in COMMANDS


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_printed_command_works(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runmetrics.yaml").write_text(PACKS)
    logged = {"accuracy": 0.5, "loss": 0.25}
    words = ("collect", "wandb") if words == ("collect",) else words
    with sandbox_of(run("a", summary=logged)) as sandbox, DatadogIntake() as intake:
        ended = command(
            *words, sandbox=sandbox, DD_URL=intake.url, DD_API_KEY=INTAKE_KEY, DD_APP_KEY=INTAKE_KEY
        )

    assert ended.code == 0, ended.err


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target, place in re.findall(r"\]\(([^)#:\s]*)(?:#([\w-]+))?\)", page.read_text()):
        path = page.parent / target if target else page
        assert path.exists(), target
        if place:
            headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            places = [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]
            assert place in places, f"{target}#{place}"


def test_the_index_leads_to_every_page() -> None:
    index = (DOCS / "index.md").read_text()
    pages = {page.name for page in DOCS.glob("*.md")} - {"index.md"}
    assert {name for name in pages if f"({name})" not in index} == set()

"""docs/wandb-and-datadog-facts.md holds every fact that the code leans on."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import REPOSITORY, page

PAGE = page("wandb-and-datadog-facts.md")
RELIABILITY = page("RELIABILITY.md")


def stated() -> list[int]:
    """Return the numbers of the facts in the page, in its order."""
    numbers: list[int] = []
    for first, last in re.findall(r"^- \*\*(\d+)(?: to (\d+))?\*\*", PAGE, re.MULTILINE):
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def named(pattern: str) -> Iterator[tuple[Path, re.Match[str]]]:
    for folder in ("src", "tests", "docs", "devops", "examples"):
        for path in (REPOSITORY / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".yaml", ".tpl", ".graphql") and path.is_file():
                yield from ((path, found) for found in re.finditer(pattern, path.read_text()))


def test_every_fact_has_one_number_in_order() -> None:
    assert stated() == sorted(set(stated()))


def test_every_fact_that_is_named_is_stated() -> None:
    unknown = {
        (path.name, found[0])
        for path, found in named(r"\bfacts? (\d+)(?: (?:to|and) (\d+))?")
        for number in found.groups()
        if number and int(number) not in stated()
    }
    assert unknown == set()


def test_every_row_that_is_named_is_in_the_table_of_faults() -> None:
    rows = set(re.findall(r"^\| ([A-Z]\d+) \|", RELIABILITY, re.MULTILINE))
    unknown = {
        (path.name, found[0])
        for path, found in named(r"\brow ([WDPOAH]\d+)\b")
        if found[1] not in rows
    }
    assert unknown == set()

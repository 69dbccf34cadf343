"""docs/RELIABILITY.md and the fault tests name the same rows."""

import dataclasses
import re
from pathlib import Path

from runmetrics.sandbox.quirks import Quirks

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "RELIABILITY.md"


def test_every_row_has_a_test_and_every_fault_test_a_row() -> None:
    rows = set(re.findall(r"^\| ([A-Z]\d+) \|", PAGE.read_text(), re.MULTILINE))
    named = {
        row.upper()
        for path in TESTS.rglob("test_*.py")
        for row in re.findall(r"^def test_([wdpoahk]\d{1,2})_", path.read_text(), re.MULTILINE)
    }

    assert rows == named


def test_every_lie_that_the_sandbox_can_tell_is_in_the_table_with_a_test_that_is_there() -> None:
    rows = re.findall(r"^\| (`[a-z_`, ]+) \|.*\| (test_\w+) \|$", PAGE.read_text(), re.MULTILINE)
    told = [name for names, _ in rows for name in re.findall(r"`(\w+)`", names)]
    written = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }

    assert sorted(told) == sorted(each.name for each in dataclasses.fields(Quirks))
    assert {test for _, test in rows} <= written

"""docs/RELIABILITY.md and the fault tests name the same rows."""

import re
from pathlib import Path

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

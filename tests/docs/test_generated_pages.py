"""What the code says of itself stands in the pages as it is."""

import pytest

from runmetrics.errors import ExitCode
from tests.docs.pages import page, writer

WRITER = writer()


@pytest.mark.parametrize("path", WRITER["pages"](), ids=lambda path: path.name)
def test_every_generated_part_is_fresh(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    assert WRITER["write"](text) == text, "run `python devops/write_pages.py`"


def test_a_stale_part_is_noticed_and_fixed() -> None:
    text = page("CONFIGURATION.md")
    stale = text.replace("| `WANDB_ENTITY` |", "| `WANDB_ENTITIES` |")

    assert stale != text
    assert WRITER["write"](stale) == text


def test_a_part_that_nobody_writes_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        WRITER["write"]("<!-- begin generated: nothing -->\n<!-- end generated: nothing -->\n")


def test_every_exit_code_has_a_meaning() -> None:
    text = WRITER["PARTS"]["exit codes"]()
    assert [line.split()[1] for line in text.splitlines()[2:]] == [str(int(c)) for c in ExitCode]


def test_every_key_of_the_file_has_a_meaning() -> None:
    for part in ("file keys", "metric keys", "comparisons"):
        rows = WRITER["PARTS"][part]().splitlines()[2:]
        assert [row for row in rows if not row.split("|")[2].strip()] == []

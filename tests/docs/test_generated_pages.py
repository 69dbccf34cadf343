"""What the code says of itself stands in the pages as it is."""

from pathlib import Path

import pytest

from runmetrics.errors import ExitCode
from tests.docs.pages import page, writer

WRITER = writer()


FILES: dict[Path, str] = WRITER["files"]()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_generated_file_is_fresh(path: Path) -> None:
    assert path.read_text() == FILES[path], "run `uv run python devops/docs/write_docs.py`"


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("CONFIGURATION.md", "| `WANDB_ENTITY` |", "| `WANDB_ENTITIES` |"),
        ("DEPLOYMENT.md", "| `shards` | `1` |", "| `shards` | `2` |"),
        ("ADDING_NEW_COLLECTOR.md", "class DiskCollector", "class StaleCollector"),
    ],
)
def test_a_stale_part_is_noticed_and_fixed(name: str, right: str, wrong: str) -> None:
    text = page(name)
    stale = text.replace(right, wrong)

    assert stale != text
    assert WRITER["write"](stale) == text


def test_a_stale_file_is_named_with_the_command_that_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = WRITER["main"].__globals__
    monkeypatch.setitem(names, "REPOSITORY", tmp_path)
    monkeypatch.setitem(names, "METADATA", tmp_path / "metadata.csv")
    (tmp_path / "metadata.csv").write_text("old")

    assert WRITER["main"](["--check"]) == 1
    assert capsys.readouterr().err == (
        "metadata.csv is stale: uv run python devops/docs/write_docs.py\n"
    )
    assert (WRITER["main"]([]), WRITER["main"](["--check"])) == (0, 0)


def test_a_part_that_nobody_writes_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        WRITER["write"]("<!-- begin: nothing -->\n<!-- end: nothing -->\n")


def test_every_exit_code_has_a_meaning() -> None:
    text = WRITER["PARTS"]["exit codes"]()
    assert [line.split()[1] for line in text.splitlines()[2:]] == [str(int(c)) for c in ExitCode]


def test_every_key_of_the_file_has_a_meaning() -> None:
    for part in ("file keys", "metric keys", "comparisons"):
        rows = WRITER["PARTS"][part]().splitlines()[2:]
        assert [row for row in rows if not row.split("|")[2].strip()] == []

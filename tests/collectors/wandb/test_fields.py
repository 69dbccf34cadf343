"""The table of fields and groups: what is entered there works everywhere."""

import jsonschema
import pytest

from runmetrics.collectors.wandb.fields import GROUPS, RUN_FIELDS, Group, RunField
from runmetrics.collectors.wandb.metrics.layout import config_schema
from runmetrics.collectors.wandb.selection import Selection
from tests.cli.metrics.case import command
from tests.collectors.wandb.collecting import ago, collect, run, sandbox_of
from tests.docs.pages import writer

FILE = """
builtin: false
metrics:
- {name: new.sum, sum: run.job_length, window: 7d, by: initial}
- {name: new.count, count: runs, window: 7d, if: {run.job_length: {gt: 4}}}
"""


@pytest.fixture
def new_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field and a group that need a part of a run that nothing else here reads: its job type."""
    field = RunField(
        "job_length",
        "letters of the run's job type",
        "job type",
        lambda run, *_: float(len(run.job_type)) if run.job_type else None,
        Selection(frozenset({"jobType"})),
    )
    group = Group("initial", "first letter of the user", lambda run: [run.user[:1]], "user")
    monkeypatch.setitem(RUN_FIELDS, "job_length", field)
    monkeypatch.setitem(GROUPS, "initial", group)


@pytest.mark.usefixtures("new_rows")
def test_a_new_row_is_read_aggregated_tested_and_grouped_by() -> None:
    runs = (
        run("a", user="ann", job_type="train"),
        run("b", user="abe", job_type="eval"),
        run("c", user="bob", beat=ago(hours=2)),
    )
    with sandbox_of(*runs) as sandbox:
        found = collect(sandbox, yaml=FILE)

    assert [(each.name, each.value, each.tags.get("initial")) for each in found.samples] == [
        ("new.sum", 9, "a"),
        ("new.count", 1, None),
    ]
    (lacking,) = found.missing
    assert (lacking.tags["initial"], lacking.why) == ("b", "1 of 1 runs have no job type")


@pytest.mark.usefixtures("new_rows")
def test_a_new_row_is_explained(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("file") / "runmetrics.yaml"
    file.write_text(FILE)
    with sandbox_of(run("a", job_type="train", user="ann")) as sandbox:
        explained = command("explain", "new.sum", "--config", file, sandbox=sandbox)

    assert explained.code == 0
    assert "run.job_length" in explained.out
    assert "initial" in explained.out


@pytest.mark.usefixtures("new_rows")
def test_a_new_row_is_documented_and_offered_by_editors() -> None:
    parts = writer()["PARTS"]
    assert "| `run.job_length` | letters of the run's job type |\n" in parts["run fields"]()
    assert "| `initial` | first letter of the user |\n" in parts["groups"]()
    entry = {"name": "new.sum", "sum": "run.job_length", "window": "7d", "by": ["initial"]}
    jsonschema.validate({"metrics": [entry]}, config_schema())


def test_without_the_row_the_word_is_refused() -> None:
    entry = {"name": "new.sum", "sum": "run.job_length", "window": "7d"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"metrics": [entry]}, config_schema())

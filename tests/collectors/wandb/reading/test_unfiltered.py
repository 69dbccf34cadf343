"""A server that takes filters and ignores them, or refuses them, is read in full (row W34)."""

import pytest

from runmetrics.errors import ExitCode
from runmetrics.sandbox.quirks import Quirks
from tests.collectors.wandb.collecting import (
    TEN,
    collect,
    dull_runs,
    run,
    sandbox_of,
    unknown,
    values,
)
from tests.collectors.wandb.reading.test_faults_reading import EXACT, read, thirty_runs

IGNORED = Quirks(filters_ignored=True)
REFUSED = Quirks(
    filters_ignored=True,
    orders_ignored={"*"},
    unknown_fields={"runCount(filters)", "runs(after)"},
)
NO_FILTERS = Quirks(unknown_fields={"runCount(filters)", "runs(filters)"})
NIGHTLY = """
builtin: false
metrics:
  - {name: team.nightly, unit: run, count: runs, where: {group: nightly}}
  - {name: team.all, unit: run, count: runs}
"""


@pytest.mark.parametrize(
    "quirks", [IGNORED, REFUSED, NO_FILTERS], ids=["ignored", "refused", "unknown"]
)
def test_w34_without_filters_every_run_is_read_and_the_ten_are_exact(quirks: Quirks) -> None:
    with sandbox_of(*thirty_runs(), quirks=quirks) as sandbox:
        found = read(sandbox)
    assert (unknown(found), values(found)) == (set(), EXACT)
    assert "this W&B server cannot filter runs: all 30 of the project were read" in found.notices


@pytest.mark.parametrize(
    "quirks", [IGNORED, REFUSED, NO_FILTERS], ids=["ignored", "refused", "unknown"]
)
def test_w34_a_metric_with_a_filter_is_unknown_and_named(quirks: Quirks) -> None:
    with sandbox_of(run("r1", group="nightly"), run("r2"), quirks=quirks) as sandbox:
        found = collect(sandbox, yaml=NIGHTLY)
    assert values(found) == {"team.all": 2}
    assert unknown(found) == {"team.nightly"}
    [problem] = found.problems
    assert problem.code is ExitCode.CONFIGURATION
    assert problem.cause == (
        "this W&B server cannot filter runs, so what `where` matches is not known "
        '(where: {"group": "nightly"})'
    )


def test_w34_an_empty_project_has_no_runs() -> None:
    with sandbox_of(quirks=REFUSED) as sandbox:
        found = read(sandbox)
    assert unknown(found) == set()
    assert values(found)["wandb.runs.total"] == 0


def test_w34_more_than_ten_thousand_runs_are_too_many() -> None:
    with sandbox_of(*dull_runs(10_001), quirks=IGNORED) as sandbox:
        found = read(sandbox)
        requests = len(sandbox.server.requests)
    assert unknown(found) == {*TEN}
    assert requests <= 3
    assert {problem.cause for problem in found.problems} == {
        "this W&B server cannot filter runs, and 10,001 are too many to read at once"
    }


def test_w34_runs_that_are_counted_and_not_shown_make_all_unknown() -> None:
    quirks = Quirks(filters_ignored=True, hidden_rows={"r07"})
    with sandbox_of(*thirty_runs(), quirks=quirks) as sandbox:
        found = read(sandbox)
    assert unknown(found) == {*TEN}
    assert {problem.cause for problem in found.problems} == {
        "W&B counts 30 runs, but 29 could be read"
    }

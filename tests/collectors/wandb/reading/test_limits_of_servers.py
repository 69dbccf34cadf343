"""Old servers, servers that are down, and answers that are too large (rows W31 to W33)."""

import dataclasses
import gzip
from collections.abc import Mapping

import pytest

from runmetrics.collectors.wandb.reading.refusals import without
from runmetrics.errors import ExitCode
from runmetrics.sandbox.http import Fault, Request, Response
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import StoredRun
from tests.collectors.wandb.collecting import (
    ACTIVE,
    AVERAGE,
    COMPLETED,
    FAILED,
    FAST,
    LATEST,
    TEN,
    TOTAL,
    ago,
    collect_from,
    run,
    sandbox_of,
    unknown,
    values,
)
from tests.collectors.wandb.reading.test_faults_reading import (
    EXACT,
    only_these_unknown,
    outcome,
    read,
    thirty_runs,
)


def _summary(stored: StoredRun) -> Mapping[str, object]:
    assert isinstance(stored.summary, Mapping)
    return stored.summary


# --------------------------------------------------------------------------- W31: old servers


@pytest.mark.parametrize(
    "lacking",
    [
        {"summaryMetrics(keys)"},
        {"config(keys)", "runInfo"},
        {"viewer"},
        {"summaryMetrics(keys)", "config(keys)", "viewer", "runInfo", "computeSeconds"},
    ],
    ids=lambda lacking: " ".join(sorted(lacking)),
)
def test_w31_what_an_old_server_lacks_is_done_without_and_said(lacking: set[str]) -> None:
    runs = [
        dataclasses.replace(each, created_at=ago(hours=2), heartbeat_at=ago(hours=1))
        for each in thirty_runs()
    ]
    with sandbox_of(*runs, quirks=Quirks(unknown_fields=frozenset(lacking))) as sandbox:
        found = read(sandbox)
        documents = len(sandbox.documents)
    assert unknown(found) == set()
    assert values(found) == EXACT | {LATEST: 0.3}  # of equal times, the greater id
    assert {without(name) for name in lacking} <= set(found.notices)
    assert documents <= 2 + len(lacking)


def test_w31_what_is_lacking_is_said_with_what_stands_in_for_it() -> None:
    assert without("config(keys)") == (
        "this W&B server has no argument 'config(keys)': whole configurations are read"
    )
    assert without("viewer") == (
        "this W&B server has no field 'viewer': "
        "a refused API key looks like a project that is not there"
    )
    assert without("host") == (
        "this W&B server has no field 'host': metrics that need it are unknown"
    )


def test_w31_without_a_viewer_a_refused_key_is_a_project_that_is_not_there() -> None:
    with sandbox_of(*thirty_runs(), quirks=Quirks(unknown_fields={"viewer"})) as sandbox:
        sandbox.keys = frozenset({"another"})
        ended = outcome(sandbox)
    assert ended.exit_code is ExitCode.CONFIGURATION
    assert ended.collection.problems[0].cause == (
        "W&B has no project e/p, or this key has no access to it"
    )


# ----------------------------------------------------------------- W32: answers over the cap


def test_w32_pages_over_the_cap_are_halved_and_all_numbers_are_exact() -> None:
    long = "x" * 3_000
    runs = [
        dataclasses.replace(each, summary={**_summary(each), "long": long})
        for each in thirty_runs()
    ]
    lacking = Quirks(unknown_fields={"summaryMetrics(keys)"})
    with sandbox_of(*runs, quirks=lacking) as sandbox:
        small = dataclasses.replace(FAST, max_decoded_bytes=50_000)
        found = outcome(sandbox, small).collection
    assert (unknown(found), values(found)) == (set(), EXACT)


def test_w32_an_answer_over_the_cap_costs_no_count_and_no_second_try() -> None:
    """A run larger than the cap makes unknown what needs its summary, and nothing else."""
    runs = thirty_runs()
    runs[7] = dataclasses.replace(runs[7], summary={**_summary(runs[7]), "accuracy": "x" * 9_000})
    with sandbox_of(*runs) as sandbox:
        small = dataclasses.replace(FAST, max_decoded_bytes=8_000)
        found = outcome(sandbox, small).collection
    only_these_unknown(found, AVERAGE)


def test_w32_a_bomb_for_every_answer_is_two_requests() -> None:
    bomb = Response(200, gzip.compress(b" " * 20_000_000), {"Content-Encoding": "gzip"})
    with sandbox_of(*thirty_runs()) as sandbox:
        sandbox.server.fault_for = lambda _request: Fault(response=bomb)
        ended = outcome(sandbox, dataclasses.replace(FAST, max_decoded_bytes=100_000))
        assert len(sandbox.server.requests) == 2
    assert ended.exit_code is ExitCode.TEMPORARY
    assert unknown(ended.collection) == {*TEN}


# --------------------------------------------------------------- W33: servers that are down


@pytest.mark.parametrize("code", [500, 502, 503])
def test_w33_a_server_that_fails_for_ever_is_asked_seven_times(code: int) -> None:
    with sandbox_of(*thirty_runs()) as sandbox:
        sandbox.server.fault_for = lambda _request: Fault(response=Response(code))
        ended = outcome(sandbox)
        assert len(sandbox.server.requests) == 5 + 2  # the document, then a bare count
    assert ended.exit_code is ExitCode.TEMPORARY
    assert unknown(ended.collection) == {*TEN}
    [problem] = ended.collection.problems
    assert problem.cause == f"W&B at {sandbox.url} answered {code} (5 tries)"


@pytest.mark.parametrize("answered", [1, 7, 17])
def test_w33_a_server_that_dies_in_the_middle_of_slices_gets_fifteen_more_requests(
    answered: int,
) -> None:
    runs = [run(f"r{index:04}", beat=ago(minutes=index)) for index in range(400)]
    with sandbox_of(*runs, page_cap=10) as sandbox:
        sandbox.server.fault_for = lambda _request: (
            Fault(response=Response(500)) if len(sandbox.server.requests) > answered else None
        )
        ended = outcome(sandbox)
        assert answered < len(sandbox.server.requests) <= answered + 15
    assert COMPLETED in unknown(ended.collection)
    assert ended.exit_code is ExitCode.TEMPORARY


def test_w33_a_server_that_is_away_for_a_moment_in_the_middle_of_slices_loses_nothing() -> None:
    runs = [run(f"r{index:04}", beat=ago(minutes=index)) for index in range(400)]
    with sandbox_of(*runs, page_cap=10) as sandbox:
        sandbox.server.fault_for = lambda _request: (
            Fault(response=Response(502)) if 7 < len(sandbox.server.requests) <= 17 else None
        )
        found = outcome(sandbox).collection
    assert unknown(found) == set()
    assert values(found)[COMPLETED] == 400


def test_w33_the_counts_of_a_server_that_fails_on_every_page_have_no_witness() -> None:
    def pages_fail(request: Request) -> Fault | None:
        return Fault(response=Response(500)) if b"edges" in request.body else None

    with sandbox_of(*thirty_runs()) as sandbox:
        sandbox.server.fault_for = pages_fail
        found = outcome(sandbox).collection
        assert len(sandbox.server.requests) < 150
    assert unknown(found) == {*TEN}


def test_w33_two_runs_that_cannot_be_served_leave_the_others_exact() -> None:
    quirks = Quirks(unreadable={("r03", "systemMetrics"), ("r20", "summaryMetrics")})
    with sandbox_of(*thirty_runs(), quirks=quirks) as sandbox:
        found = outcome(sandbox).collection
    assert {COMPLETED: 27, FAILED: 3, TOTAL: 30, ACTIVE: 0}.items() <= values(found).items()
    named = " ".join(problem.cause for problem in found.problems)
    assert "systemMetrics of run r03" in named
    assert "summaryMetrics of run r20" in named


def test_a_server_without_orders_is_too_old_and_the_metrics_file_is_not_to_blame() -> None:
    quirks = Quirks(unknown_fields={"runs(order)"})

    collection = collect_from(run("a", summary={"accuracy": 0.5}), quirks=quirks)

    fixes = {problem.fix for problem in collection.problems}
    assert fixes == {"use a newer W&B server: this one lacks what has to be asked"}

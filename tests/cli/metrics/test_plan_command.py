"""`runmetrics plan`: what a configuration costs, before anything is asked."""

import json
from pathlib import Path

import pytest

from runmetrics.collectors.wandb.inspect.describe_plan import (
    ReadInWords,
    first_document,
    growth_in_words,
    reads_in_words,
    requests_for_a_page,
)
from runmetrics.collectors.wandb.metrics.catalog import load_catalog
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.reading.plan import Plan, compile_plan
from runmetrics.config.file_settings import FileSettings
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.cli.metrics.case import command
from tests.cli.metrics.random_projects import EVERYTHING
from tests.collectors.wandb.collecting import (
    ACTIVE,
    BEST,
    LATEST,
    NOW,
    TEN,
    TOTAL,
    ago,
    collect,
    run,
    sandbox_of,
)

FURTHER = "one more for every 900 or so further ones, and one to check that none was missed"
ONE_OF_EACH = """\
builtin: false
metrics:
- {name: m.total, count: runs}
- {name: m.best, max: summary.accuracy}
- {name: m.week, mean: summary.accuracy, window: 7d, by: user}
- {name: m.ever, sum: run.gpu_hours, full_scan: true}
- {name: m.slashed, max: summary.val/acc}
"""


def plan_of(yaml: str) -> Plan:
    file = parse_config(yaml, Path("mine.yaml")) if yaml else None
    return compile_plan(load_catalog(file, FileSettings()).metrics)


def full_project() -> WandbSandbox:
    """Runs that lack nothing, so that nobody looks for similar keys."""
    summary = {"accuracy": 0.5, "loss": 1, "tokens/s": 3, "nested": {"score": 1}, "val/acc": 0.4}
    return sandbox_of(
        *(
            run(
                f"r{index}",
                state,
                beat=ago(minutes=5),
                summary=summary,
                config={"lr": 1},
                compute_seconds=60,
            )
            for index, state in enumerate(("running", "finished", "failed", "crashed"))
        )
    )


@pytest.mark.parametrize(
    ("yaml", "requests"),
    [("", 2), ("packs: [health, gpu, throughput]", 2), (EVERYTHING, 3), (ONE_OF_EACH, 2)],
)
def test_the_number_of_requests_that_is_told_is_the_number_that_is_made(
    yaml: str, requests: int
) -> None:
    with full_project() as sandbox:
        collection = collect(sandbox, yaml=yaml)

    assert collection.problems == ()
    assert collection.cost.requests == requests_for_a_page(plan_of(yaml)) == requests


def test_a_latest_value_that_no_run_of_the_week_has_costs_one_request_more() -> None:
    summary = {"accuracy": 0.5}
    with sandbox_of(run("r1", "finished", beat=ago(minutes=5), summary=summary)) as sandbox:
        collection = collect(sandbox)

    assert collection.cost.requests == requests_for_a_page(plan_of("")) + 1


def test_a_run_that_never_logged_costs_one_request_more_where_nothing_is_asked_twice() -> None:
    metric = "{name: m.x, mean: summary.accuracy, window: 7d, state: finished}"
    yaml = f"builtin: false\nmetrics: [{metric}]\n"
    runs = [run("r1", "crashed", summary=None), run("r2", summary={"accuracy": 0.5})]
    with sandbox_of(*runs) as sandbox:
        collection = collect(sandbox, yaml=yaml)

    plan = plan_of(yaml)
    assert "a list of runs of which some never logged: one more" in growth_in_words(plan)
    assert collection.cost.requests == requests_for_a_page(plan) + 1


def test_the_document_that_is_told_is_the_one_that_is_sent() -> None:
    with full_project() as sandbox:
        collect(sandbox)
        sent = sandbox.documents[0]

    document, variables = first_document(plan_of(""), NOW)
    assert sent.query == document
    assert sent.variables == {"entity": "e", "project": "p", **variables}


def test_the_ten_in_words() -> None:
    ended = command("plan")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[:7] == [
        "how many there are of the running runs, counted by W&B",
        '  filter  {"state": "running"}',
        f"  for     {ACTIVE}",
        "",
        "how many there are of all runs, counted by W&B",
        "  filter  {}",
        f"  for     {TOTAL}",
    ]
    assert BEST in ended.out
    assert LATEST in ended.out
    assert ended.out.splitlines()[-7:] == [
        "projects: e/p",
        "for each: at most 2 requests with up to 1,000 runs in each list of runs",
        f"  a list of more than 1,000 runs: {FURTHER}",
        "  a list of more than 1,000 runs of which some never logged: one more",
        "  a latest value that no run of the last days has: one more",
        "Datadog custom metrics: at most 10 for each",
        "nothing was asked of W&B",
    ]


def test_a_narrow_terminal_folds_no_name_and_no_filter_and_shows_no_bounds_of_numbers() -> None:
    out = command("plan", COLUMNS="80").out

    assert {*TEN} <= {*out.split()}
    filters = [line for line in out.splitlines() if line.startswith("  filter  ")]
    assert len(filters) == 5
    assert [*json.loads(filters[-1].removeprefix("  filter  "))] == ["$or"]
    assert len(filters[-1]) > 80
    assert "e+308" not in out
    assert "with a number there" in " ".join(out.split())


def test_what_grows_with_the_history_and_what_groups_cost_is_said(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(ONE_OF_EACH)

    ended = command("plan", "--config", file, RUNMETRICS_PROJECTS="a/b,c/*")

    lines = ended.out.splitlines()
    assert "projects: a/b, c/*" in lines
    assert "  the whole history is read: one more for every 1,000 runs or so" in lines
    assert (
        "  where nothing shows that W&B filters by summary.val/acc: one more for every 1,000 runs "
        "of the project"
    ) in lines
    assert lines[-3:] == [
        "Datadog custom metrics: at most 204 for each",
        "  m.week by user: at most 200",
        "nothing was asked of W&B",
    ]


def test_the_bill_is_told_where_the_price_and_the_projects_are_known(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"custom_metric_price: 0.05\nmax_series_total: 300\n{ONE_OF_EACH}")

    listed = command("plan", "--config", file, RUNMETRICS_PROJECTS="a/b,a/c")
    starred = command("plan", "--config", file, RUNMETRICS_PROJECTS="a/*")

    assert listed.out.splitlines()[-4:] == [
        "Datadog custom metrics: at most 204 for each, 300 for all; $15.00 a month",
        "  m.week by user: at most 200",
        "  over 300 in all no metric is split by `by`",
        "nothing was asked of W&B",
    ]
    (bill,) = [line for line in starred.out.splitlines() if "custom metrics" in line]
    assert bill == "Datadog custom metrics: at most 204 for each; $10.20 a month for each"


@pytest.mark.parametrize(
    ("bound", "most"),
    [
        (20, "20 for each, 20 for all"),
        (3, "5 for each, 10 for all"),
        (900, "204 for each, 408 for all"),
    ],
)
def test_no_more_custom_metrics_are_told_than_the_bound_leaves(
    bound: int, most: str, tmp_path: Path
) -> None:
    """Over the bound each of the five metrics is one series of each project."""
    file = tmp_path / "mine.yaml"
    file.write_text(f"max_series_total: {bound}\n{ONE_OF_EACH}")

    lines = command("plan", "--config", file, RUNMETRICS_PROJECTS="a/b,a/c").out.splitlines()

    assert f"Datadog custom metrics: at most {most}" in lines


@pytest.mark.parametrize(
    ("bound", "most"),
    [
        ("", "204: $0.10 a month now, at most $10.20"),
        ("max_series_total: 50\n", "50: $0.10 a month now, at most $2.50"),
    ],
)
def test_verbose_tells_the_custom_metrics_of_a_collection_and_their_price(
    bound: str, most: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"custom_metric_price: 0.05\n{bound}{ONE_OF_EACH}")

    with sandbox_of(run("a", user="ann"), run("b", user="bob")) as sandbox:
        ended = command("collect", "wandb", "--verbose", "--config", file, sandbox=sandbox)

    (bill,) = [line for line in ended.errors if "custom metrics at Datadog" in line]
    assert bill == f"2 custom metrics at Datadog now, at most {most}"


def test_verbose_prints_the_document_and_its_variables() -> None:
    out = command("plan", "--verbose").out

    assert "query Runmetrics($entity: String, $project: String, " in out
    assert "    a1: runCount(filters: $a1_filters)\n" in out
    assert '  a1_filters = {"state": "running"}\n' in out


def test_of_a_key_with_a_dot_every_run_is_read_by_a_filter_that_does_not_name_it() -> None:
    plan = plan_of(
        "builtin: false\nmetrics: [{name: m.x, max: summary.eval.accuracy, state: finished}]"
    )

    assert reads_in_words(plan, NOW) == [
        ReadInWords(
            "the greatest summary.eval.accuracy of the finished runs, every run read",
            '{"state": "finished"}',
            ("m.x",),
        )
    ]

"""`runmetrics explain`: the value that is pushed, and the runs that make it."""

import json
import math
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from runmetrics.collectors.wandb.collector import WandbCollector
from runmetrics.collectors.wandb.inspect.explain import MOST_RUNS, Explainer
from runmetrics.collectors.wandb.metrics.catalog import Aggregate
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.model import Sample
from runmetrics.plugins import Setup
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox
from tests.cli.metrics.case import command, rows
from tests.cli.metrics.random_projects import EVERYTHING, random_project
from tests.collectors.wandb.collecting import (
    ACTIVE,
    AVERAGE,
    BEST,
    NOW,
    TOTAL,
    ago,
    run,
    sandbox_of,
)

FORMULA = "mean of summary.accuracy over finished runs whose last sign of life is within 7 days"


def collector_of(sandbox: WandbSandbox) -> WandbCollector:
    settings = Settings(
        wandb_api_key=SecretStr(SANDBOX_KEY), entity="e", project="p", base_url=sandbox.url
    )
    return WandbCollector(Setup(settings, parse_config(EVERYTHING, Path("everything.yaml"))))


@pytest.mark.parametrize(
    "name",
    [
        *(ACTIVE, BEST, AVERAGE, "mine.least_ever", "mine.median", "mine.filtered"),
        *("mine.sum", "mine.mean_by_run", "wandb.gpu.idle", "wandb.health.silent"),
    ],
)
def test_what_is_explained_is_what_is_collected(name: str) -> None:
    with WandbSandbox(store=random_project(0)) as sandbox:
        collected = collector_of(sandbox).collect(NOW, Deadline(60))
        explained = Explainer(collector_of(sandbox), name).collect(NOW, Deadline(60))

    assert explained.samples == tuple(s for s in collected.samples if s.name == name)
    assert explained.missing == tuple(m for m in collected.missing if m.name == name)
    assert explained.samples
    assert collected.problems == explained.problems == ()


def recomputed(aggregate: Aggregate, values: list[float]) -> float:
    match aggregate:
        case Aggregate.SUM:
            return math.fsum(values)
        case Aggregate.MEAN:
            return math.fsum(values) / len(values)
        case Aggregate.P50:
            middle = len(values) // 2
            return (sorted(values)[middle] + sorted(values)[~middle]) / 2
    return values[0]  # least, greatest, latest: what leads the list


@pytest.mark.parametrize("seed", range(4))
def test_the_runs_that_are_shown_make_the_value_of_every_metric(seed: int) -> None:
    proven = set()
    with WandbSandbox(store=random_project(seed, runs=15)) as sandbox:
        collector = collector_of(sandbox)
        explainers = [Explainer(collector, metric.name) for metric in collector.catalog.metrics]
        collected = collector.collect(NOW, Deadline(60))
    for explainer in explainers:
        metric = explainer.metric
        for sample in explainer.part(collected).samples:
            behind = explainer.behind(sample)
            values = [each.value for each in behind.runs if each.value is not None]
            if len(behind.runs) < behind.selected or metric.aggregate is Aggregate.P95:
                continue
            if "other" in sample.tags.values():
                continue  # a run with several tags counts in it under each
            if metric.aggregate is Aggregate.COUNT:
                assert sample.value == len(behind.runs), metric.name
            elif values:
                assert recomputed(metric.aggregate, values) == pytest.approx(sample.value)
            proven.add(metric.name)
    assert len(proven) > 20


def test_the_runs_of_a_mean_are_shown_with_what_each_adds_the_greatest_first() -> None:
    runs = [
        run("low", summary={"accuracy": 0.25}, display_name="calm-lake"),
        run("high", summary={"accuracy": 0.75}, beat=ago(hours=2)),
        run("none", beat=ago(hours=3)),
        run("failed", "failed", summary={"accuracy": 1}),
    ]
    with sandbox_of(*runs) as sandbox:
        ended = command("explain", AVERAGE, sandbox=sandbox)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[:4] == [
        AVERAGE,
        "  Mean accuracy of the runs that finished in the last 7 days",
        f"  formula  {FORMULA}",
        "  unit     none",
    ]
    assert "0.5  wandb_entity:e wandb_project:p\n  1 of 3 finished runs have no" in ended.out
    (high,) = rows(ended.out, "high")
    (low,) = rows(ended.out, "calm-lake (low)")
    (none,) = rows(ended.out, "none")
    beat = f"{ago(hours=2):%Y-%m-%d %H:%M:%SZ}"
    assert high == ["high", "0.75", "finished", beat]
    assert (low[1], none[1]) == ("0.25", "finished")
    lines = ended.out.splitlines()
    pages = [line.strip() for line in lines if "/runs/" in line]
    assert pages == [f"{sandbox.url}/e/p/runs/{name}" for name in ("high", "low", "none")]


def test_on_a_narrow_terminal_the_page_of_each_run_is_one_whole_line() -> None:
    name = "a-run-with-a-name-of-some-length"
    with sandbox_of(run(name, summary={"accuracy": 0.25})) as sandbox:
        ended = command("explain", AVERAGE, sandbox=sandbox, COLUMNS="80")

    assert f"  {sandbox.url}/e/p/runs/{name}" in ended.out.splitlines()


def test_of_many_runs_the_first_twenty_are_shown_and_the_rest_is_counted() -> None:
    with sandbox_of(*(run(f"r{index:02}") for index in range(25))) as sandbox:
        shown = command("explain", "wandb.runs.completed_7d", sandbox=sandbox)
        as_json = command("explain", "wandb.runs.completed_7d", "--json", sandbox=sandbox).json

    assert len(rows(shown.out, "r")) == 1 + MOST_RUNS  # the header is "run"
    assert shown.out.endswith("the first 20 of 25 runs, by last sign of life\n")
    assert (as_json["values"][0]["value"], as_json["values"][0]["selected_runs"]) == (25, 25)


def test_runs_none_of_which_has_the_value_are_said_to_stand_by_their_last_sign_of_life() -> None:
    with sandbox_of(*(run(f"r{index:02}") for index in range(25))) as sandbox:
        shown = command("explain", AVERAGE, sandbox=sandbox)

    assert shown.out.endswith("the first 20 of 25 runs, by last sign of life\n")


def test_a_count_that_the_server_made_is_explained_by_runs_that_match_it() -> None:
    runs = [run("on", "running"), run("off"), run("old", beat=ago(days=40))]
    runs[0].created_at = ago(minutes=5)
    with sandbox_of(*runs) as sandbox:
        active = command("explain", ACTIVE, "--json", sandbox=sandbox).json
        total = command("explain", TOTAL, "--json", sandbox=sandbox).json

    assert active["filters"] == {"state": "running"}
    assert [each["id"] for each in active["values"][0]["runs"]] == ["on"]
    assert [each["id"] for each in total["values"][0]["runs"]] == ["on", "off", "old"]


def test_the_runs_around_a_percentile_are_shown_and_where_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "packs.yaml"
    file.write_text("packs: [throughput]")
    runs = [run(f"r{n:03}", compute_seconds=3600.0 * n) for n in range(1, 102)]
    with sandbox_of(*runs) as sandbox:
        name = "wandb.throughput.p95_duration_hours_7d"
        as_json = command("explain", name, "--json", "--config", file, sandbox=sandbox).json
        shown = command("explain", name, "--config", file, sandbox=sandbox).out

    (value,) = as_json["values"]
    ids = [each["id"] for each in value["runs"]]
    assert value["value"] == 96
    assert len(ids) == MOST_RUNS
    assert "r096" in ids
    assert shown.endswith("  the first 20 of 101 runs, by run.duration_hours\n")


def test_a_median_is_in_the_middle_of_the_runs_that_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "packs.yaml"
    file.write_text("packs: [throughput]")
    runs = [run(f"r{n:03}", compute_seconds=3600.0 * n) for n in range(1, 102)]
    with sandbox_of(*runs) as sandbox:
        name = "wandb.throughput.median_duration_hours_7d"
        as_json = command("explain", name, "--json", "--config", file, sandbox=sandbox).json
        shown = command("explain", name, "--config", file, sandbox=sandbox).out

    (value,) = as_json["values"]
    assert value["value"] == 51
    assert [each["id"] for each in value["runs"]] == [f"r{n:03}" for n in range(61, 41, -1)]
    assert value["first_shown"] == 41
    assert shown.endswith("  numbers 41 to 60 of 101 runs, by run.duration_hours\n")


def test_the_filter_is_that_of_the_metrics_own_runs() -> None:
    with sandbox_of(run("a"), run("b", "failed"), run("c", "failed", beat=ago(days=9))) as sandbox:
        failed = command("explain", "wandb.runs.failed_7d", "--json", sandbox=sandbox).json
        answer = httpx.post(
            f"{sandbox.url}/graphql",
            auth=("api", SANDBOX_KEY),
            json={
                "query": """query Q($f: JSONString) { project(name: "p", entityName: "e") {
                    runs(first: 9, filters: $f) { edges { node { name } } } } }""",
                "variables": {"f": json.dumps(failed["filters"])},
            },
        )

    edges = answer.json()["data"]["project"]["runs"]["edges"]
    assert [edge["node"]["name"] for edge in edges] == ["b"]


@pytest.mark.parametrize("key", ["eval.accuracy", "eval/accuracy"])
def test_the_filter_of_a_key_that_w_and_b_may_not_filter_by_finds_its_holder(
    key: str, tmp_path: Path
) -> None:
    file = tmp_path / "metrics.yaml"
    file.write_text(f"metrics: [{{name: m.x, max: summary.{key}, state: finished}}]")
    literal = run("literal", summary={key: 0.99})
    path = run("path", summary={"eval": {"accuracy": 0.8}})
    with sandbox_of(literal, path) as sandbox:
        shown = command("explain", "m.x", "--json", "--config", file, sandbox=sandbox).json

    (value,) = shown["values"]
    assert (value["value"], value["runs"][0]["id"]) == (0.99, "literal")
    assert shown["filters"] == {"state": "finished"}


def test_the_runs_of_a_project_with_tags_are_shown_too(tmp_path: Path) -> None:
    file = tmp_path / "team.yaml"
    file.write_text("projects: [{path: e/p, tags: {team: nlp}}]")
    with sandbox_of(run("a")) as sandbox:
        name = "wandb.runs.completed_7d"
        ended = command("explain", name, "--json", "--config", file, sandbox=sandbox)

    (value,) = ended.json["values"]
    assert value["tags"]["team"] == "nlp"
    assert [each["id"] for each in value["runs"]] == ["a"]


def test_a_proven_maximum_leads_its_runners_up() -> None:
    runs = [run(f"r{n}", summary={"accuracy": n / 10}) for n in (3, 9, 5)]
    with sandbox_of(*runs) as sandbox:
        (value,) = command("explain", BEST, "--json", sandbox=sandbox).json["values"]

    assert value["value"] == 0.9
    assert [(each["id"], each["value"]) for each in value["runs"]] == [
        ("r9", 0.9),
        ("r5", 0.5),
        ("r3", 0.3),
    ]


def test_where_the_servers_order_cannot_be_trusted_only_the_winner_is_shown() -> None:
    runs = [run(f"r{n:02}", summary={"accuracy": n / 100}) for n in range(1, 61)]
    with sandbox_of(*runs, quirks=Quirks(orders_ignored={"*"})) as sandbox:
        (value,) = command("explain", BEST, "--json", sandbox=sandbox).json["values"]

    assert value["value"] == 0.6
    assert [each["id"] for each in value["runs"]] == ["r60"]


def test_no_data_is_explained_too() -> None:
    with sandbox_of(run("a")) as sandbox:
        ended = command("explain", AVERAGE, sandbox=sandbox)

    assert ended.code == 0
    assert "no data  wandb_entity:e wandb_project:p\n  1 of 1 finished runs have no" in ended.out


def test_several_projects_are_explained_one_by_one() -> None:
    with sandbox_of(run("a")) as sandbox:
        sandbox.store.add("e", "q", run("b"), run("c"))
        ended = command(
            *("explain", "wandb.runs.completed_7d", "--json"),
            sandbox=sandbox,
            RUNMETRICS_PROJECTS="e/p,e/q",
        )

    found = {
        each["tags"]["wandb_project"]: (each["value"], [one["id"] for one in each["runs"]])
        for each in ended.json["values"]
    }
    assert found == {"p": (1, ["a"]), "q": (2, ["b", "c"])}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("wandb.runs.activ", "wandb.runs.active"), ("gpu_hours", "wandb.training.total_gpu_hours_7d")],
)
def test_a_misspelt_name_or_a_part_is_refused_with_the_one_that_was_meant(
    name: str, meant: str
) -> None:
    ended = command("explain", name)

    assert ended.code == 2
    assert ended.errors == [f'there is no metric {name!r}: did you mean "{meant}"?']


def test_a_metric_of_a_pack_that_is_off_names_its_pack() -> None:
    ended = command("explain", "wandb.health.silent")

    assert ended.code == 78
    assert ended.errors == [
        (
            "wandb.health.silent is in the pack health, which is off: "
            "add packs: [health] to the configuration file"
        )
    ]


def test_a_project_that_is_not_there_is_a_problem_not_a_zero() -> None:
    with sandbox_of() as sandbox:
        ended = command("explain", ACTIVE, "--json", sandbox=sandbox, WANDB_PROJECT="pp")

    assert ended.code == 78
    assert ended.json["values"] == []
    assert ended.json["exit_code"] == 78
    (said,) = ended.errors
    assert said == (
        "W&B has no project e/pp, or this key has no access to it: "
        "check WANDB_PROJECT; did you mean p?"
    )


def test_samples_are_explained_by_their_tags() -> None:
    runs = [run("a", user="ann"), run("b", user="bob"), run("c", user="bob")]
    with sandbox_of(*runs) as sandbox:
        collector = collector_of(sandbox)
        explainer = Explainer(collector, "wandb.gpu.hours_by_user_7d")
        collected = explainer.collect(NOW, Deadline(60))

    def ids(sample: Sample) -> list[str]:
        return [each.run.id for each in explainer.behind(sample).runs]

    assert {sample.tags["user"]: ids(sample) for sample in collected.samples} == {
        "ann": ["a"],
        "bob": ["b", "c"],
    }


def test_what_cannot_be_known_is_unknown_and_why() -> None:
    with sandbox_of(run("a")) as sandbox:
        one = command("explain", TOTAL, sandbox=sandbox, RUNMETRICS_PROJECTS="e/p,e/q")
    dead = command("explain", TOTAL, sandbox=sandbox)

    assert (one.code, dead.code) == (76, 75)
    assert one.out.splitlines()[-2:] == [
        "unknown  wandb_entity:e wandb_project:q",
        "  W&B has no project e/q, or this key has no access to it",
    ]
    assert "\n1 run  wandb_entity:e wandb_project:p\n" in one.out
    unknown, why = dead.out.splitlines()[-2:]
    assert unknown == "unknown  wandb_entity:e wandb_project:p"
    assert why.startswith(f"  W&B at {sandbox.url} cannot be reached")

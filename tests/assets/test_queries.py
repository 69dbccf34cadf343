"""Every query of every dashboard and monitor names a metric and tags that are really sent."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from runmetrics.assets import Asset, Kind, find
from tests.assets import queries
from tests.assets.conftest import compiled
from tests.assets.emitted import Emitted, Tags
from tests.assets.queries import Asked

REPOSITORY = Path(__file__).parents[2]
DASHBOARDS, SLOS, GRAFANA = (find(kind) for kind in (Kind.DASHBOARD, Kind.SLO, Kind.GRAFANA))
MONITORS = compiled("monitors: {gpu_hours_over_budget: {threshold: 1000}}").wanted
each_asset = pytest.mark.parametrize(
    "asset", [*DASHBOARDS, *MONITORS, *SLOS, *GRAFANA], ids=lambda asset: asset.path.as_posix()
)


def unsent(asked: list[Asked], sent: Tags) -> list[str]:
    """Metrics that nobody sends, and tags that a metric does not carry."""
    found = [each.metric for each in asked if each.metric not in sent]
    for each in asked:
        tags = each.tags - sent.get(each.metric, each.tags)
        found += [f"{each.metric}{{{tag}}}" for tag in sorted(tags)]
    return found


def asked_by(asset: Asset, document: dict[str, Any] | None = None) -> list[Asked]:
    document = document or asset.document
    if asset.kind is Kind.DASHBOARD:
        return queries.asked_by_dashboard(document)
    if asset.kind is Kind.GRAFANA:
        return queries.asked_by_grafana(document)
    if asset.kind is Kind.SLO:
        return queries.datadog_slo(document)
    return queries.datadog_monitor(document["query"])


def tags_of(asset: Asset, sent: Emitted) -> Tags:
    return sent.prometheus if asset.kind is Kind.GRAFANA else sent.datadog


@each_asset
def test_every_query_names_a_metric_and_tags_that_are_sent(asset: Asset, sent: Emitted) -> None:
    asked = asked_by(asset)

    assert asked
    assert unsent(asked, tags_of(asset, sent)) == []


@each_asset
def test_a_wrong_name_in_any_query_is_found(asset: Asset, sent: Emitted) -> None:
    text = json.dumps(asset.document)
    for metric in sorted({each.metric for each in asked_by(asset)}):
        wrong = json.loads(re.sub(rf"\b{re.escape(metric)}\b", f"{metric}x", text))
        assert f"{metric}x" in unsent(asked_by(asset, wrong), tags_of(asset, sent))


WRONG_TAGS = {
    r" by \{(?=\w)": " by {x",
    r" by \((?=\w)": " by (x",
    r"\{collector": "{xcollector",
    r"\{team=": "{xteam=",
    r'"prefix": "': '"prefix": "x',
}
"""Ways to ask for a tag that is not there, each where it occurs."""


@each_asset
def test_a_tag_that_a_metric_does_not_carry_is_found(asset: Asset, sent: Emitted) -> None:
    text = json.dumps(asset.document)
    mutants = [re.sub(right, wrong, text) for right, wrong in WRONG_TAGS.items()]
    mutants = [mutant for mutant in mutants if mutant != text]

    assert mutants
    for mutant in mutants:
        faults = unsent(asked_by(asset, json.loads(mutant)), tags_of(asset, sent))
        assert any("{x" in fault for fault in faults)


def test_every_metric_is_on_both_dashboards(sent: Emitted) -> None:
    (datadog,), (grafana,) = DASHBOARDS, GRAFANA

    assert {each.metric for each in asked_by(datadog)} == set(sent.datadog)
    assert {each.metric for each in asked_by(grafana)} == set(sent.prometheus)


def test_every_number_about_runs_can_be_narrowed_to_team_project_and_environment() -> None:
    (board,), (grafana,) = DASHBOARDS, GRAFANA
    of_a_project = {"team", "wandb_entity", "wandb_project"}
    for each in asked_by(board):
        itself = each.metric.startswith("runmetrics.")
        assert each.variables == {"env"} | (set() if itself else of_a_project)
    for text in queries.expressions(grafana.document):
        for each in queries.prometheus(text):
            itself = each.metric.startswith("runmetrics_")
            assert each.variables == (set() if itself else of_a_project)


def test_points_half_an_hour_apart_are_joined() -> None:
    (board,) = DASHBOARDS
    texts = [
        query["query"]
        for widget in queries.widgets(board.document)
        for request in widget.get("requests", [])
        for query in request["queries"]
    ]

    assert {text.rpartition(".")[2].split("}")[-1] for text in texts} == {
        "fill(last, 3600)",
        "rollup(count, 3600)",
    }


def test_promtool_reads_every_expression_of_grafana(promtool: Path, tmp_path: Path) -> None:
    (board,) = GRAFANA
    rules = [
        {"record": f"panel:{index}", "expr": text}
        for index, text in enumerate(queries.expressions(board.document))
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    judged = subprocess.run(
        [promtool, "check", "rules", file], capture_output=True, text=True, check=False
    )

    assert f"SUCCESS: {len(rules)} rules found" in judged.stdout, judged.stderr


def test_the_rules_of_the_docs_are_right_and_about_what_is_exported(
    sent: Emitted, promtool: Path, tmp_path: Path
) -> None:
    page = (REPOSITORY / "docs/OPERATIONS.md").read_text()
    (rules,) = re.findall(r"<!-- prometheus rules -->\n```yaml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "rules.yml"
    file.write_text(rules)

    judged = subprocess.run(
        [promtool, "check", "rules", file], capture_output=True, text=True, check=False
    )

    assert "SUCCESS: 5 rules found" in judged.stdout, judged.stderr
    assert set(re.findall(r"\brunmetrics_\w+", rules)) <= set(sent.prometheus)


@pytest.mark.parametrize(
    "query",
    [
        "sum:wandb.runs.active",
        "wandb.runs.active{*}",
        "p99:wandb.runs.active{*}",
        "sum:wandb.runs.active{$nobody}",
        "sum:wandb.runs.active{*}.fill(zero)",
    ],
)
def test_what_is_no_metric_query_is_an_error(query: str) -> None:
    with pytest.raises(AssertionError):
        queries.datadog(query, {"env": "env"})


@pytest.mark.parametrize(
    "query",
    [
        "max(last_1h):max:wandb.runs.active{*}",
        "max(last_1h):( max:wandb.runs.active{*} > 1",
        "change(max(last_1h),1y_ago):max:wandb.runs.active{*} > 1",
    ],
)
def test_what_is_no_monitor_query_is_an_error(query: str) -> None:
    with pytest.raises((AssertionError, SyntaxError)):
        queries.datadog_monitor(query)


def test_an_unknown_word_in_an_expression_is_an_error() -> None:
    with pytest.raises(AssertionError, match="unknown words"):
        queries.prometheus('sum(rate(wandb_runs{wandb_entity="e"}))')

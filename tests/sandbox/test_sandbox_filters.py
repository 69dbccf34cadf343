"""The W&B server: filters, as the backend reads them."""

import json
import math
from typing import Any

import pytest

from runmetrics.sandbox.store import StoredRun
from tests.sandbox.sandbox_case import NOW, holding, hours, names, page, post
from tests.sandbox.sandbox_case import PAGE as QUERY

RUNS = (
    StoredRun(
        "a",
        "running",
        hours(-3),
        hours(-1),
        {"acc": 0.9, "val/acc": 0.5, "n": {"x": 7}, "text": "fine", "ok": True},
        {"lr": 0.1, "model": {"depth": 3}},
        compute_seconds=60,
        display_name="nightly-1",
        group="g",
        job_type="train",
        user="ada",
        host="node-1",
        sweep="s",
        tags=("fast", "old"),
    ),
    StoredRun("b", "finished", hours(-2), hours(0), '{"acc": NaN, "text": "7"}', user=None),
    StoredRun("c", "failed", hours(-1), None, {"acc": 3}, '{"lr": {"value": 0.2, "desc": null}}'),
)


def found(filters: dict[str, Any]) -> str:
    with holding(*RUNS) as sandbox:
        text = json.dumps(filters)
        runs = "".join(names(sandbox, filters=text))
        assert page(sandbox, filters=text)["runCount"] == len(runs)
        return runs


@pytest.mark.parametrize(
    ("filters", "runs"),
    [
        ({}, "abc"),
        ({"state": "running"}, "a"),
        ({"state": {"$in": ["finished", "failed"]}}, "bc"),
        ({"state": {"$nin": ["finished", "failed"]}}, "a"),
        ({"state": {"$ne": "failed"}}, "ab"),
        ({"state": {"$not": {"$eq": "failed"}}}, "ab"),
        ({"state": "finished", "name": "b"}, "b"),
        ({"$and": [{"state": "finished"}, {"name": "a"}]}, ""),
        ({"$or": [{"state": "finished"}, {"name": "a"}]}, "ab"),
        ({"$nor": [{"state": "finished"}, {"name": "a"}]}, "c"),
        ({"$or": []}, ""),
        ({"displayName": {"$regex": "^night"}}, "a"),
        ({"display_name": "b"}, "b"),
        ({"group": "g"}, "a"),
        ({"jobType": "train"}, "a"),
        ({"host": "node-1"}, "a"),
        ({"sweep": "s"}, "a"),
        ({"username": "ada"}, "a"),
        ({"tags": "fast"}, "a"),
        ({"tags": {"$in": ["fast", "slow"]}}, "a"),
        ({"tags": {"$nin": ["fast"]}}, "bc"),
        ({"tags": {"$exists": False}}, "bc"),
        ({"duration": {"$gt": 60}}, "b"),
        ({"config.lr": {"$gte": 0.1}}, "ac"),
        ({"config.lr.value": 0.2}, "c"),
        ({"config.model.value.depth": 3}, "a"),
        ({"config.model.depth": 3}, ""),
        ({"summary_metrics.val/acc": 0.5}, "a"),
        ({"summary_metrics.n.x": {"$lt": 8}}, "a"),
        ({"summary_metrics.acc": {"$exists": True}}, "abc"),
        ({"summary_metrics.text": {"$exists": False}}, "c"),
    ],
)
def test_filters_find_these_runs(filters: dict[str, Any], runs: str) -> None:
    assert found(filters) == runs


@pytest.mark.parametrize(
    ("filters", "runs"),
    [
        ({"summary_metrics.acc": {"$gte": 0.9}}, "ac"),
        ({"summary_metrics.acc": {"$lte": 3.0}}, "ac"),
        ({"summary_metrics.text": {"$gte": 1}}, ""),
        ({"summary_metrics.text": {"$gte": "f"}}, "a"),
        ({"summary_metrics.ok": {"$gte": 0}}, ""),
        ({"summary_metrics.ok": 1}, ""),
        ({"summary_metrics.ok": True}, "a"),
        ({"summary_metrics.ACC": {"$gte": 0}}, ""),
    ],
)
def test_numbers_compare_with_numbers_only(filters: dict[str, Any], runs: str) -> None:
    assert found(filters) == runs


@pytest.mark.parametrize(
    "filters",
    [
        {"summary_metrics.missing": {"$gt": 0}},
        {"summary_metrics.missing": {"$lt": 0}},
        {"summary_metrics.missing": {"$ne": 0}},
        {"summary_metrics.missing": None},
        {"group": {"$nin": ["g"]}},
        {"host": None},
    ],
)
def test_nothing_compares_with_what_is_missing(filters: dict[str, Any]) -> None:
    assert found(filters) == ""


@pytest.mark.parametrize(
    ("filters", "runs"),
    [
        ({"createdAt": {"$gte": "2026-01-10T10:00:00Z"}}, "bc"),
        ({"createdAt": {"$gt": "2026-01-10T10:00:00Z"}}, "c"),
        ({"createdAt": {"$lte": "2026-01-10T10:00:00.0Z"}}, "ab"),
        ({"created_at": "2026-01-10T11:00:00Z"}, "c"),
        ({"heartbeatAt": {"$lt": "2027-01-01T00:00:00Z"}}, "ab"),
        ({"heartbeatAt": {"$ne": "2026-01-10T12:00:00Z"}}, "a"),
        ({"heartbeatAt": {"$exists": False}}, "c"),
        ({"heartbeatAt": {"$gt": "2026-01-10T01:00:00"}}, ""),
        ({"heartbeatAt": {"$gt": "2026-01-10T01:00:00+00:00"}}, ""),
        ({"heartbeatAt": {"$gt": "2026-01-10"}}, ""),
        ({"heartbeatAt": {"$gt": 0}}, ""),
    ],
)
def test_a_time_without_z_silently_matches_nothing(filters: dict[str, Any], runs: str) -> None:
    assert found(filters) == runs


def test_stored_times_without_a_zone_are_compared_as_utc() -> None:
    with holding(StoredRun("a", heartbeat_at="2026-01-10T12:00:00.123456789")) as sandbox:
        after = {"heartbeatAt": {"$gt": NOW.strftime("%Y-%m-%dT%H:%M:%SZ")}}
        assert names(sandbox, filters=json.dumps(after)) == ["a"]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ('{"summary.acc": 1}', "Unknown column 'summary.acc' in 'where clause'"),
        ('{"heartbeat_at": {"$gt": "x"}}', "Unknown column 'heartbeat_at' in 'where clause'"),
        ('{"State": "running"}', "Unknown column 'State' in 'where clause'"),
        (
            json.dumps({"summary_metrics.acc": {"$gt": math.nan}}),
            "invalid filters: invalid character 'N' looking for beginning of value",
        ),
        ('{"state": {"$like": "r"}}', "invalid filters: unknown operator $like"),
        ('{"state": {"$in": "r"}}', "invalid filters: $in needs a list"),
        ('["state"]', "invalid filters: expected an object"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_with_400(filters: str, message: str) -> None:
    with holding() as sandbox:
        response = post(sandbox, QUERY, filters=filters)
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"] == message

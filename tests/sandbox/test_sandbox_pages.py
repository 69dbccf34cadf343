"""The W&B server: orders and pages of runs."""

import math

import pytest

from runmetrics.sandbox.store import StoredRun
from tests.sandbox.sandbox_case import PAGE, holding, hours, names, page, post

SCORED = (
    StoredRun("low", created_at=hours(-5), heartbeat_at=hours(-1), summary={"acc": 0.1}),
    StoredRun("none", created_at=hours(-4)),
    StoredRun("text", created_at=hours(-3), heartbeat_at=hours(-2), summary={"acc": "NaN"}),
    StoredRun("high", created_at=hours(-2), heartbeat_at=hours(-3), summary={"acc": 0.9}),
    StoredRun("nan", created_at=hours(-1), heartbeat_at=hours(0), summary={"acc": math.nan}),
)
FIRST_ROW, SECOND_ROW = "YXJyYXljb25uZWN0aW9uOjA=", "YXJyYXljb25uZWN0aW9uOjE="


def numbered(count: int) -> list[StoredRun]:
    return [StoredRun(f"{number:04}", created_at=hours(number)) for number in range(count)]


@pytest.mark.parametrize(
    ("order", "runs"),
    [
        ("+created_at", "low none text high nan"),
        ("created_at", "low none text high nan"),
        ("-created_at", "nan high text none low"),
        ("-createdAt", "nan high text none low"),
        ("+heartbeat_at", "none high text low nan"),
        ("-heartbeat_at", "nan low text high none"),
        ("-updated_at", "nan low text high none"),
        ("-summary_metrics.acc", "high low nan text none"),
        ("+summary_metrics.acc", "none text nan low high"),
        ("-summary_metrics.unheard_of", "low none text high nan"),
        ("-shoe_size", "low none text high nan"),
        ("-summary.acc", "low none text high nan"),
        (None, "low none text high nan"),
    ],
)
def test_orders_give_the_runs_like_this_and_unknown_ones_by_creation(
    order: str | None, runs: str
) -> None:
    with holding(*reversed(SCORED)) as sandbox:
        assert " ".join(names(sandbox, order=order)) == runs


def test_config_orders_name_the_value() -> None:
    runs = [StoredRun(name, config={"lr": lr}) for name, lr in (("a", 2), ("b", 3), ("c", 1))]
    with holding(*runs) as sandbox:
        assert names(sandbox, order="-config.lr.value") == ["b", "a", "c"]


def test_runs_created_in_the_same_instant_come_by_id() -> None:
    with holding(StoredRun("b", created_at=hours(0)), StoredRun("a", created_at=hours(0))) as s:
        assert names(s, order="+created_at") == ["a", "b"]


def test_a_cursor_is_an_offset() -> None:
    with holding(*numbered(3)) as sandbox:
        first = page(sandbox, first=2)["runs"]
        second = page(sandbox, first=2, after=first["pageInfo"]["endCursor"])["runs"]
    assert [edge["cursor"] for edge in first["edges"]] == [FIRST_ROW, SECOND_ROW]
    assert first["pageInfo"] == {"endCursor": SECOND_ROW, "hasNextPage": True}
    assert [edge["node"]["name"] for edge in second["edges"]] == ["0002"]
    assert second["pageInfo"]["hasNextPage"] is False


def test_a_run_deleted_between_two_pages_makes_another_be_missed() -> None:
    with holding(*numbered(4)) as sandbox:
        first = page(sandbox, first=2)["runs"]
        sandbox.store.remove("e", "p", "0000")
        assert names(sandbox, first=2, after=first["pageInfo"]["endCursor"]) == ["0003"]


def test_past_the_last_row_there_is_nothing() -> None:
    with holding(*numbered(1)) as sandbox:
        runs = page(sandbox, after=SECOND_ROW)["runs"]
    assert runs == {"edges": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}


def test_a_page_has_fifty_rows_unless_asked_and_never_more_than_the_cap() -> None:
    with holding(*numbered(60), page_cap=55) as sandbox:
        sizes = [len(names(sandbox, first=first)) for first in (None, 0, 54, 1000)]
    assert sizes == [50, 0, 54, 55]


def test_a_broken_cursor_is_refused_with_400() -> None:
    with holding() as sandbox:
        response = post(sandbox, PAGE, after="%%")
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"] == "invalid cursor '%%'"

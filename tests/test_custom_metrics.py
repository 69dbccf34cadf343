"""Datadog's bill: names times tags, now and at most, and what they cost."""

from collections import Counter

from runmetrics.custom_metrics import bill


def test_the_bill_names_what_there_is_what_there_can_be_and_what_it_costs() -> None:
    now = Counter({"m.users": 3, "m.total": 1})
    assert list(bill(now, {"m.users": 200, "m.total": 1, "m.unknown": 1}, None, 0.05)) == [
        "4 custom metrics at Datadog now, at most 202: $0.20 a month now, at most $10.10",
        "m.users: 3 now, at most 200",
    ]


def test_without_a_price_there_is_no_money_and_more_than_the_most_is_believed() -> None:
    assert list(bill(Counter({"m.a": 2}), {"m.a": 1}, None, None)) == [
        "2 custom metrics at Datadog now, at most 2",
        "m.a: 2 now, at most 2",
    ]


def test_the_bound_on_all_series_is_the_most_and_what_it_is_not_about_comes_on_top() -> None:
    now = Counter({"m.users": 3, "m.tags": 2, "runmetrics.remarks": 9})
    assert list(bill(now, {"m.users": 200, "m.tags": 200}, 300, None)) == [
        "14 custom metrics at Datadog now, at most 309",
        "runmetrics.remarks: 9 now, at most 9",
        "m.users: 3 now, at most 200",
        "m.tags: 2 now, at most 200",
    ]

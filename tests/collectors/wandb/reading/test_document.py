"""What is asked of W&B: GraphQL text, filters, and pages as they come."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from graphql import parse
from hypothesis import given
from hypothesis import strategies as st

from runmetrics.collectors.wandb.reading.document import (
    Ask,
    CountAsk,
    Page,
    PageAsk,
    SummaryAsk,
    render,
)
from runmetrics.collectors.wandb.reading.filters import EVERYTHING, Filter, timestamp
from runmetrics.collectors.wandb.selection import Selection
from runmetrics.collectors.wandb.unknown import Unknown

FINISHED = Filter.of({"state": "finished"})
BASE = "name displayName state createdAt heartbeatAt"


def fields(selection: Selection, *dropped: str) -> str:
    """What is asked of each run."""
    return " ".join(selection.fields(frozenset(dropped)).values())


# the document


def test_a_document_is_one_query_with_an_alias_for_each_ask_and_filters_as_variables() -> None:
    document, variables = render(
        [
            CountAsk(EVERYTHING),
            PageAsk(FINISHED, "+created_at", 50, after="Mg=="),
            SummaryAsk("r1"),
        ]
    )

    assert document == (
        "query Runmetrics($entity: String, $project: String, $a0_filters: JSONString, "
        "$a1_filters: JSONString) {\n"
        "  viewer { username entity }\n"
        "  project(name: $project, entityName: $entity) {\n"
        "    a0: runCount(filters: $a0_filters)\n"
        '    a1: runs(filters: $a1_filters, order: "+created_at", first: 50, after: "Mg==") '
        f"{{ edges {{ cursor node {{ {BASE} }} }} pageInfo {{ endCursor hasNextPage }} }}\n"
        '    a2: run(name: "r1") { name summaryMetrics }\n'
        "  }\n"
        "}"
    )
    assert variables == {"a0_filters": "{}", "a1_filters": '{"state": "finished"}'}


def test_a_first_page_asks_for_no_cursor() -> None:
    assert "after" not in render([PageAsk(EVERYTHING, "+created_at", 1)])[0]


def test_equal_questions_are_asked_once() -> None:
    document, _ = render([CountAsk(FINISHED), CountAsk(Filter.of({"state": "finished"}))])

    assert document.count("runCount") == 1


def test_there_is_no_filter_with_nan() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        Filter.of({"summary_metrics.loss": {"$gt": float("nan")}})


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8))
def test_any_key_order_and_run_id_survives_the_document(text: str) -> None:
    asks: list[Ask[Any]] = [
        PageAsk(EVERYTHING, text, 1, Selection(summary_keys=frozenset({text}))),
        SummaryAsk(text),
    ]

    found = parse(render(asks)[0], no_location=True).to_dict()

    strings = {each["value"] for each in walk(found) if each.get("kind") == "string_value"}
    assert text in strings


def walk(node: Any) -> list[dict[str, Any]]:
    """All objects in a parsed document."""
    if isinstance(node, dict):
        return [node, *(found for value in node.values() for found in walk(value))]
    return [found for value in node for found in walk(value)] if isinstance(node, list) else []


# what is asked of each run


def test_only_identity_state_and_times_are_read_unless_more_is_asked_for() -> None:
    assert fields(Selection()) == BASE


def test_parts_follow_in_the_order_of_their_names() -> None:
    selection = Selection(frozenset({"user", "runInfo", "computeSeconds", "systemMetrics"}))

    assert fields(selection) == (
        f"{BASE} computeSeconds runInfo {{ gpu gpuCount }} systemMetrics user {{ username }}"
    )


def test_of_summaries_and_configs_only_the_keys_asked_for_are_read() -> None:
    selection = Selection(summary_keys=frozenset({"loss", "acc"}), config_keys=frozenset({"lr"}))

    assert fields(selection) == (
        f'{BASE} summaryMetrics(keys: ["acc", "loss"]) config(keys: ["lr"])'
    )


def test_a_dotted_key_asks_for_each_part_it_may_lie_under() -> None:
    selection = Selection(summary_keys=frozenset({"a.b.c", "val/acc"}))

    assert fields(selection) == f'{BASE} summaryMetrics(keys: ["a", "a.b", "a.b.c", "val/acc"])'


def test_an_emoji_in_a_key_is_written_as_it_is() -> None:
    assert (
        fields(Selection(summary_keys=frozenset({"🔥"}))) == f'{BASE} summaryMetrics(keys: ["🔥"])'
    )


def test_w24_a_field_that_the_server_does_not_know_is_left_out() -> None:
    selection = Selection(frozenset({"computeSeconds", "host"}))

    assert fields(selection, "computeSeconds", "displayName") == (
        "name state createdAt heartbeatAt host"
    )


def test_w24_without_run_info_the_config_tells_the_gpus() -> None:
    selection = Selection(frozenset({"runInfo"}), config_keys=frozenset({"lr"}))

    assert fields(selection, "runInfo") == f'{BASE} config(keys: ["_wandb", "lr"])'
    assert fields(Selection(), "runInfo") == BASE


def test_selections_add_up_and_cover_their_parts() -> None:
    one = Selection(frozenset({"host"}), frozenset({"a"}), frozenset({"b"}), frozenset({"c"}))
    two = Selection(frozenset({"user"}), frozenset({"d"}))

    assert (one | two).parts == {"host", "user"}
    assert (one | two).summary_keys == {"a", "d"}
    assert (one | two).covers(one)
    assert (one | two).covers(two)
    assert one.covers(Selection())
    assert not one.covers(two)
    for part in ("parts", "summary_keys", "config_keys", "system_keys"):
        assert not Selection().covers(Selection(**{part: frozenset({"x"})}))


# filters


def test_a_filter_of_several_conditions_asks_for_all_of_them_each_once() -> None:
    group = Filter.of({"group": "g"})

    assert str(EVERYTHING) == str(EVERYTHING & Filter.of({})) == "{}"
    assert str(EVERYTHING & FINISHED) == str(FINISHED & FINISHED) == '{"state": "finished"}'
    assert (FINISHED & group).as_mapping() == {"$and": [{"state": "finished"}, {"group": "g"}]}


def test_filters_are_equal_whatever_the_order_of_their_keys() -> None:
    one, two = (
        Filter.of({"a": 1, "b": {"c": 2, "d": 3}}),
        Filter.of({"b": {"d": 3, "c": 2}, "a": 1}),
    )

    assert one == two
    assert len({one, two}) == 1


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC), "2026-03-01T12:00:00Z"),
        (datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC), "2026-03-01T12:00:00Z"),
        (
            datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            "2026-02-28T23:00:00Z",
        ),
    ],
)
def test_a_time_in_a_filter_is_floored_to_whole_seconds_in_utc_with_z(
    time: datetime, text: str
) -> None:
    assert timestamp(time) == text


# what is read of an answer

ASK = PageAsk(EVERYTHING, "+created_at", 50)


def edge(run_id: str) -> dict[str, Any]:
    return {"cursor": f"c-{run_id}", "node": {"name": run_id}}


def test_a_page_is_its_nodes_its_end_and_whether_more_follow() -> None:
    info = {"endCursor": "end", "hasNextPage": True}

    page = ASK.read({"edges": [edge("a"), edge("b")], "pageInfo": info})

    assert page == Page([{"name": "a"}, {"name": "b"}], "end", True)


def test_without_an_end_cursor_the_last_rows_own_is_taken() -> None:
    page = ASK.read({"edges": [edge("a"), edge("b")], "pageInfo": {"hasNextPage": True}})

    assert page == Page([{"name": "a"}, {"name": "b"}], "c-b", True)


def test_rows_that_the_server_hides_are_left_out_and_their_cursor_counts() -> None:
    rows = [edge("a"), None, {"cursor": "c-x", "node": None}]

    page = ASK.read({"edges": rows, "pageInfo": {"hasNextPage": True}})

    assert page == Page([{"name": "a"}], "c-x", True, hidden=2)


@pytest.mark.parametrize(
    "row", [[], "x", 3, {"node": "x"}, {"node": {}}, {"node": {"name": 3}}, {"node": None}]
)
def test_what_is_no_run_is_no_row(row: Any) -> None:
    page = ASK.read({"edges": [row], "pageInfo": {"hasNextPage": False}})

    assert page == Page([], hidden=1)


@pytest.mark.parametrize("count", [-1, 2**53, 2**70, -(10**400)])
def test_w28_a_count_that_cannot_be_is_unknown(count: int) -> None:
    found = CountAsk(EVERYTHING).read(count)

    assert isinstance(found, Unknown)
    assert found.cause == f"W&B counts {str(count)[:25]} runs, which cannot be"
    assert found.fix


@pytest.mark.parametrize(
    ("ask", "data"),
    [
        (CountAsk(EVERYTHING), None),
        (CountAsk(EVERYTHING), True),
        (CountAsk(EVERYTHING), "7"),
        (ASK, None),
        (ASK, 7),
        (ASK, {"edges": None, "pageInfo": {"hasNextPage": False}}),
        (ASK, {"edges": {}, "pageInfo": {"hasNextPage": False}}),
        (ASK, {"edges": [], "pageInfo": None}),
        (ASK, {"edges": [], "pageInfo": {"hasNextPage": None}}),
        (SummaryAsk("r1"), None),
        (SummaryAsk("r1"), {"name": "r1"}),
        (SummaryAsk("r1"), {"summaryMetrics": {}}),
    ],
)
def test_what_is_no_answer_to_a_question_is_unknown(ask: Ask[Any], data: object) -> None:
    why = ask.read(data)
    assert isinstance(why, Unknown)
    assert (why.cause, bool(why.fix)) == (
        "W&B left out a part of its answer without an error",
        True,
    )


def test_what_is_sent_as_a_variable_is_strict_json() -> None:
    where = {"$and": [{"tags": {"$in": ["a", "ü"]}}, {"state": "finished"}]}

    assert json.loads(render([CountAsk(Filter.of(where))])[1]["a0_filters"]) == where

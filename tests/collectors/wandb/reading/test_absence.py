"""That nobody has a number under a key with odd signs is proven cheaply, or every run is read."""

from typing import Any

import pytest

from runmetrics.sandbox.filters import View
from runmetrics.sandbox.quirks import Quirks
from runmetrics.sandbox.store import StoredRun
from tests.collectors.wandb.collecting import ago, collect, missing, run, sandbox_of, values


def yaml(*keys: str) -> str:
    """Maxima of summary keys, named by their place."""
    lines = (f"- {{name: m.x{n}, max: 'summary.{key}'}}\n" for n, key in enumerate(keys))
    return "builtin: false\nmetrics:\n" + "".join(lines)


def history(summary: dict[str, Any]) -> list[StoredRun]:
    """Five thousand runs of the last months."""
    return [run(f"h{n:04}", beat=ago(hours=n), summary=summary) for n in range(1, 5_001)]


JUST_BEGUN = run("new", "running", beat=ago(seconds=5))


@pytest.mark.parametrize("sign", ["/", "-", " "])
@pytest.mark.parametrize("value", [1, "text", "long text" * 99])
def test_keys_with_signs_that_nobody_has_cost_three_requests_where_others_have_such_keys(
    value: object, sign: str
) -> None:
    keys = [f"eval{sign}loss{n}" for n in range(5)]
    with sandbox_of(*history({"a/b-c d": value, "_timestamp": 1}), JUST_BEGUN) as sandbox:
        collection = collect(sandbox, yaml=yaml(*keys))

    assert len(missing(collection)) == 5
    assert values(collection) == {}
    assert collection.cost.requests == 3


def test_where_nobody_has_such_keys_every_run_is_read_once_for_all_of_them() -> None:
    with sandbox_of(*history({"loss": 1}), JUST_BEGUN) as sandbox:
        collection = collect(sandbox, yaml=yaml(*(f"eval/loss{n}" for n in range(5))))

    assert len(missing(collection)) == 5
    assert collection.problems == ()
    assert collection.cost.requests <= 2 + 5 + 3


@pytest.mark.parametrize("state", ["running", "finished"])
def test_a_run_whose_values_move_shows_all_the_same_that_such_keys_can_be_filtered(
    state: str,
) -> None:
    moving = run("moving", state, beat=ago(seconds=5), summary={"a/b": 0})
    with sandbox_of(*history({"a/b": 1}), moving) as sandbox:

        def log(request: int) -> None:
            sandbox.store.project("e", "p").runs["moving"].summary = {"a/b": request}

        sandbox.before_request = log
        collection = collect(sandbox, yaml=yaml("eval/loss"))

    assert "no run has a number" in missing(collection)["m.x0"]
    assert collection.cost.requests == 3


def test_runs_that_crashed_before_they_logged_say_nothing_of_such_keys() -> None:
    crashed = [run(f"c{n}", "crashed", beat=ago(minutes=n), summary=None) for n in range(9)]
    logged = history({"a/b": 1, "_timestamp": 1})
    with sandbox_of(*logged, *crashed) as sandbox:
        collection = collect(sandbox, yaml=yaml("eval/loss"))

    assert "no run has a number" in missing(collection)["m.x0"]
    assert collection.cost.requests == 3


@pytest.mark.parametrize("key", ["loss", "eval/loss"])
@pytest.mark.parametrize("aggregate", ["max", "min", "latest"])
def test_a_run_that_logs_the_first_number_of_all_while_it_is_read_is_known(
    key: str, aggregate: str
) -> None:
    text = f"builtin: false\nmetrics: [{{name: m.x, {aggregate}: 'summary.{key}'}}]\n"
    runs = [run("a", summary={key: "NaN"}), run("b", "running", summary={})]
    with sandbox_of(*runs) as sandbox:

        def log(request: int) -> None:
            if request == 2:
                sandbox.store.project("e", "p").runs["b"].summary = {key: 0.5}

        sandbox.before_request = log
        collection = collect(sandbox, yaml=text)

    assert (values(collection), collection.problems) == ({"m.x": 0.5}, ())
    assert collection.cost.requests == 3


def test_where_a_text_shows_that_slashes_cannot_be_filtered_all_is_read() -> None:
    runs = [*history({"a/b": "text"}), run("best", beat=ago(days=300), summary={"eval/loss": 4})]
    with sandbox_of(*runs, quirks=Quirks(slashed_keys_not_filterable=True)) as sandbox:
        collection = collect(sandbox, yaml=yaml("eval/loss"))

    assert values(collection) == {"m.x0": 4}


@pytest.mark.parametrize("days", [2, 100, 300])
def test_so_it_is_where_one_run_alone_has_such_a_key_wherever_in_the_history(days: int) -> None:
    runs = [*history({"loss": 1}), run("best", beat=ago(days=days), summary={"eval/loss": 4})]
    with sandbox_of(*runs, quirks=Quirks(slashed_keys_not_filterable=True)) as sandbox:
        collection = collect(sandbox, yaml=yaml("eval/loss"))

    assert values(collection) == {"m.x0": 4}


def test_a_run_with_the_key_and_without_a_summary_on_show_may_have_the_only_number() -> None:
    quirks = Quirks(bounds="none", shown_summaries={"a": None})
    with sandbox_of(run("a", summary={"loss": 1}), quirks=quirks) as sandbox:
        collection = collect(sandbox, yaml=yaml("loss"))

    assert (values(collection), missing(collection)) == ({}, {})
    assert "shows no readable summaryMetrics" in collection.problems[0].cause


def test_a_key_that_begins_with_a_digit_is_no_plain_key(monkeypatch: pytest.MonkeyPatch) -> None:
    read = View._read

    def without_digits(view: View, name: str) -> Any:
        return None if name.startswith("summary_metrics.2") else read(view, name)

    monkeypatch.setattr(View, "_read", without_digits)
    runs = [run("a", beat=ago(days=20), summary={"2d_iou": 0.9}), run("b", summary={"loss": 2})]
    with sandbox_of(*runs) as sandbox:
        collection = collect(sandbox, yaml=yaml("2d_iou"))

    assert values(collection) == {"m.x0": 0.9}

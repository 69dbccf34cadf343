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
@pytest.mark.parametrize(
    "summary",
    [{"a/b-c d": 1}, {"a/b-c d": "text"}, {"loss": 1}],
    ids=["others have such keys", "with text", "nobody has such keys"],
)
def test_keys_with_signs_that_nobody_has_cost_at_most_six_requests(
    summary: dict[str, Any], sign: str
) -> None:
    keys = [f"eval{sign}loss{n}" for n in range(5)]
    with sandbox_of(*history(summary), JUST_BEGUN) as sandbox:
        collection = collect(sandbox, yaml=yaml(*keys))

    assert len(missing(collection)) == 5
    assert values(collection) == {}
    assert collection.cost.requests <= 6


def test_where_a_text_shows_that_slashes_cannot_be_filtered_all_is_read() -> None:
    runs = [*history({"a/b": "text"}), run("best", beat=ago(days=300), summary={"eval/loss": 4})]
    with sandbox_of(*runs, quirks=Quirks(slashed_keys_not_filterable=True)) as sandbox:
        collection = collect(sandbox, yaml=yaml("eval/loss"))

    assert values(collection) == {"m.x0": 4}


@pytest.mark.parametrize("days", [2, 300])
def test_so_is_one_that_is_among_the_latest_or_the_first_runs_alone(days: int) -> None:
    runs = [*history({"loss": 1}), run("best", beat=ago(days=days), summary={"eval/loss": 4})]
    with sandbox_of(*runs, quirks=Quirks(slashed_keys_not_filterable=True)) as sandbox:
        collection = collect(sandbox, yaml=yaml("eval/loss"))

    assert values(collection) == {"m.x0": 4}


def test_a_key_that_begins_with_a_digit_is_no_plain_key(monkeypatch: pytest.MonkeyPatch) -> None:
    read = View._read

    def without_digits(view: View, name: str) -> Any:
        return None if name.startswith("summary_metrics.2") else read(view, name)

    monkeypatch.setattr(View, "_read", without_digits)
    runs = [run("a", beat=ago(days=20), summary={"2d_iou": 0.9}), run("b", summary={"loss": 2})]
    with sandbox_of(*runs) as sandbox:
        collection = collect(sandbox, yaml=yaml("2d_iou"))

    assert values(collection) == {"m.x0": 0.9}

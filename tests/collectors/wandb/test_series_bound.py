"""The bound on all series of a collection: over it no metric is split, and that is said."""

from runmetrics.collectors.wandb.metrics.catalog import Catalog
from runmetrics.collectors.wandb.results import Part, bounded
from runmetrics.model import Collection
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.collectors.wandb.collecting import collect, collect_from, run

FILE = """
builtin: false
max_series_total: {most}
metrics:
- {{name: m.total, count: runs}}
- {{name: m.gpus, mean: run.gpus, window: 7d, by: user}}
- {{name: m.tags, count: runs, window: 7d, by: tag}}
"""
RUNS = (
    run("a", user="ann", gpu_count=2, tags=("x", "y")),
    run("b", user="bob", gpu_count=8, tags=("x",)),
    run("c", user="bob", gpu_count=2),
)


def series(collection: Collection) -> dict[tuple[str, ...], float]:
    """Values by name and group."""
    return {
        (each.name, *(each.tags[tag] for tag in ("user", "tag") if tag in each.tags)): each.value
        for each in collection.samples
    }


def test_within_the_bound_every_metric_is_split_as_it_says() -> None:
    collection = collect_from(*RUNS, yaml=FILE.format(most=6))
    assert series(collection) == {
        ("m.total",): 3,
        ("m.gpus", "ann"): 2,
        ("m.gpus", "bob"): 5,
        ("m.tags", "none"): 1,
        ("m.tags", "x"): 2,
        ("m.tags", "y"): 1,
    }
    assert collection.notices == ()


def test_over_it_none_is_split_and_the_largest_is_named() -> None:
    collection = collect_from(*RUNS, yaml=FILE.format(most=5))
    assert series(collection) == {("m.total",): 3, ("m.gpus",): 4, ("m.tags",): 3}
    assert collection.notices == (
        (
            "6 series are more than max_series_total (5), so no metric is split: the largest, "
            "m.tags by tag, has 3; narrow it, lower max_series, or raise max_series_total"
        ),
    )


def test_it_is_about_all_projects_together() -> None:
    with WandbSandbox() as sandbox:
        for project in ("a", "b"):
            sandbox.store.add("e", project, *RUNS)
        text = FILE.format(most=11)
        over = collect(sandbox, yaml=text, projects=("e/a", "e/b"))
        within = collect(sandbox, yaml=text, projects=("e/a",))

    assert (len(over.samples), len(within.samples)) == (6, 6)
    assert all("user" not in sample.tags for sample in over.samples)


def test_what_is_over_it_even_unsplit_is_sent_and_said() -> None:
    collection = collect_from(*RUNS, yaml=FILE.format(most=2))
    assert len(collection.samples) == 3
    assert collection.notices[-1] == (
        "3 series without any split are more than max_series_total (2) and are sent: raise it, or "
        "collect fewer metrics"
    )


def test_without_a_bound_there_is_none() -> None:
    split, whole = Collection(notices=("split",)), Collection(notices=("whole",))
    assert bounded([Part(split, whole)], Catalog(())) == split


def test_it_costs_no_request() -> None:
    with WandbSandbox() as sandbox:
        sandbox.store.add("e", "p", *RUNS)
        collect(sandbox, yaml=FILE.format(most=6))
        split = len(sandbox.documents)
        collect(sandbox, yaml=FILE.format(most=5))
        assert len(sandbox.documents) == 2 * split

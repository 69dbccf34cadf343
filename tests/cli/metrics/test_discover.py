"""`runmetrics discover`: from what a project logs to a configuration that works."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runmetrics.collectors.wandb.inspect.discover import Key, Sampled
from runmetrics.collectors.wandb.inspect.propose import propose
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.sandbox.quirks import Quirks
from tests.cli.metrics.case import command, rows
from tests.collectors.wandb.collecting import AVERAGE, BEST, LATEST, ago, run, sandbox_of

SUMMARY = {
    "val/acc": 0.5,
    "accuracy": {"min": 0.1, "max": 0.75},
    "train/loss": 2.5,
    "val_loss": 3,
    "perf/tokens_per_second": 1000,
    "SPS": 12,
    "note": "text",
    "image": {"_type": "image-file", "size": 3},
    "_step": 7,
}


def proposed(*keys: str, runs: int = 1, **rare: int) -> dict[str, Any]:
    """The configuration for numbers under these summary keys; `rare` are in so many runs."""
    sampled = Sampled("e", "p", runs)
    for key, count in {**dict.fromkeys(keys, runs), **rare}.items():
        name = f"summary.{key}"
        sampled.keys[name] = Key(name, count, count, 0, 0.0, 1.0)
    found: dict[str, Any] = yaml.safe_load(propose([sampled]))
    return found


def test_the_keys_are_shown_with_their_coverage_and_range() -> None:
    runs = [
        run("a", summary={"acc": 0.5, "loss": "NaN"}, config={"lr": 0.1, "net": {"depth": 3}}),
        run("b", summary={"acc": 0.75, "loss": 2}, config={"name": "x"}),
        run("c", summary='"{\\"acc\\": 1}"'),
        run("d", summary="no JSON"),
    ]
    with sandbox_of(*runs) as sandbox:
        ended = command("discover", sandbox=sandbox)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("e/p: the newest 4 runs\n")
    assert rows(ended.out, "summary.") + rows(ended.out, "config.") == [
        ["summary.acc", "75%", "3", "0.5 to 1"],
        ["summary.loss", "50%", "1", "1", "2 to 2"],
        ["config.lr", "25%", "1", "0.1 to 0.1"],
        ["config.name", "25%"],
        ["config.net.depth", "25%", "1", "3 to 3"],
    ]
    assert 'accuracy_key: "acc"  # in 3 of 4 runs, 0.5 to 1' in ended.out


def test_what_yaml_prints_is_a_file_that_collects(tmp_path: Path) -> None:
    with sandbox_of(run("a", summary=SUMMARY)) as sandbox:
        ended = command("discover", "--yaml", sandbox=sandbox)
        file = tmp_path / "runmetrics.yaml"
        file.write_text(ended.out)
        collected = command("collect", "wandb", "--config", file, "--json", sandbox=sandbox).json

    assert command("config", "check", file).code == 0
    found = {each["name"]: each["value"] for each in collected["samples"]}
    assert collected["problems"] == []
    assert (found[BEST], found[AVERAGE], found[LATEST]) == (0.75, 0.75, 2.5)
    assert found["wandb.summary.best_val_acc"] == 0.5
    assert found["wandb.summary.least_val_loss"] == 3
    assert found["wandb.summary.mean_perf_tokens_per_second"] == 1000
    assert found["wandb.summary.mean_sps"] == 12
    assert collected["cost"]["requests"] <= 3


def test_gpu_types_are_listed_and_their_prices_asked_for() -> None:
    runs = [
        run("a", gpu="NVIDIA H100", gpu_count=8, config={"lr": 1}),
        run("b", gpu="NVIDIA H100", gpu_count=1),
        run("c", gpu="Tesla T4", gpu_count=1),
        run("d"),
    ]
    with sandbox_of(*runs) as sandbox:
        ended = command("discover", sandbox=sandbox)

    lines = ended.out.splitlines()
    assert "GPU types, and in how many of the runs: NVIDIA H100 (2), Tesla T4 (1)" in lines
    assert '# gpu_prices: {"NVIDIA H100": PRICE, "Tesla T4": PRICE}' in lines


def test_with_prices_filled_in_the_proposed_entry_is_right(tmp_path: Path) -> None:
    with sandbox_of(run("a", gpu="NVIDIA H100", gpu_count=8)) as sandbox:
        text = command("discover", "--yaml", sandbox=sandbox).out
    file = tmp_path / "runmetrics.yaml"

    file.write_text(text.replace("# gpu_prices", "gpu_prices"))
    assert '"PRICE" is not a price' in command("config", "check", file).errors[0]
    file.write_text(text.replace("# gpu_prices", "gpu_prices").replace("PRICE", "2.5"))
    assert command("config", "check", file).code == 0


def test_a_server_that_does_not_record_gpus_is_asked_for_the_whole_config_still() -> None:
    quirks = Quirks(unknown_fields=frozenset({"runInfo"}))
    with sandbox_of(run("a", config={"lr": 1}), quirks=quirks) as sandbox:
        ended = command("discover", sandbox=sandbox)

    assert rows(ended.out, "config.") == [["config.lr", "100%", "1", "1 to 1"]]


def test_only_the_newest_runs_are_read_and_in_small_pages() -> None:
    runs = [run(f"r{n:03}", summary={f"key{n}": n}, beat=ago(hours=n)) for n in range(120)]
    with sandbox_of(*runs) as sandbox:
        ended = command("discover", "--runs", "25", sandbox=sandbox)
        pages = [document.query for document in sandbox.documents]

    assert len(rows(ended.out, "summary.key")) == 25
    assert "summary.key24 " in ended.out
    assert "summary.key25 " not in ended.out
    assert [
        query.partition("first: ")[2].partition(",")[0].partition(")")[0] for query in pages
    ] == [
        "10",
        "10",
        "5",
    ]


def test_a_summary_that_the_server_cannot_serve_does_not_end_the_reading() -> None:
    runs = [run("good", summary={"acc": 1}), run("poison", summary={"acc": 2})]
    quirks = Quirks(unreadable={("poison", "summaryMetrics")}, unreadable_answer="errors")
    with sandbox_of(*runs, quirks=quirks) as sandbox:
        ended = command("discover", sandbox=sandbox)

    assert ended.code == 0
    assert rows(ended.out, "summary.") == [["summary.acc", "50%", "1", "1 to 1"]]


def test_the_project_may_be_named_on_the_command_line() -> None:
    with sandbox_of() as sandbox:
        sandbox.store.add("other", "q", run("a", summary={"acc": 1}))
        named = command(
            *("discover", "--entity", "other", "--project", "q", "--yaml"),
            sandbox=sandbox,
            RUNMETRICS_PROJECTS="e/p",
        )

    assert yaml.safe_load(named.out) == {"entity": "other", "project": "q", "accuracy_key": "acc"}


def test_several_projects_make_one_file() -> None:
    with sandbox_of(run("a", summary={"acc": 1})) as sandbox:
        sandbox.store.add("e", "q", run("b", summary={"loss": 1}))
        ended = command("discover", "--yaml", sandbox=sandbox, RUNMETRICS_PROJECTS="e/*")

    assert yaml.safe_load(ended.out) == {
        "projects": ["e/p", "e/q"],
        "accuracy_key": "acc",
        "loss_key": "loss",
    }


def test_a_project_without_runs_gives_a_file_that_says_so() -> None:
    with sandbox_of() as sandbox:
        ended = command("discover", sandbox=sandbox)

    assert ended.code == 0
    assert "# accuracy_key: no key looks like an accuracy\n" in ended.out
    assert "# loss_key: no key looks like a loss\n" in ended.out


def test_a_project_that_is_not_there_is_refused_with_a_near_name() -> None:
    with sandbox_of() as sandbox:
        ended = command("discover", sandbox=sandbox, WANDB_PROJECT="pp")

    assert ended.code == 78
    (said,) = ended.errors
    assert said == (
        "W&B has no project e/pp, or this key has no access to it: "
        "check WANDB_PROJECT; did you mean p?"
    )


def test_a_project_of_the_command_line_is_to_be_corrected_there() -> None:
    with sandbox_of() as sandbox:
        ended = command("discover", "--project", "pp", sandbox=sandbox, RUNMETRICS_PROJECTS="e/p")

    assert ended.errors == [
        "W&B has no project e/pp, or this key has no access to it: check --project; did you mean p?"
    ]


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (["accuracy", "val/accuracy"], "accuracy"),
        (["train/acc", "val/acc"], "val/acc"),
        (["train_acc", "eval/accuracy"], "eval/accuracy"),
        (["accuracy.min", "accuracy.max"], "accuracy.max"),
        (["testTop1Accuracy"], "testTop1Accuracy"),
        (["val/acc@1"], "val/acc@1"),
        (["acceleration", "accumulated"], None),
    ],
)
def test_the_accuracy_is_the_plain_one_else_that_of_held_out_data(
    keys: list[str], chosen: str | None
) -> None:
    assert proposed(*keys).get("accuracy_key") == chosen


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (["val/loss", "loss"], "loss"),
        (["val/loss", "train/loss"], "train/loss"),
        (["loss.min", "loss.last"], "loss.last"),
        (["train_loss"], "train_loss"),
        (["glossary"], None),
    ],
)
def test_the_loss_is_the_plain_one_else_that_of_training(
    keys: list[str], chosen: str | None
) -> None:
    assert proposed(*keys).get("loss_key") == chosen


def test_a_key_that_few_runs_have_comes_last() -> None:
    assert proposed("val/acc", runs=50, accuracy=3)["accuracy_key"] == "val/acc"


@pytest.mark.parametrize(
    "key",
    [
        *("samples_per_second", "tokens/s", "train/samples_per_sec", "charts/SPS", "it/s"),
        *("throughput", "fps", "perf/TokensPerSecond"),
    ],
)
def test_rates_are_averaged_over_the_week(key: str) -> None:
    (metric,) = proposed(key)["metrics"]
    assert (metric["mean"], metric["window"]) == (f"summary.{key}", "7d")


@pytest.mark.parametrize("key", ["seconds", "step", "steps_total", "samples", "lr", "epoch"])
def test_what_is_no_rate_is_not_proposed(key: str) -> None:
    assert "metrics" not in proposed(key)


WORDS = st.sampled_from(["acc", "loss", "tokens/s", "fps", "Accuracy", "val", ".", "/", "max", "#"])
KEYS = st.lists(st.one_of(WORDS, st.text(max_size=3)), min_size=1, max_size=4).map("".join)


@settings(max_examples=60)
@given(keys=st.sets(KEYS, max_size=8), project=st.text("abc -.'\"é😀", min_size=1, max_size=5))
def test_whatever_is_logged_the_file_is_right(keys: set[str], project: str) -> None:
    sampled = Sampled("e", f"p{project}x")
    sampled.add({"name": "a", "summaryMetrics": dict.fromkeys(keys, 0.5)})

    config = parse_config(propose([sampled]), Path("runmetrics.yaml"))

    assert config.settings["project"] == f"p{project}x"
    assert ("accuracy_key" in config.settings) >= ("acc" in keys)


@pytest.mark.parametrize(("option", "noun"), [("--entity", "entity"), ("--project", "project")])
def test_a_name_that_cannot_be_is_a_wrong_command_line(option: str, noun: str) -> None:
    ended = command("discover", option, "a/b")

    assert ended.code == 2
    assert f"Invalid value for '{option}': \"a/b\" is not the name of" in ended.err
    assert noun in ended.err

"""Metrics split by groups: tags, the cap on series, estimates; and many of them by brute force."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runmetrics.collectors.wandb.fields import GROUPS
from runmetrics.collectors.wandb.groups import Series, capped, estimate_series
from runmetrics.collectors.wandb.measures import Rules
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Field, Metric
from runmetrics.collectors.wandb.metrics.language import parse_by, tag_name
from runmetrics.collectors.wandb.reduce import reduce
from runmetrics.collectors.wandb.runs import Run
from runmetrics.config.rules import RESERVED_TAGS
from runmetrics.custom_metrics import count_series
from runmetrics.model import Collection, Sample
from runmetrics.sandbox.store import Store, StoredRun
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.collectors.wandb.collecting import (
    NOW,
    TEN,
    ago,
    collect,
    collect_from,
    missing,
    run,
    sandbox_of,
    unknown,
    values,
)
from tests.collectors.wandb.metrics.test_catalog import catalog
from tests.collectors.wandb.oracle import the_ten


def split(collection: Collection, name: str = "a.b") -> dict[tuple[str, ...], float]:
    """A metric's values by the values of its group tags."""
    own = ("wandb_entity", "wandb_project", "collector")
    return {
        tuple(value for tag, value in sample.tags.items() if tag not in own): sample.value
        for sample in collection.samples
        if sample.name == name
    }


def metric(text: str) -> str:
    """A file of one metric, a.b."""
    return f"builtin: false\nmetrics:\n- {{name: a.b, {text}}}"


# Tags


def test_each_group_is_a_series_and_a_run_with_several_tags_counts_under_each() -> None:
    collection = collect_from(
        run("a", user="ann", tags=("x", "y")),
        run("b", user="ann", tags=("x",)),
        run("c", user=None),
        yaml=metric("count: runs, window: 7d, by: [user, tag]"),
    )

    assert split(collection) == {("ann", "x"): 2, ("ann", "y"): 1, ("none", "none"): 1}


@pytest.mark.parametrize(
    ("group", "stored", "tag"),
    [
        ("user", {"user": "v"}, "user"),
        ("group", {"group": "v"}, "group"),
        ("job_type", {"job_type": "v"}, "job_type"),
        ("sweep", {"sweep": "v"}, "sweep"),
        ("state", {"state": "v"}, "state"),
        ("host", {"host": "v"}, "wandb_host"),
        ("gpu_type", {"gpu": "v", "gpu_count": 1}, "gpu_type"),
        ("tag", {"tags": ("v",)}, "tag"),
        ("config.lr", {"config": {"lr": "v"}}, "lr"),
        ("config.env", {"config": {"env": "v"}}, "config_env"),
    ],
)
def test_every_group_has_a_tag_of_its_name_and_what_is_missing_is_none(
    group: str, stored: dict[str, Any], tag: str
) -> None:
    without = {"user": None} if group == "user" else {}
    collection = collect_from(
        run("a", **stored),
        run("b", **({"state": ""} if group == "state" else without)),
        yaml=metric(f"count: runs, window: 7d, by: {group}"),
    )

    own = {"wandb_entity": "e", "wandb_project": "p", "collector": "wandb"}
    assert [sample.tags for sample in collection.samples] == [
        {**own, tag: "none"},
        {**own, tag: "v"},
    ]


def test_a_run_is_a_tag_only_where_it_is_asked_for() -> None:
    runs = [run("a", compute_seconds=3600), run("b", compute_seconds=7200)]
    by_run = collect_from(*runs, yaml=metric("sum: run.gpu_hours, window: 7d, by: run"))
    ten = collect_from(*runs)

    assert split(by_run) == {("a",): 1, ("b",): 2}
    assert all("run" not in sample.tags for sample in ten.samples)


@pytest.mark.parametrize(
    ("group", "tag"),
    [
        ("config.trainer.devices", "trainer.devices"),
        ("config.val/split", "val/split"),
        ("config.learning rate", "learning_rate"),
        ("config.Größe", "Größe"),
        ("config.7b", "config_7b"),
        ("config.!!", "config"),
        ("config.user", "config_user"),
        ("config.User", "config_User"),
        ("config.gpu-type", "config_gpu-type"),
        *((f"config.{name}", f"config_{name}") for name in RESERVED_TAGS),
    ],
)
def test_a_config_key_becomes_a_tag_that_means_nothing_else(group: str, tag: str) -> None:
    assert tag_name(group) == tag


@given(st.lists(st.text(min_size=1).map("config.{}".format), max_size=4))
def test_no_two_groups_of_a_metric_become_one_tag_and_none_a_reserved_one(keys: list[str]) -> None:
    try:
        by = parse_by([*GROUPS, *keys])
    except ValueError:
        return
    tags = [tag_name(group).lower() for group in by]
    assert len({*tags}) == len(tags)
    assert not {*tags} & {*RESERVED_TAGS} - {"wandb_host"}


def test_without_a_run_to_split_there_is_no_series_and_it_says_so() -> None:
    collection = collect_from(yaml=metric("count: runs, window: 7d, by: user, state: failed"))

    assert values(collection) == {}
    assert missing(collection) == {"a.b": "no failed runs in the window"}


@pytest.mark.parametrize("aggregate", ["count: runs", "mean: summary.x", "latest: summary.x"])
def test_the_whole_history_can_be_split_with_consent(aggregate: str) -> None:
    collection = collect_from(
        run("a", user="ann", beat=ago(days=400), summary={"x": 1}),
        run("b", user="bob", beat=ago(days=1), summary={"x": 1}),
        yaml=metric(f"{aggregate}, full_scan: true, by: user"),
    )

    assert split(collection) == {("ann",): 1, ("bob",): 1}


# The cap


def many(counts: dict[str, int], **rest: Any) -> list[StoredRun]:
    """So many runs of each user."""
    return [
        run(f"{user}{index}", user=user, **rest)
        for user, count in counts.items()
        for index in range(count)
    ]


def test_counts_over_the_cap_are_summed_as_other_and_it_is_said() -> None:
    file = "max_series: 3\n" + metric("count: runs, window: 7d, by: user")
    collection = collect_from(*many({"ann": 1, "bob": 5, "cid": 2, "dan": 2, "eve": 1}), yaml=file)

    # cid and dan are equals: the first by name is kept
    assert split(collection) == {("bob",): 5, ("cid",): 2, ("other",): 4}
    (notice,) = collection.notices
    assert notice == (
        "e/p: a.b by user has more than 3 series: the least 3 are summed as 'other'; "
        "narrow it, or raise max_series"
    )
    (other,) = [each for each in collection.samples if each.tags["user"] == "other"]
    assert (other.runs, other.note) == (4, "3 series summed by max_series")


def test_sums_over_the_cap_keep_the_greatest() -> None:
    file = "max_series: 2\n" + metric("sum: summary.cost, window: 7d, by: [user, state]")
    collection = collect_from(
        run("a", user="ann", summary={"cost": -1}),
        run("b", user="bob", summary={"cost": 8}),
        run("c", user="cid", summary={"cost": 3}),
        run("d", user="dan"),
        yaml=file,
    )

    assert split(collection) == {("bob", "finished"): 8, ("other", "other"): 2}


def test_who_is_called_other_is_counted_with_the_others() -> None:
    file = "max_series: 2\n" + metric("count: runs, window: 7d, by: user")
    collection = collect_from(*many({"other": 9, "ann": 2, "bob": 1}), yaml=file)

    assert split(collection) == {("ann",): 2, ("other",): 10}


def test_means_over_the_cap_are_left_out_those_of_the_fewest_runs_first_and_it_is_said() -> None:
    file = "max_series: 2\n" + metric("mean: summary.x, window: 7d, by: user")
    collection = collect_from(
        *many({"ann": 1, "bob": 3, "cid": 2}, summary={"x": 1}),
        *many({"dan": 9}, summary={}),
        yaml=file,
    )

    assert split(collection) == {("bob",): 1, ("cid",): 1}
    assert missing(collection) == {"a.b": "2 series left out by max_series"}
    (notice,) = collection.notices
    assert notice == (
        "e/p: a.b by user has more than 2 series: the 2 of the fewest runs are left out; "
        "narrow it, or raise max_series"
    )


def test_up_to_two_hundred_series_are_no_matter() -> None:
    just = collect_from(
        *many({f"u{index:03}": 1 for index in range(200)}),
        yaml=metric("count: runs, window: 7d, by: user"),
    )
    over = collect_from(
        *many({f"u{index:03}": 1 for index in range(201)}),
        yaml=metric("count: runs, window: 7d, by: user"),
    )

    assert (len(just.samples), just.notices) == (200, ())
    assert len(over.samples) == 200
    assert split(over)[("other",)] == 2


USERS = st.lists(st.sampled_from(["ann", "bob", "cid", "other", ""]), max_size=30)


@given(USERS, st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_series_of_a_count_are_at_most_the_cap_add_up_and_do_not_depend_on_order(
    users: list[str], most: int, shuffler: random.Random
) -> None:
    counted = Metric("a.b", Aggregate.COUNT, None, by=("user",), full_scan=True)
    runs = [Run(f"r{index}", user=user) for index, user in enumerate(users)]
    rules = Rules(datetime(2026, 3, 8, tzinfo=UTC), max_series=most)

    def series(of: Sequence[Run]) -> list[tuple[float | None, str]]:
        found = reduce(counted, of, rules)
        assert isinstance(found, list)
        return [(each.value, each.tags["user"]) for each in found]

    found = series(runs)
    assert len(found) <= most
    assert len({user for _, user in found}) == len(found)
    assert sum(value or 0 for value, _ in found) == len(users)
    shuffler.shuffle(runs)
    assert series(runs) == found


def test_a_sum_of_others_that_is_too_large_for_a_float_is_unknown() -> None:
    runs = [Run(f"r{n}", user=f"u{n}", values={"summary.x": 1e308}) for n in range(4)]
    summed = Metric("a.b", Aggregate.SUM, Field("summary", "x"), by=("user",), full_scan=True)

    found = reduce(summed, runs, Rules(datetime(2026, 3, 8, tzinfo=UTC), max_series=2))

    assert "too large to add up" in str(found)


def test_a_cap_of_one_leaves_the_sum_of_all() -> None:
    counted = Metric("a.b", Aggregate.COUNT, None, by=("user",))
    series = [Series(2.0, tags={"user": "ann"}), Series(3.0, tags={"user": "bob"})]

    (other,) = capped(counted, series, 1)

    assert (other.value, other.tags, other.over_cap) == (5, {"user": "other"}, 2)


# Estimates


def test_what_may_become_of_a_catalog_is_the_cap_for_each_split_metric_and_project() -> None:
    found = catalog(
        "max_series: 50\nmetrics: [{name: a.b, count: runs, by: user, window: 7d}]\n"
        "drop: [wandb.runs.total]"
    )

    estimate = estimate_series(found, projects=3)

    assert estimate["a.b"] == 150
    assert estimate["wandb.runs.active"] == 3
    assert sum(estimate.values()) == 150 + 9 * 3


@pytest.mark.parametrize(
    ("split", "most"),
    [
        ("by: outcome", 5),
        ("by: state", 8),
        ("by: [state, outcome]", 8),
        ("by: state, state: finished", 1),
        ("by: outcome, state: [failed, crashed, killed]", 2),
        ("by: [state, user], state: finished", 200),
        ("by: config.state", 200),
    ],
)
def test_a_metric_split_by_states_alone_is_as_many_series_as_they_make(
    split: str, most: int
) -> None:
    found = catalog(f"metrics: [{{name: a.b, count: runs, window: 7d, {split}}}]")

    assert estimate_series(found)["a.b"] == most


def test_the_cap_is_the_most_series_of_a_metric_split_by_states_too() -> None:
    found = catalog("max_series: 3\nmetrics: [{name: a.b, count: runs, window: 7d, by: state}]")

    assert estimate_series(found)["a.b"] == 3


def test_the_bound_on_all_series_bounds_each_metric_too() -> None:
    split = "metrics: [{name: a.b, count: runs, window: 7d, by: user}]"

    assert estimate_series(catalog(f"max_series_total: 90\n{split}"), projects=2)["a.b"] == 90
    assert estimate_series(catalog(f"max_series_total: 1\n{split}"), projects=2)["a.b"] == 2


def test_what_has_become_of_it_is_exact() -> None:
    collection = collect_from(
        *many({"ann": 2, "bob": 1}), yaml=metric("count: runs, window: 7d, by: user")
    )
    assert count_series((*collection.samples, *collection.samples)) == {"a.b": 2}
    assert collection.most_series == {"a.b": 200}
    assert collection.most_series_total == 200


# Filters that match nothing


def test_a_filter_that_matches_no_run_of_the_project_is_worth_a_warning() -> None:
    file = (
        "metrics:\n"
        "- {name: a.b, count: runs, window: 7d, where: {group: nigthly}}\n"
        "- {name: a.c, count: runs, state: failed, where: {group: nightly}}\n"
    )
    with sandbox_of(run("a", group="nightly", beat=ago(days=300))) as sandbox:
        collection = collect(sandbox, yaml=file)
        assert len(sandbox.documents) == collection.cost.requests

    assert {name: values(collection)[name] for name in ("a.b", "a.c")} == {"a.b": 0, "a.c": 0}
    (notice,) = collection.notices
    assert notice == (
        'e/p: no run of the whole project matches where {"group": "nigthly"} of a.b: '
        "check its keys and values"
    )


def test_no_filter_matches_anything_in_an_empty_project_and_that_is_no_slip() -> None:
    collection = collect_from(yaml="where: {group: nightly}")

    assert collection.notices == ()


# Ten further metrics over three projects, by brute force

FURTHER = """
metrics:
- {name: x.by_user, count: runs, window: 7d, by: user}
- {name: x.by_state, count: runs, window: 7d, by: state}
- {name: x.gpu_hours, sum: run.gpu_hours, window: 7d, by: [user, group]}
- {name: x.loss, mean: summary.loss, window: 7d, state: finished, by: config.model}
- {name: x.accuracy, max: summary.accuracy, window: 7d, by: tag}
- {name: x.duration, p95: run.duration_hours, window: 7d, by: job_type}
- {name: x.latest, latest: summary.loss, window: 7d, by: group}
- {name: x.created, count: runs, window: 7d, window_by: created, by: gpu_type}
- {name: x.idle, min: run.silent_minutes, window: 7d, by: host}
- {name: x.slow, count: runs, window: 7d, if: {config.lr: {lt: 0.01}}, by: [sweep, tag]}
"""


def random_run(run_id: str, chance: random.Random) -> StoredRun:
    beat = ago(minutes=chance.randrange(60 * 24 * 12))
    return StoredRun(
        run_id,
        chance.choice(["running", "finished", "finished", "failed", "crashed", "killed"]),
        created_at=beat - timedelta(minutes=chance.randrange(60 * 24 * 4)),
        heartbeat_at=beat,
        compute_seconds=chance.choice([None, 0, 3600, 90_000, 400_000]),
        gpu_count=chance.choice([None, 1, 8]),
        gpu=chance.choice([None, "H100", "A100"]),
        summary={
            "loss": chance.choice([chance.random(), "NaN", None]),
            "accuracy": chance.choice([chance.random(), True]),
        },
        config={"model": chance.choice(["s", "l", 7]), "lr": chance.choice([0.1, 0.001, "auto"])},
        user=chance.choice(["ann", "bob", None]),
        group=chance.choice(["g1", "g2", None]),
        job_type=chance.choice(["train", "eval"]),
        sweep=chance.choice(["s1", None]),
        host=chance.choice(["h1", "h2"]),
        tags=tuple(chance.sample(["x", "y", "z"], chance.randrange(3))),
    )


Value = Callable[[StoredRun], float | None]
Groups = dict[tuple[str, ...], float]


class BruteForce:
    """FURTHER over every run there is, with no code of the package."""

    def __init__(self, runs: Iterable[StoredRun]) -> None:
        self.start = NOW - timedelta(days=7)
        self.recent = [each for each in runs if beat(each) >= self.start]

    def groups(
        self,
        keys: Callable[[StoredRun], Iterable[tuple[object, ...]]],
        value: Value,
        reduced: Callable[[list[tuple[float, StoredRun]]], float],
        chosen: Callable[[StoredRun], bool] = lambda _run: True,
    ) -> Groups:
        found: dict[tuple[str, ...], list[tuple[float, StoredRun]]] = {}
        for each in filter(chosen, self.recent):
            for key in keys(each):
                members = found.setdefault(tuple(str(part or "none") for part in key), [])
                number = value(each)
                if number is not None:
                    members.append((number, each))
        return {key: reduced(members) for key, members in found.items() if members}

    def gpu_hours(self, each: StoredRun) -> float:
        began = max(self.start, beat(each) - timedelta(hours=hours(each)))
        return (each.gpu_count or 1) * (beat(each) - began).total_seconds() / 3600

    def all(self) -> dict[str, Groups]:
        def one(_run: StoredRun) -> float:
            return 1

        return {
            "x.by_user": self.groups(lambda r: [(r.user,)], one, total),
            "x.by_state": self.groups(lambda r: [(r.state,)], one, total),
            "x.gpu_hours": self.groups(lambda r: [(r.user, r.group)], self.gpu_hours, total),
            "x.loss": self.groups(
                lambda r: [(config(r)["model"],)],
                lambda r: numeric(r, "loss"),
                lambda members: total(members) / len(members),
                lambda r: r.state == "finished",
            ),
            "x.accuracy": self.groups(
                lambda r: [(tag,) for tag in r.tags or ("none",)],
                lambda r: numeric(r, "accuracy"),
                lambda members: max(value for value, _ in members),
            ),
            "x.duration": self.groups(lambda r: [(r.job_type,)], hours, p95),
            "x.latest": self.groups(
                lambda r: [(r.group,)],
                lambda r: numeric(r, "loss"),
                lambda members: max(members, key=lambda m: (beat(m[1]), created(m[1]), m[1].id))[0],
            ),
            "x.created": self.groups(
                lambda r: [(r.gpu,)], one, total, lambda r: created(r) >= self.start
            ),
            "x.idle": self.groups(
                lambda r: [(r.host,)],
                lambda r: (NOW - beat(r)).total_seconds() / 60,
                lambda members: min(value for value, _ in members),
            ),
            "x.slow": self.groups(
                lambda r: [(r.sweep, tag) for tag in r.tags or ("none",)],
                one,
                total,
                lambda r: config(r)["lr"] == 0.001,
            ),
        }


def beat(each: StoredRun) -> datetime:
    assert isinstance(each.heartbeat_at, datetime)
    return each.heartbeat_at


def created(each: StoredRun) -> datetime:
    assert isinstance(each.created_at, datetime)
    return each.created_at


def hours(each: StoredRun) -> float:
    return (each.compute_seconds or (beat(each) - created(each)).total_seconds()) / 3600


def config(each: StoredRun) -> dict[str, Any]:
    assert isinstance(each.config, dict)
    return each.config


def numeric(each: StoredRun, key: str) -> float | None:
    assert isinstance(each.summary, dict)
    value = each.summary[key]
    return value if isinstance(value, float) else None


def total(members: list[tuple[float, StoredRun]]) -> float:
    return math.fsum(value for value, _ in members)


def p95(members: list[tuple[float, StoredRun]]) -> float:
    ordered = sorted(value for value, _ in members)
    whole, part = divmod((len(ordered) - 1) * 0.95, 1)
    upper = ordered[min(int(whole) + 1, len(ordered) - 1)]
    return ordered[int(whole)] * (1 - part) + upper * part


def as_dict(each: StoredRun) -> dict[str, Any]:
    return {
        **{name: getattr(each, name) for name in ("id", "state", "created_at", "heartbeat_at")},
        **{name: getattr(each, name) for name in ("summary", "compute_seconds", "gpu_count")},
        "system": {},
    }


def test_ten_further_metrics_over_three_projects_are_exact_and_cost_two_requests_more_at_most() -> (
    None
):
    chance = random.Random(20)
    store = Store()
    names = ("a", "b", "c")
    for name in names:
        store.add("e", name, *(random_run(f"{name}{index:03}", chance) for index in range(150)))

    def requests(sandbox: WandbSandbox) -> Counter[str]:
        found = Counter(str(each.variables.get("project")) for each in sandbox.documents)
        sandbox.documents.clear()
        return found

    with WandbSandbox(store=store) as sandbox:
        collect(sandbox, projects=("e/*",))
        alone = requests(sandbox)
        collection = collect(sandbox, projects=("e/*",), yaml=FURTHER)
        further = requests(sandbox)

    assert unknown(collection) == set()
    for name in names:
        runs = list(store.projects["e", name].runs.values())
        samples = [each for each in collection.samples if each.tags["wandb_project"] == name]
        of_project = Collection(samples=tuple(samples))
        expected = BruteForce(runs).all()
        for metric_name, groups in expected.items():
            assert len(groups) > 1
            assert split(of_project, metric_name) == pytest.approx(groups, rel=1e-12), metric_name
        assert _ten(samples) == pytest.approx(the_ten(map(as_dict, runs), NOW), rel=1e-12)
        assert further[name] <= alone[name] + 2


def _ten(samples: Iterable[Sample]) -> dict[str, float]:
    return {sample.name: sample.value for sample in samples if sample.name in TEN}

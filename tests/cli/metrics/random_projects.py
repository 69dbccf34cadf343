"""Random projects with everything in them that a metric can ask for."""

from datetime import timedelta
from random import Random

from runmetrics.sandbox.store import Store, StoredRun
from tests.collectors.wandb.collecting import NOW

EVERYTHING = """
packs: [health, gpu, throughput, gpu_hours, cost]
gpu_prices: {default: 2}
max_series: 5
metrics:
- {name: mine.sum, sum: summary.tokens/s, window: 3d, by: [user, tag]}
- {name: mine.least, min: summary.loss, window: 7d}
- {name: mine.least_ever, min: summary.nested.score, state: finished}
- {name: mine.lr, max: config.lr}
- {name: mine.median, p50: run.age_hours, full_scan: true}
- {name: mine.latest, latest: summary.accuracy, window: 2d}
- {name: mine.mean_by_run, mean: summary.accuracy, window: 7d, by: run}
- {name: mine.failed, count: runs, state: [failed, crashed]}
- {name: mine.filtered, count: runs, where: {displayName: {$regex: "^a"}}, window: 7d}
- {name: mine.bad, count: runs, window: 7d, if: {summary.loss: {is: nan}}}
"""
_STATES = ("running", "finished", "finished", "finished", "failed", "crashed", "killed")


def random_project(seed: int, runs: int = 60) -> Store:
    """Project e/p with some sixty runs of the last twelve days; equal seeds, equal runs."""
    random = Random(seed)
    store = Store()
    store.project("e", "p")
    for index in range(random.randrange(runs, runs + 10)):
        state = random.choice(_STATES)
        longest = 20 if state == "running" else 12 * 24 * 60
        beat = NOW - timedelta(minutes=random.randrange(longest))
        gpus = random.choice([1, 2, 8])
        summary = {
            "accuracy": random.choice([random.random(), "NaN", None]),
            "loss": random.choice([random.random(), float("nan"), 2]),
            "tokens/s": random.randrange(1000),
            "nested": {"score": random.random()},
        }
        store.add(
            "e",
            "p",
            StoredRun(
                f"r{index:03}",
                state,
                beat - timedelta(minutes=random.randrange(3000)),
                random.choice([beat, beat, beat, None]),
                {key: summary[key] for key in summary if random.random() < 0.8},
                {"lr": random.choice([0.1, 0.01, 0.001])},
                {f"system.gpu.{gpu}.gpu": random.randrange(101) for gpu in range(gpus)},
                random.choice([None, random.randrange(10_000)]),
                random.choice([None, gpus]),
                display_name=random.choice(["alpha", "beta", ""]),
                user=random.choice(["ann", "bob", "cy", None]),
                tags=tuple(random.sample(["x", "y", "z"], random.randrange(3))),
            ),
        )
    return store

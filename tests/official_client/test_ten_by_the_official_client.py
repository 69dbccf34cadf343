"""Our ten numbers against a brute-force computation over what wandb.Api returns."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.collectors.wandb.collecting import NOW, ago, collect, run, unknown, values
from tests.collectors.wandb.oracle import the_ten
from tests.official_client.old_clients import OLD_WRITER, OLDEST_READER, python_with
from tests.official_client.real_runs import isolated, log, stored

READ_PROJECTS = Path(__file__).with_name("read_projects.py")

Reader = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def wandb_api(sandbox: WandbSandbox, home: Path) -> Iterator[Reader]:
    """wandb.Api in a process of its own, asked for one project after another."""
    with subprocess.Popen(
        [sys.executable, READ_PROJECTS],
        env=isolated(sandbox, home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def ask(path: str) -> list[dict[str, Any]]:
            stdin.write(f"{path}\n")
            stdin.flush()
            runs: list[dict[str, Any]] = json.loads(stdout.readline())
            return runs

        yield ask
        stdin.close()


def brute_force(
    runs: list[dict[str, Any]],
    now: datetime,
    hidden: Mapping[str, Mapping[str, Any]],
    accuracy_key: str = "accuracy",
) -> dict[str, float]:
    """The ten over what the official client shows; `hidden` is what it has no attribute for."""
    return the_ten(
        [
            {
                **each,
                "created_at": _time(each["created_at"]),
                "heartbeat_at": _time(each["heartbeat_at"]),
                "compute_seconds": None,
                "gpu_count": None,
                **hidden.get(each["id"], {}),
            }
            for each in runs
        ],
        now,
        accuracy_key,
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def test_runs_that_the_official_client_logged_give_the_same_ten_through_both(
    sandbox: WandbSandbox, wandb_api: Reader
) -> None:
    now = datetime.now(UTC)
    runs = wandb_api("sandbox/metta")
    hidden = {
        each["id"]: {
            "compute_seconds": stored(sandbox, each["id"]).compute_seconds,
            "gpu_count": stored(sandbox, each["id"]).gpu_count,
        }
        for each in runs
    }

    found = values(collect(sandbox, now=now, entity="sandbox", project="metta"))

    assert found == pytest.approx(brute_force(runs, now, hidden))
    assert len(found) == 10
    assert found["wandb.runs.completed_7d"] == 3
    assert found["wandb.training.gpu_utilization_avg"] == 70


def test_runs_of_an_old_client_read_by_the_oldest_supported_one_give_the_same_ten(
    tmp_path: Path,
) -> None:
    with WandbSandbox() as sandbox:
        writer, reader = python_with(OLD_WRITER), python_with(OLDEST_READER)
        codes = [log(sandbox, tmp_path, how, python=writer) for how in ("finished", "failed")]
        now = datetime.now(UTC)
        answer = subprocess.run(
            [reader, READ_PROJECTS],
            env=isolated(sandbox, tmp_path),
            input=b"sandbox/metta\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=300,
            check=True,
        )
        found = values(collect(sandbox, now=now, entity="sandbox", project="metta"))

    assert codes == [0, 1]
    assert found == pytest.approx(brute_force(json.loads(answer.stdout), now, {}))
    assert (found["wandb.runs.completed_7d"], found["wandb.runs.failed_7d"]) == (1, 1)
    assert found["wandb.metrics.best_accuracy"] == 0.7


gpu_metrics = st.dictionaries(
    st.sampled_from(
        [
            *("system.gpu.0.gpu", "system.gpu.1.gpu", "system.gpu.0.gpu/l:a"),
            *("system.gpu.1.gpu/l:b", "system.gpu.0.temp/l:b", "system.gpu.process.0.gpu"),
        ]
    ),
    st.floats(0, 100),
)
values_of_keys: st.SearchStrategy[Any] = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-9, 9),
    st.sampled_from([float("nan"), float("inf"), "NaN", "0.9", True, None, {"max": 1.0}, []]),
)
nested: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"eval": {"accuracy": 0.5}}, {"eval": 3}]
)
flat: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["accuracy", "loss", "Accuracy", "val/accuracy", "eval.accuracy"]),
    values_of_keys,
)
summaries = st.builds(lambda one, other: {**one, **other}, nested, flat)
own_times = st.one_of(
    st.none(),  # it never logged
    st.tuples(  # days from its last log to its creation (negative: after it), hours, has exited
        st.floats(-2, 900), st.floats(0, 200), st.booleans()
    ),
)
projects = st.lists(
    st.tuples(
        st.sampled_from(["running", "finished", "failed", "crashed", "killed", "preempted"]),
        st.floats(-0.001, 12),  # days since the last heartbeat
        st.floats(0, 200),  # hours of the run
        summaries,
        gpu_metrics,
        own_times,
    ),
    max_size=25,
)
numbers = itertools.count()


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(projects, st.sampled_from(["accuracy", "eval.accuracy"]))
def test_any_project_gives_the_same_ten_as_brute_force_over_wandb_api(
    sandbox: WandbSandbox, wandb_api: Reader, drawn: list[Any], accuracy_key: str
) -> None:
    """Imported and hung runs, late clocks, labelled GPUs and dotted keys are among them."""
    name = f"p{next(numbers)}"
    sandbox.store.project("e", name)
    for index, (state, days, hours, summary, system, own) in enumerate(drawn):
        beat, created = ago(days=days), ago(days=days, hours=hours)
        if own is not None:
            days_before, own_hours, exited = own
            logged = created - timedelta(days=days_before)
            summary = {
                **summary,
                "_timestamp": min(logged, beat).timestamp(),
                "_runtime": own_hours * 3600,
                "_wandb": {"runtime": int(own_hours * 3600) if exited else 0},
            }
        sandbox.store.add(
            "e",
            name,
            run(
                f"r{index:02}",
                state,
                beat=beat,
                created_at=created,
                summary=summary,
                system_metrics=system,
            ),
        )

    collection = collect(sandbox, project=name, accuracy_key=accuracy_key)

    expected = brute_force(wandb_api(f"e/{name}"), NOW, {}, accuracy_key)
    assert unknown(collection) == set()
    assert values(collection) == pytest.approx(expected)

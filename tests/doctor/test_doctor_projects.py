"""The doctor names the cause where projects, runs or what they hold are not as hoped."""

from pathlib import Path

from runmetrics.sandbox.quirks import Quirks
from tests.collectors.wandb.collecting import ago, run

from .case import OF_PROJECTS, healthy_runs, line, lines, steps, world


def test_a_project_spelt_wrong_has_its_near_name() -> None:
    with world() as here:
        ended = here.doctor(WANDB_PROJECT="pp")

    assert lines(ended) == [
        line(
            *("broken", "project"),
            "W&B has no project e/pp, or this key has no access to it: "
            "check WANDB_PROJECT; did you mean p?",
        )
    ]
    assert steps(ended, "not asked") == [step for step in OF_PROJECTS if step != "project"]
    assert ended.code == 78


def test_an_entity_spelt_wrong_has_its_near_name() -> None:
    with world() as here:
        ended = here.doctor(WANDB_ENTITY="acmee")

    assert lines(ended) == [
        line(
            *("broken", "project"),
            "W&B has no project acmee/p, or this key has no access to it: check WANDB_ENTITY; "
            "this key sees no projects of 'acmee'; did you mean the entity acme?",
        )
    ]
    assert ended.code == 78


def test_of_several_projects_each_has_its_lines() -> None:
    with world() as here:
        ended = here.doctor(RUNMETRICS_PROJECTS="e/p,e/q")

    assert lines(ended) == [
        line(
            *("broken", "project"),
            "e/q: W&B has no project e/q, or this key has no access to it: "
            "check RUNMETRICS_PROJECTS; e has p",
        )
    ]
    assert lines(ended, "ok")[-3] == line("ok", "collecting", "e/p: 10 of 10 metrics have a value")
    assert line("ok", "loss", "e/p: 2 of 2 runs of the week have a number under 'loss'") in lines(
        ended, "ok"
    )
    assert ended.code == 78


# Runs


def test_a_project_without_runs() -> None:
    with world() as here:
        for name in ("done", "live"):
            here.wandb.store.remove("e", "p", name)
        ended = here.doctor()

    assert lines(ended) == [
        line(
            *("warning", "runs"),
            "the project has no runs: check WANDB_PROJECT and the file's where, or log a first run",
        )
    ]
    assert steps(ended, "not asked") == ["accuracy", "loss", "GPU count", "GPU utilization"]
    assert ended.code == 0


def test_nothing_alive_for_weeks() -> None:
    with world(run("old", beat=ago(days=23, hours=1)), run("older", beat=ago(days=30))) as here:
        ended = here.doctor()

    assert lines(ended) == [
        line(
            *("warning", "runs"),
            "none of 2 runs showed life in the last 7 days; "
            "the last sign of life was 23 days ago, of run old: "
            "check that training still logs to e/p",
        )
    ]
    assert ended.code == 0


def test_other_summary_keys_are_named_as_they_are_in_use() -> None:
    with world(*healthy_runs(summary={"val/accuracy": 0.5, "train/loss": 0.25})) as here:
        ended = here.doctor()

    assert lines(ended) == [
        line(
            *("warning", "accuracy"),
            "0 of 2 runs of the week have a number under 'accuracy'; "
            "similar keys in use: 'val/accuracy': set RUNMETRICS_ACCURACY_KEY=val/accuracy",
        ),
        line(
            *("warning", "loss"),
            "0 of 2 runs of the week have a number under 'loss'; "
            "similar keys in use: 'train/loss': set RUNMETRICS_LOSS_KEY=train/loss",
        ),
    ]
    assert line(
        *("ok", "collecting"),
        "7 of 10 metrics have a value; no data for wandb.metrics.avg_accuracy_7d, "
        "wandb.metrics.best_accuracy, wandb.metrics.latest_loss",
    ) in lines(ended, "ok")
    assert ended.code == 0


def test_a_key_of_gpus_that_no_run_has_is_a_warning_whatever_w_and_b_recorded() -> None:
    with world() as here:
        ended = here.doctor(RUNMETRICS_GPUS_PER_RUN="config.gpus")

    assert lines(ended)[0] == line(
        *("warning", "GPU count"),
        "0 of 2 runs of the week have a number of GPUs under config.gpus; the others count as W&B "
        "recorded them, else as 1: set RUNMETRICS_GPUS_PER_RUN to a key of config that they have, "
        "to a number, or to auto",
    )


def test_a_key_of_gpus_that_runs_have_is_ok() -> None:
    with world(*healthy_runs(config={"gpus": "16"})) as here:
        ended = here.doctor(RUNMETRICS_GPUS_PER_RUN="config.gpus")

    says = "2 of 2 runs of the week have a number of GPUs under config.gpus"
    assert line("ok", "GPU count", says) in ended.out.splitlines()


def test_accuracy_that_is_text_is_said_to_be_text() -> None:
    with world(*healthy_runs(summary={"accuracy": "0.9", "loss": 1})) as here:
        ended = here.doctor()

    (warned,) = lines(ended)
    assert warned.startswith(
        line(
            *("warning", "accuracy"),
            "0 of 2 runs of the week have a number under 'accuracy' (text in 2, such as \"0.9\"): ",
        )
    )


def test_no_gpu_metrics() -> None:
    with world(*healthy_runs(gpu_count=None, system_metrics=None)) as here:
        ended = here.doctor()
        told = here.doctor(RUNMETRICS_GPUS_PER_RUN="8")

    assert lines(ended) == [
        line(
            *("warning", "GPU count"),
            "0 of 2 runs of the week say how many GPUs they have; the others count as 1: "
            "set RUNMETRICS_GPUS_PER_RUN if that is wrong",
        ),
        line(
            *("warning", "GPU utilization"),
            "0 of 2 runs of the week report it: "
            "see that they run on GPUs, and that wandb's x_disable_stats is not set",
        ),
    ]
    assert line("ok", "GPU count", "8 a run, as RUNMETRICS_GPUS_PER_RUN says") in lines(told, "ok")
    assert ended.code == 0


def test_the_runs_of_a_file_without_the_built_in_metrics_are_looked_at_too(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("builtin: false\nmetrics: [{name: wandb.mine, count: runs}]\n")
    with world() as here:
        ended = here.doctor("--config", file)

    assert ended.out.splitlines()[0] == line(
        "ok", "configuration", f"{file} is right: 1 metric, 1 of them of its own"
    )
    assert steps(ended, "warning") + steps(ended, "broken") == []
    assert line("ok", "accuracy", "2 of 2 runs of the week have a number under 'accuracy'") in (
        ended.out.splitlines()
    )
    assert ended.code == 0


def test_what_the_collector_cannot_know_is_broken_in_part() -> None:
    quirks = Quirks(unreadable={("done", "systemMetrics")})
    with world(quirks=quirks) as here:
        ended = here.doctor()

    assert lines(ended) == [
        line(
            *("broken", "collecting"),
            "wandb.training.gpu_utilization_avg, wandb.training.total_gpu_hours_7d: W&B cannot "
            "serve systemMetrics of run done (done): look at the run in W&B; deleting it, or "
            "asking support@wandb.com, fixes it",
        )
    ]
    assert ended.code == 76


def test_of_many_projects_only_the_troubled_have_lines_of_their_own() -> None:
    with world() as here:
        for number in range(6):
            here.wandb.store.add("many", f"p{number}", *healthy_runs())
        here.wandb.store.project("many", "empty")
        ended = here.doctor(RUNMETRICS_PROJECTS="many/*")

    assert (
        line(*("ok", "project"), "7 projects can be read; their good lines are left out")
        in ended.out.splitlines()
    )
    assert lines(ended) == [
        line(
            *("warning", "runs"),
            "many/empty: the project has no runs: "
            "check RUNMETRICS_PROJECTS and the file's where, or log a first run",
        )
    ]
    assert "many/p0" not in ended.out
    assert ended.code == 0


def test_the_week_is_looked_at_whole_where_the_collector_reads_a_whole_history(
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "builtin: false\nmetrics:\n"
        "- {name: m.a, mean: summary.accuracy, full_scan: true}\n"
        "- {name: m.l, mean: summary.loss, full_scan: true}\n"
        "- {name: m.g, sum: run.gpu_hours, full_scan: true}\n"
        "- {name: m.u, mean: run.gpu_utilization, full_scan: true}\n"
    )
    ended_runs = [run(f"r{n}", beat=ago(days=n), summary={"loss": 1}) for n in (1, 2, 3, 9)]
    with world(*ended_runs) as here:
        ended = here.doctor("--config", str(file))

    assert line("ok", "loss", "3 of 3 runs of the week have a number under 'loss'") in lines(
        ended, "ok"
    )

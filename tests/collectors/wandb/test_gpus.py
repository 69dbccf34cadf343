"""How many GPUs a run has, and what they do: from what W&B recorded and from the last sample."""

import math
from typing import Any

import pytest

from runmetrics.collectors.wandb.gpus import GpuSamples, gpu_count, gpu_samples, recorded_gpus
from runmetrics.collectors.wandb.measures import Rules, assumes_gpus, gpus
from runmetrics.collectors.wandb.runs import Run
from tests.collectors.wandb.collecting import NOW

HUGE = 10**400

# what W&B recorded


@pytest.mark.parametrize(
    ("recorded", "count"),
    [(1, 1), (8, 8), (8.0, 8), ("8", 8), (" 16 ", 16), (16_384, 16_384), ("16384", 16_384)],
)
def test_a_recorded_count_is_a_whole_number_or_text_that_spells_one(
    recorded: object, count: int
) -> None:
    assert gpu_count(recorded) == (count, None)


@pytest.mark.parametrize("recorded", [None, "", 0, 0.0, "0"])
def test_null_and_zero_record_no_gpu_and_are_no_fault(recorded: object) -> None:
    assert gpu_count(recorded) == (None, None)


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        *((-1, "-1"), (0.5, "0.5"), (16_385, "16385"), (1e9, "1e+09"), ("1000000000", "'100000")),
        *((True, "True"), ("many", "'many'"), ("0.5", "'0.5'"), ([8], "[8]"), (HUGE, "1000")),
    ],
)
def test_w29_a_count_that_cannot_be_is_none_and_is_shown(recorded: object, shown: str) -> None:
    count, fault = gpu_count(recorded)

    assert count is None
    assert fault is not None
    assert fault.what == "GPU count is no whole number from 1 to 16,384"
    assert fault.shown.startswith(shown)


# what the last sample shows


@pytest.mark.parametrize(
    ("system", "gpus", "utilization"),
    [
        ({}, 0, None),
        ({"system.cpu": 5, "system.memory_percent": 7}, 0, None),
        ({"system.gpu.0.gpu": 80, "system.gpu.1.gpu": 40}, 2, 60.0),  # NVIDIA, AMD
        ({"gpu.0.gpu": 80}, 1, 80.0),  # without the prefix, as in offline files
        ({"system.gpu.0.gpu": 12, "system.gpu.0.freq": 900, "system.gpu.0.temp": 50}, 1, 12.0),
        ({"system.gpu.0.memoryReadWriteActivity": 3, "system.gpu.1.temp": 40}, 2, None),
        ({"system.gpu.0.gpu/l:n1": 100, "system.gpu.0.gpu/l:n2": 0}, 2, 50.0),
        ({"system.gpu.0.temp/l:n1": 60, "system.gpu.0.gpu/l:n1": 100}, 1, 100.0),
        ({"system.gpu.0.gpu/l:rank/1": 30}, 1, 30.0),
        ({"system.gpu.process.0.gpu": 99, "system.gpu.process.1.gpu": 99}, 0, None),
        ({"system.gpu.0.gpu": 10, "system.gpu.process.0.gpu": 90}, 1, 10.0),
        ({"system.gpu.0.gpu": None, "system.gpu.1.gpu": 40}, 2, 40.0),
        ({"system.gpu.0.gpu": "NaN", "system.gpu.1.gpu": math.nan, "system.gpu.2.gpu": 9}, 3, 9.0),
        ({"system.gpu.0.gpu": True}, 1, None),
        ({"system.gpu.10.gpu": 20, "system.gpu.1.gpu": 0}, 2, 10.0),
        ({"system.gpu.0": 5, "system.gpu.gpu": 5, "system.tpu.0.dutyCycle": 5}, 0, None),
    ],
)
def test_gpus_and_their_mean_utilization_are_told_from_the_last_sample(
    system: dict[str, Any], gpus: int, utilization: float | None
) -> None:
    found = gpu_samples(system)

    assert (found.count, found.utilization, found.mixed) == (gpus, utilization, False)
    assert found.faults == ()


def test_where_labelled_and_plain_keys_are_mixed_the_labelled_alone_count() -> None:
    # NVML and a DCGM exporter, both sampling the same two GPUs
    found = gpu_samples(
        {
            "system.gpu.0.gpu": 90,
            "system.gpu.1.gpu": 90,
            "system.gpu.0.gpu/l:n1": 40,
            "system.gpu.1.gpu/l:n1": 60,
            "system.gpu.0.temp": 70,
            "system.gpu.0.temp/l:n1": 65,
        },
        ["temp"],
    )

    assert (found.count, found.labels, found.mixed, found.utilization) == (2, 1, True, 50.0)
    assert found.values["temp"] == (65.0,)


@pytest.mark.parametrize(("percent", "counts"), [(0, True), (100, True), (-1, False), (101, False)])
def test_w29_a_utilization_outside_0_to_100_is_as_if_it_were_not_there(
    percent: float, counts: bool
) -> None:
    found = gpu_samples({"system.gpu.0.gpu": 50, "system.gpu.1.gpu": percent})

    assert found.count == 2
    assert found.utilization == ((50 + percent) / 2 if counts else 50)
    assert [(each.what, each.shown) for each in found.faults] == (
        [] if counts else [("GPU utilization is outside 0 to 100", str(percent))]
    )


def test_values_are_kept_of_every_gpu_that_has_the_name() -> None:
    system = {
        "system.gpu.0.temp": 60,
        "system.gpu.1.temp": 70,
        "system.gpu.2.powerWatts": 300,
        "system.gpu.process.0.temp": 99,
        "system.gpu.3.temp": None,
    }

    assert gpu_samples(system, ["temp", "freq"]).values == {
        "temp": (60.0, 70.0),
        "freq": (),
        "gpu": (),
    }
    assert gpu_samples({}) == GpuSamples(values={"gpu": ()})


# what the writers of an old server recorded


def environment(host: str, count: object, started: str = "", gpu: str = "A100") -> dict[str, Any]:
    return {"host": host, "gpu_count": count, "startedAt": started, "gpu": gpu}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], (None, "")),
        ([environment("a", 8)], (8, "A100")),
        ([environment("a", 8), environment("b", 4)], (12, "A100")),
        ([environment("a", 8, "2026-01-01"), environment("a", 4, "2026-01-02")], (4, "A100")),
        ([environment("a", 4, "2026-01-02"), environment("a", 8, "2026-01-01")], (4, "A100")),
        ([environment("a", 0)], (None, "")),
        ([environment("a", None), "junk", None, 3], (None, "")),
        ([environment("a", "8")], (8, "A100")),
        ([environment("a", 2, gpu="H100")], (2, "H100")),
        ([{"gpu_count": 2}, {"gpu_count": 3}], (3, "")),
    ],
)
def test_recorded_gpus_add_up_over_hosts_and_a_resumed_host_counts_once(
    entries: list[Any], expected: tuple[int | None, str]
) -> None:
    writers = {f"w{index}": entry for index, entry in enumerate(entries)}

    assert recorded_gpus(writers, NOW)[:2] == expected


def test_a_run_that_was_resumed_on_three_pods_counts_the_last_of_them() -> None:
    writers = {
        "w1": environment("pod-1", 8, "2026-01-01T00:00:00Z"),
        "w2": environment("pod-2", 8, "2026-01-02T00:00:00Z"),
        "w3": environment("pod-3", 4, "2026-01-03T00:00:00Z"),
    }

    assert recorded_gpus(writers, NOW) == (4, "A100", [])


@pytest.mark.parametrize(("minutes", "total"), [("00", 16), ("10", 16), ("11", 8)])
def test_nodes_that_started_within_ten_minutes_of_the_latest_add_up(
    minutes: str, total: int
) -> None:
    writers = {
        "w1": environment("n1", 8, "2026-01-01T00:00:00Z"),
        "w2": environment("n2", 8, f"2026-01-01T00:{minutes}:00Z"),
    }

    assert recorded_gpus(writers, NOW)[0] == total


@pytest.mark.parametrize("never", ["9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_w29_a_writer_that_started_when_nobody_can_have_is_not_the_latest_and_is_said(
    never: str,
) -> None:
    writers = {
        "w1": environment("n1", 8, "2026-01-01T00:00:00Z"),
        "w2": environment("n2", 1, never),
    }

    count, _, (fault,) = recorded_gpus(writers, NOW)

    assert (count, fault.shown) == (8, never[:10])


def test_w29_a_writer_with_a_count_that_cannot_be_counts_nothing_and_is_said() -> None:
    writers = {"w1": environment("a", 1e9), "w2": environment("b", 4)}

    count, gpu_type, (fault,) = recorded_gpus(writers, NOW)

    assert (count, gpu_type, fault.shown) == (4, "A100", "1e+09")


@pytest.mark.parametrize("junk", [None, "x", 3, [], [{"gpu_count": 8}]])
def test_environments_that_are_no_object_record_nothing(junk: object) -> None:
    assert recorded_gpus(junk, NOW) == (None, "", [])


# which of them counts


@pytest.mark.parametrize(
    ("run", "count"),
    [
        (Run("a"), 1),
        (Run("a", gpus_seen=4), 4),
        (Run("a", gpu_count=8), 8),
        (Run("a", gpu_count=8, gpus_seen=4), 8),  # somebody may have set it on purpose
        (Run("a", gpu_count=2, gpus_seen=8), 2),
        (Run("a", gpu_count=2, gpus_seen=8, gpu_labels=1), 2),
        (Run("a", gpu_count=8, gpus_seen=16, gpu_labels=2), 16),  # two nodes prove it short
        (Run("a", gpu_count=8, gpus_seen=2, gpu_labels=2), 8),
    ],
)
def test_the_record_counts_unless_samples_of_several_nodes_prove_it_short(
    run: Run, count: int
) -> None:
    assert gpus(run, Rules(NOW)) == count
    assert assumes_gpus(run, Rules(NOW)) == (run == Run("a"))


@pytest.mark.parametrize(
    ("configured", "count"),
    [
        *((16.0, 16), (0.0, 0), (0.5, 0.5), ("16", 16), (" 8 ", 8), ("0", 0)),
        *(("0.5", 0.5), (16_385.0, 2)),
        *(("all", 2), (-1.0, 2), (True, 2), (math.nan, 2), (1e9, 2), ("", 2), ("1_0", 2)),
    ],
)
def test_a_config_key_counts_as_a_number_or_as_text_that_spells_one_0_included(
    configured: float | str | bool, count: float
) -> None:
    rules = Rules(NOW, "config.gpus")

    assert gpus(Run("a", values={"config.gpus": configured}, gpu_count=2), rules) == count
    assert gpus(Run("a", gpu_count=2), rules) == 2


def test_a_list_under_the_config_key_counts_by_its_length() -> None:
    rules = Rules(NOW, "config.devices")

    assert gpus(Run("a", lengths={"config.devices": 4}, gpu_count=8), rules) == 4
    assert gpus(Run("a", lengths={"config.devices": 0}, gpu_count=8), rules) == 0


def test_a_fixed_number_counts_for_every_run_and_none_is_assumed() -> None:
    rules = Rules(NOW, 4)

    assert gpus(Run("a", gpu_count=8), rules) == 4
    assert not assumes_gpus(Run("a"), rules)

"""A training run as its author writes it, a process of its own: python log_run.py HOW."""

import os
import sys
import time
from typing import Any

import wandb


def settings(how: str) -> wandb.Settings:
    """Samples and lines go out at once; GPUs come from an exporter, since there are none here."""
    quick: dict[str, Any] = {
        "console": "off",
        "x_stats_sampling_interval": 0.1,
        "x_file_stream_transmit_interval": 1.0,
    }
    if how == "gpus":
        exporter = os.environ["DCGM_EXPORTER"]
        quick |= {"x_stats_dcgm_exporter": f"{exporter}/api/v1/query?query=DCGM_FI_DEV_GPU_UTIL"}
        quick |= {"x_stats_gpu_count": 2, "x_stats_gpu_type": "NVIDIA H100 80GB HBM3"}
    return wandb.Settings(**quick)


def main(how: str) -> None:
    """Log three steps, then end in the way asked for."""
    run = wandb.init(
        entity=os.environ.get("WANDB_ENTITY", "sandbox"),
        project="metta",
        id=how,
        name=f"the {how} one",
        group="nightly",
        job_type="train",
        tags=["baseline", "fast"],
        config={"lr": 0.1, "model": {"depth": 3}},
        resume="allow",
        settings=settings(how),
    )
    loss = float("nan") if how == "failed" else 1.0
    for accuracy in (0.5, 0.6, 0.7):
        run.log({"accuracy": accuracy, "loss": loss})
    run.summary["val/accuracy"] = 0.25
    if how == "gpus":
        time.sleep(0.5)  # for a sample of the GPUs
    if how == "failed":
        raise RuntimeError("out of memory")
    if how in ("running", "hung"):
        time.sleep(600)  # longer than the tests let it live
    run.finish()


if __name__ == "__main__":
    main(sys.argv[1])

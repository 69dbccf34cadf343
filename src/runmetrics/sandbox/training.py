"""A training run as its author writes it, in a process of its own: `training.py ID ENDING`.

It logs a few steps with the official client, then ends as told: `finishes`, `fails`, or `trains`
on until its stdin is closed, be it by the parent's death. The environment says where to log.
"""

import select
import sys

import wandb

_STEPS = (
    {"accuracy": 0.62, "loss": 1.4},
    {"accuracy": 0.81, "loss": 0.6},
    {"accuracy": 0.97, "loss": 0.25},
)
_STEP_SECONDS = 0.5


def main(run_id: str, ending: str) -> None:
    """Log the run; one that fails never learns anything."""
    run = wandb.init(
        id=run_id,
        name=f"demo run that {ending}",
        config={"lr": 0.001, "batch_size": 256},
        settings=wandb.Settings(console="off", x_file_stream_transmit_interval=1.0),
    )
    if ending == "trains":
        while not select.select([sys.stdin], [], [], _STEP_SECONDS)[0]:
            run.log(_STEPS[1])
    else:
        for step in _STEPS:
            run.log({**step, "accuracy": 0.1} if ending == "fails" else step)
    if ending == "fails":
        raise MemoryError("CUDA out of memory")
    run.finish()


if __name__ == "__main__":
    main(*sys.argv[1:3])

"""A training run as its author writes it, in a process of its own: `training.py ID ENDING`.

It logs a few steps with the official client, then ends as told: `finishes`, `fails`, or `trains`
on until its stdin is closed, be it by the parent's death. The environment says where to log.
"""

import sys
import threading

import wandb

_ACCURACIES = (0.62, 0.81, 0.97)
_LOSSES = (1.4, 0.6, 0.25)
_TRAINING = {"accuracy": _ACCURACIES[1], "loss": _LOSSES[1]}
"""Logged again and again by a run that trains on."""

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
        closed = _when_closed()
        while not closed.wait(_STEP_SECONDS):
            run.log(_TRAINING)
    else:
        for accuracy, loss in zip(_ACCURACIES, _LOSSES, strict=True):
            run.log({"accuracy": 0.1 if ending == "fails" else accuracy, "loss": loss})
    if ending == "fails":
        raise MemoryError("CUDA out of memory")
    run.finish()


def _when_closed() -> threading.Event:
    """Set once stdin has come to its end."""
    closed = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        closed.set()

    threading.Thread(target=watch, daemon=True).start()
    return closed


if __name__ == "__main__":
    main(*sys.argv[1:3])

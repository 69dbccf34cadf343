"""A peer: every run read three times, as the field's earlier collector did it: a pass of it.

The passes look at the states, the summaries and the system metrics, each over the whole history
and as the client does it unless told otherwise: pages of 50, lazy runs. All of it takes hours, so
a pass is cut after `--seconds`; the caller extrapolates by the runs that were read until then.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

import wandb

LOOKS: dict[str, Callable[[Any], object]] = {
    "states": lambda run: (run.state, run.created_at),
    "summaries": lambda run: run.summary.get("accuracy"),
    "systems": lambda run: run.system_metrics,
}


def main() -> None:
    """Read runs, look at each, and stop when the time is over."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("look", choices=LOOKS)
    options.add_argument("--seconds", type=float, required=True)
    chosen = options.parse_args()
    look = LOOKS[chosen.look]
    began = time.monotonic()
    read = 0
    for run in wandb.Api().runs(f"{os.environ['WANDB_ENTITY']}/{os.environ['WANDB_PROJECT']}"):
        look(run)
        read += 1
        if time.monotonic() - began > chosen.seconds:
            break
    print(json.dumps({"read": read}))


if __name__ == "__main__":
    main()

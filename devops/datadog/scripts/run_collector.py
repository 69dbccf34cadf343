"""`run_collector.py wandb [--push] ...` is `runmetrics collect wandb [--push] ...`."""

import sys

from runmetrics.__main__ import run

run(["collect", *sys.argv[1:]])

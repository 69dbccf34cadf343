"""`run_collector.py wandb [--push] ...` is `runmetrics collect wandb [--push] ...`."""

import sys

from runmetrics.cli.main import main

main(["collect", *sys.argv[1:]])

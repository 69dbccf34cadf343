"""`python -m runmetrics`."""

from runmetrics.cli import main

main()

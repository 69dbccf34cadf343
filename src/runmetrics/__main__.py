"""`python -m runmetrics`."""

from runmetrics.cli.main import main

main()

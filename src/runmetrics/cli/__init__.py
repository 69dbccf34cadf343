"""The command `runmetrics`."""

import sys

# httpx loads a command line of its own with click, rich and pygments, and goes without where that
# cannot be imported: 0.14 s of processor time in place of 0.35 for each of our commands.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

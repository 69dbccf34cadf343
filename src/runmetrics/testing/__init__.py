"""What the author of a collector or a sink tests with.

One line in a file of tests, and pytest checks every promise that a collector makes:

    TestDisk = collector_contract(DiskCollector, {"DISK_PATHS": "."})

Nothing in here needs pytest itself.
"""

from runmetrics.testing.contract import collector_contract
from runmetrics.testing.stand_ins import CapturingSink, frozen_deadline, setup_with

__all__ = ["CapturingSink", "collector_contract", "frozen_deadline", "setup_with"]

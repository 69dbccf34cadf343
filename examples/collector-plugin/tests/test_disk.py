from datetime import UTC, datetime

from runmetrics.testing import collector_contract, frozen_deadline, setup_with
from runmetrics_disk import DiskCollector

TestContract = collector_contract(DiskCollector, {"DISK_PATHS": "."})


def test_a_directory_that_is_not_there_is_a_problem_and_no_zero() -> None:
    collector = DiskCollector(setup_with({"DISK_PATHS": "/nowhere,."}))

    collected = collector.collect(datetime.now(UTC), frozen_deadline())

    assert [str(problem) for problem in collected.problems] == [
        "/nowhere cannot be read (No such file or directory): mount it or fix DISK_PATHS"
    ]
    assert {sample.tags["path"] for sample in collected.samples} == {"."}

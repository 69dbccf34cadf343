"""The room that is left where training writes: checkpoints, datasets, logs."""

import shutil
from datetime import datetime

from runmetrics import Collection, ConfigurationError, Deadline, Missing, Problem, Sample, Setup

FREE, USED = "disk.free", "disk.used"


class DiskCollector:
    """Looks at the directories of `DISK_PATHS`, which are separated by commas."""

    name = "disk"

    def __init__(self, setup: Setup) -> None:
        paths = [path.strip() for path in setup.environ.get("DISK_PATHS", "").split(",")]
        self.paths = list(dict.fromkeys(filter(None, paths)))
        if not self.paths:
            raise ConfigurationError(
                "the collector disk needs DISK_PATHS", "set it to directories: /checkpoints,/data"
            )

    def collect(self, now: datetime, deadline: Deadline) -> Collection:
        """The room in each directory's file system; one that cannot be read is a problem."""
        return sum((self._one(path, now, deadline) for path in self.paths), start=Collection())

    def _one(self, path: str, now: datetime, deadline: Deadline) -> Collection:
        tags = {"collector": self.name, "path": path}
        if not deadline.remaining():
            return _unknown(tags, f"{path} was not reached in time", "raise --timeout")
        try:
            room = shutil.disk_usage(path)
        except OSError as error:
            cause = f"{path} cannot be read ({error.strerror})"
            return _unknown(tags, cause, "mount it or fix DISK_PATHS")
        free = Sample(FREE, room.free, now, "byte", tags, "Room that is left")
        if not room.total:
            missing = Missing(USED, "the file system has no size", "percent", tags)
            return Collection((free,), (missing,))
        percent = 100 * room.used / room.total
        return Collection((free, Sample(USED, percent, now, "percent", tags, "Room in use")))


def _unknown(tags: dict[str, str], cause: str, fix: str) -> Collection:
    return Collection(problems=(Problem((FREE, USED), cause, fix, tags=tags),))

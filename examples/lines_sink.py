"""A sink that appends each sample to a file, one JSON object a line."""

import json
from collections.abc import Sequence
from pathlib import Path

from runmetrics import ConfigurationError, Deadline, Delivery, ExitCode, Sample, Setup, Sink


class LinesSink(Sink):
    """Appends to the file `LINES_FILE`."""

    name = "lines"

    def __init__(self, setup: Setup) -> None:
        if not (path := setup.environ.get("LINES_FILE")):
            raise ConfigurationError("the sink lines needs LINES_FILE", "set it to a file")
        self.path = Path(path)

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:
        """Write all of them or none."""
        text = "".join(f"{json.dumps(_line(sample))}\n" for sample in samples)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            cause = f"{self.path} cannot be written ({error.strerror}): look at its directory"
            return Delivery(
                self.name, undelivered=tuple(samples), error=cause, code=ExitCode.TEMPORARY
            )
        return Delivery(self.name, accepted=tuple(samples), bytes_sent=len(text))


def _line(sample: Sample) -> dict[str, object]:
    return {
        "name": sample.name,
        "value": sample.value,
        "unit": sample.unit,
        "time": sample.time.isoformat(),
        "tags": dict(sample.tags),
    }

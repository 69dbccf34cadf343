"""Stand-ins for what is around a collector: its setup, a deadline, a sink."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.model import Delivery, Sample
from runmetrics.plugins import Setup, Sink


def setup_with(environ: Mapping[str, str] | None = None) -> Setup:
    """Return what a collector is made from: this process's environment, these variables over it.

    `.env` is not read. Raises ConfigurationError when a variable of this program's own is wrong.
    """
    variables = {**os.environ, **(environ or {})}
    settings = Settings.load(environ=variables, env_file=Path(os.devnull))
    return Setup(settings, environ=variables)


def frozen_deadline(seconds: float = 60.0) -> Deadline:
    """Return a deadline whose clock stands still: these seconds are always left (0: time is up)."""
    return Deadline(seconds, clock=lambda: 0.0)


class CapturingSink(Sink):
    """A sink that takes everything and keeps it in `samples`."""

    name = "capturing"

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def deliver(self, samples: Sequence[Sample], deadline: Deadline) -> Delivery:  # noqa: ARG002
        """Accept all of them."""
        self.samples.extend(samples)
        return Delivery(self.name, accepted=tuple(samples))

    def value(self, name: str, **tags: str) -> float | None:
        """Return the value of the one sample of that name with these tags; None if there is none.

        Raises AssertionError when there are several.
        """
        values = [
            sample.value
            for sample in self.samples
            if sample.name == name and tags.items() <= sample.tags.items()
        ]
        if len(values) > 1:
            raise AssertionError(f"{len(values)} samples are called {name} and have these tags")
        return values[0] if values else None

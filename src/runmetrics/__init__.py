"""The truth about Weights & Biases training runs, delivered to the dashboards of operations.

The names here are what a package with a collector or a sink of its own needs, and they stay;
`runmetrics.testing` has what it tests with. Every command needs them all, so nothing is lazy.
"""

from importlib.metadata import version

from runmetrics.deadline import Deadline
from runmetrics.errors import (
    CommandLineError,
    ConfigurationError,
    CredentialRefused,
    ExitCode,
    RunmetricsError,
    TemporaryError,
)
from runmetrics.model import Collection, Cost, Delivery, Drop, Missing, Problem, RunRef, Sample
from runmetrics.plugins import Collector, Setup, Sink

__all__ = [
    "Collection",
    "Collector",
    "CommandLineError",
    "ConfigurationError",
    "Cost",
    "CredentialRefused",
    "Deadline",
    "Delivery",
    "Drop",
    "ExitCode",
    "Missing",
    "Problem",
    "RunRef",
    "RunmetricsError",
    "Sample",
    "Setup",
    "Sink",
    "TemporaryError",
    "__version__",
]

__version__ = version("runmetrics")

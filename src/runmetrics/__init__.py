"""The truth about Weights & Biases training runs, delivered to the dashboards of operations."""

from importlib.metadata import version

__version__ = version("runmetrics")

"""Datadog's v2 series intake."""

from runmetrics.sinks.datadog.sink import DatadogSink

__all__ = ["DatadogSink"]

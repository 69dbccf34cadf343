"""OpenTelemetry's protocol, OTLP over HTTP."""

from runmetrics.sinks.otlp.sink import OtlpSink

__all__ = ["OtlpSink"]

"""Prometheus: the families of a scrape, and the textfile that node_exporter reads."""

from runmetrics.sinks.prometheus.textfile import TextfileSink

__all__ = ["TextfileSink"]

"""`runmetrics serve`: collects on an interval, and shows the last good values over HTTP."""

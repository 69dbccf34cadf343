"""Logs on stderr, and the one place where secrets are taken out of text.

Modules log with the standard library (`logging.getLogger(__name__)`, key-value pairs as `extra=`)
and structlog renders: coloured lines on a terminal, one JSON object a line elsewhere. structlog
costs 80 ms to import, so it is imported with the first line that is really written.
"""

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any
from urllib.parse import quote

HIDDEN = "***"
BODY_BYTES = 1000  # the Datadog Agent's limit for a body in its log
SHORTEST_SECRET = 6  # taking out shorter strings would make text unreadable and hide little

_PATTERNS = (
    (re.compile(r"\b(Basic|Bearer)\s+[\w+/=.~-]{16,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"://[^/\s@'\"]+@"), f"://{HIDDEN}@"),
    (re.compile(r"\bA[KS]IA[0-9A-Z]{16}\b"), HIDDEN),
    (re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{32})(?![0-9A-Za-z])"), HIDDEN),
)


class Redactor:
    """Takes secrets out of text: the exact values it was told, and whatever looks like a key.

    Patterns: `Basic ...` and `Bearer ...`, the user part of a URL, AWS key ids, 32 and 40
    hexadecimal digits (Datadog keys, the older W&B keys).
    """

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._exact: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        """Never let `value` through again, nor its form inside JSON or a URL."""
        forms = {value, json.dumps(value)[1:-1], quote(value, safe="")}
        self._values |= {form for form in forms if len(form) >= SHORTEST_SECRET}
        if self._values:
            longest_first = sorted(self._values, key=len, reverse=True)
            self._exact = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        if self._exact is not None:
            text = self._exact.sub(HIDDEN, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


redact = Redactor()


def excerpt(body: str | bytes, limit: int = BODY_BYTES) -> str:
    """At most `limit` bytes of a body, as text on one line; redacted before it is cut."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    raw = redact(" ".join(text.split())).encode("utf-8", "replace")
    return raw[:limit].decode("utf-8", "ignore") + ("..." if len(raw) > limit else "")


def configure(verbose: bool = False) -> None:
    """Send every log line, warning and uncaught exception of this process to stderr, redacted.

    Ours from INFO on (from DEBUG on with `verbose`), other libraries' from WARNING on: their
    debug lines hold headers. A traceback is shown only with `verbose`, and never with locals.
    """
    handler = _StderrHandler()
    handler.setFormatter(_Formatter(verbose))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _StderrHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("runmetrics").setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.captureWarnings(True)
    sys.excepthook = _report_uncaught
    threading.excepthook = _report_uncaught_in_thread


class _StderrHandler(logging.Handler):
    """Writes whole lines; a closed or full stderr loses the line and nothing else."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _write(self.format(record) + "\n")
        except Exception as exc:  # noqa: BLE001 - a log line that cannot be rendered is no reason to die
            _write(f"a log line of {record.name} could not be rendered: {type(exc).__name__}\n")


def _write(line: str) -> None:
    stream = sys.stderr
    if stream is None:  # started with stderr closed
        return
    try:
        # Past Python's buffer: what stays in it after a failure changes the exit code to 120.
        descriptor = stream.fileno()
    except (OSError, ValueError):
        descriptor = -1
    try:
        if descriptor < 0:
            stream.write(line)
            return
        stream.flush()
        left = line.encode("utf-8", "replace")
        while left:
            left = left[os.write(descriptor, left) :]
    except (OSError, ValueError):
        return


class _Formatter(logging.Formatter):
    def __init__(self, verbose: bool) -> None:
        super().__init__()
        self._verbose = verbose
        self._renderer: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._renderer is None:
            self._renderer = _renderer(self._verbose, _is_terminal())
        return redact(self._renderer.format(record))


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # closed, or none at all
        return False


def _renderer(verbose: bool, terminal: bool) -> logging.Formatter:
    import structlog

    def without_traceback(
        _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        error = event.pop("exc_info", None)
        if error and isinstance(error, tuple) and error[1] is not None:
            event["error"] = f"{type(error[1]).__name__}: {error[1]}"
        return event

    def cut(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        for key, value in event.items():
            if isinstance(value, str | bytes) and key != "exception":
                event[key] = excerpt(value)
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if verbose else without_traceback,
        cut,
    ]
    last: list[structlog.typing.Processor] = [
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(default=str),
    ]
    if terminal:
        last = [structlog.dev.ConsoleRenderer(colors="NO_COLOR" not in os.environ)]
    return structlog.stdlib.ProcessorFormatter(processors=[*shared, *last])


def _report_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    message = "".join(traceback.format_exception_only(kind, error)).strip()
    logging.getLogger("runmetrics").critical(
        "a bug of ours (--verbose shows where): %s", message, exc_info=(kind, error, trace)
    )


def _report_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        _report_uncaught(args.exc_type, args.exc_value, args.exc_traceback)

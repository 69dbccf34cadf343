"""Logs on stderr, and the one place where secrets are taken out of text.

Modules log with the standard library (`logging.getLogger(__name__)`, further fields as `extra=`).
Off a terminal a line is one JSON object with every field; on a terminal it is coloured words.
"""

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote

from runmetrics.text import one_line

HIDDEN = "***"
BODY_BYTES = 1000  # the Datadog Agent's limit for a body in its log
_QUOTED_BYTES = 80
SHORTEST_SECRET = 6  # taking out shorter strings would make text unreadable and hide little

_COLOURS = {logging.INFO: 36, logging.WARNING: 33, logging.ERROR: 31, logging.CRITICAL: 31}
_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
"""What every record has; the rest are fields that were given as `extra`."""

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
    """Return at most `limit` bytes of a body, as text on one line; redacted before it is cut."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    raw = redact(" ".join(text.split())).encode("utf-8", "replace")
    return raw[:limit].decode("utf-8", "ignore") + ("..." if len(raw) > limit else "")


def quoted(words: str | bytes) -> str:
    """Return somebody else's words, redacted, cut and fit for a line of ours."""
    return f'"{one_line(excerpt(words, _QUOTED_BYTES))}"'


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


@contextmanager
def written_by(write: Callable[[str], None]) -> Iterator[None]:
    """Give each line to `write` for a while: what draws on the terminal makes room for it."""
    handlers = [each for each in logging.getLogger().handlers if isinstance(each, _StderrHandler)]
    for handler in handlers:
        handler.write = write
    try:
        yield
    finally:
        for handler in handlers:
            handler.write = _write


class _StderrHandler(logging.Handler):
    """Writes whole lines; a closed or full stderr loses the line and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.write: Callable[[str], None] = _write

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as exc:  # noqa: BLE001 - a log line that cannot be rendered is no reason to die
            line = f"a log line of {record.name} could not be rendered: {type(exc).__name__}"
        self.write(line + "\n")


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
    """One redacted line a record; with `verbose` a traceback, never with locals."""

    def __init__(self, verbose: bool) -> None:
        super().__init__()
        self._verbose = verbose

    def format(self, record: logging.LogRecord) -> str:
        further = {name: _cut(value) for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info and (error := record.exc_info[1]) is not None:
            further["error"] = excerpt(f"{type(error).__name__}: {error}")
        trace = ""
        if self._verbose and record.exc_info:
            trace = self.formatException(record.exc_info)
        show = _in_words if _is_terminal() else _as_json
        return redact(show(record, further, trace, self._verbose))


def _as_json(record: logging.LogRecord, further: dict[str, Any], trace: str, _: bool) -> str:
    fields = {
        "timestamp": f"{_time(record):%FT%T.%fZ}",
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": excerpt(record.getMessage()),
        **further,
        **({"exception": trace} if trace else {}),
    }
    return json.dumps(fields, default=str)


def _in_words(record: logging.LogRecord, further: dict[str, Any], trace: str, verbose: bool) -> str:
    head = f"{_time(record):%TZ} {record.levelname.lower():8}"
    if "NO_COLOR" not in os.environ:
        head = f"\x1b[{_COLOURS.get(record.levelno, 0)}m{head}\x1b[0m"
    line = f"{head} {one_line(excerpt(record.getMessage()))}"
    if verbose:
        line += "".join(f" {name}={one_line(str(value))}" for name, value in further.items())
    return f"{line}\n{trace}" if trace else line


def _cut(value: object) -> object:
    return excerpt(value) if isinstance(value, str | bytes) else value


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _is_terminal() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # closed, or none at all
        return False


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

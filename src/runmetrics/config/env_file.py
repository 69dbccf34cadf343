"""The file `.env` of the working directory: variables that the environment does not set."""

import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from runmetrics.small_file import read_text

ENV_FILE = Path(".env")

_OTLP_HOSTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_OTLP_KEYS = ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")


def with_env_file(
    environ: Mapping[str, str] | None = None, env_file: Path = ENV_FILE
) -> dict[str, str]:
    """Return the environment over `.env`, for who reads variables of its own.

    An unreadable `.env` is left for `Settings.load` to report.
    """
    set_there = {name: value for name, value in read_env_file(env_file)[0].items() if value}
    return {**set_there, **(os.environ if environ is None else environ)}


def read_env_file(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return what the file sets, taken literally, and what keeps it from being read."""
    try:
        text = read_text(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}, []
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        return {}, [f"{path}: cannot be read ({reason}): fix or remove it"]
    from dotenv.parser import parse_stream

    values, faults = {}, []
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            whole = binding.original.string  # begins with the empty lines before it
            empty = whole[: len(whole) - len(whole.lstrip())].count("\n")
            line = binding.original.line + empty
            faults.append(f"{path}:{line}: is not NAME=value: fix or remove the line")
        elif binding.key is not None:
            values[binding.key] = binding.value or ""
    return values, faults


def host_faults(environ: Mapping[str, str], dotenv: Mapping[str, str]) -> Iterator[str]:
    """Yield receivers that only `.env` names and that would get headers of the environment.

    Whoever can write a file into the working directory must not be able to have a key sent to a
    host of theirs; for W&B and Datadog, whose keys have further sources, see credentials.py.
    """
    keys = [name for name in _OTLP_KEYS if environ.get(name)]
    for host in _OTLP_HOSTS:
        if keys and dotenv.get(host) and not environ.get(host):
            yield (
                f"{host} in .env: gets no headers from elsewhere: "
                f"set it in the environment, or {keys[0]} in .env alone"
            )

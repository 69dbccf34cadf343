"""What the tests of Prometheus output share: samples, the ten, and full disks."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import yaml

from runmetrics.atomic_file import SystemCalls
from runmetrics.model import Sample

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
_NOBODY = 65534


def sample(name: str = "wandb.runs.active", value: float = 4.0, **changes: Any) -> Sample:
    return Sample(name, value, changes.pop("time", NOW), **changes)


def ten() -> list[Sample]:
    """The built-in metrics, each 1.5."""
    catalog = files("runmetrics.collectors.wandb.metrics") / "builtin.yaml"
    return [
        sample(
            metric["name"],
            1.5,
            unit=metric.get("unit", ""),
            description=metric["description"],
            tags={"wandb_entity": "e", "wandb_project": "p", "collector": "wandb"},
        )
        for metric in yaml.safe_load(catalog.read_text())["metrics"]
    ]


def disk_that_fails(call: str, number: int = errno.ENOSPC) -> SystemCalls:
    """The system's calls, of which one fails."""

    def fail(*_arguments: Any) -> Any:
        raise OSError(number, os.strerror(number))

    failing: dict[str, Callable[..., Any]] = {call: fail}
    return SystemCalls(**failing)


@contextmanager
def no_privileges() -> Iterator[None]:
    """As root may write anywhere, be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)

"""Find out what a project's runs log: the keys of a few whole summaries and configs, counted.

A summary may be hundreds of KB (fact 27), so they are read of a bounded sample, in small pages.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from runmetrics.collectors.wandb.projects import find_projects, near_projects
from runmetrics.collectors.wandb.reading.document import PageAsk
from runmetrics.collectors.wandb.reading.filters import EVERYTHING
from runmetrics.collectors.wandb.reading.project_client import NoSuchProject, ProjectClient
from runmetrics.collectors.wandb.runs import make_run
from runmetrics.collectors.wandb.selection import EVERY_RUN, Selection
from runmetrics.collectors.wandb.server.client import WandbClient
from runmetrics.collectors.wandb.unknown import Unknown
from runmetrics.collectors.wandb.values import Scalar, decode_object, leaves, unwrapped
from runmetrics.config.credentials import find_wandb_key
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, TemporaryError
from runmetrics.event_loop import Loop

_PAGE = 10
_DEEPEST = 4
"""Levels of nesting that W&B's own index goes down to (fact 13)."""

_WHOLE = Selection(frozenset({"summaryMetrics", "config", "runInfo"}))


@dataclass(slots=True)
class Key:
    """One key of the sample: in how many runs it stands, and what stands under it.

    `numbers` of the runs have a finite number there, between `least` and `greatest`; `not_finite`
    have NaN or an infinity; the rest have text, true or false.
    """

    name: str
    runs: int = 0
    numbers: int = 0
    not_finite: int = 0
    least: float = math.inf
    greatest: float = -math.inf

    def add(self, value: Scalar) -> None:
        """Count one run's value."""
        self.runs += 1
        if isinstance(value, float) and math.isfinite(value):
            self.numbers += 1
            self.least = min(self.least, value)
            self.greatest = max(self.greatest, value)
        elif isinstance(value, float):
            self.not_finite += 1


@dataclass(slots=True)
class Sampled:
    """What the newest runs of a project log. Keys are as a file writes them: summary.val/acc.

    `gpu_types` is how many runs W&B recorded each type of GPU of.
    """

    entity: str
    project: str
    runs: int = 0
    keys: dict[str, Key] = field(default_factory=dict)
    gpu_types: Counter[str] = field(default_factory=Counter)

    def add(self, node: Mapping[str, Any]) -> None:
        """Count the keys of one run, a GraphQL node with its whole summary and config."""
        self.runs += 1
        if gpu_type := make_run(node, EVERY_RUN, datetime.now(UTC)).gpu_type:
            self.gpu_types[gpu_type] += 1
        summary = decode_object(node.get("summaryMetrics")) or {}
        config = unwrapped(decode_object(node.get("config")) or {})
        for source, found in (("summary", summary), ("config", config)):
            for path, value in leaves(found, _DEEPEST):
                name = f"{source}.{path}"
                self.keys.setdefault(name, Key(name)).add(value)

    def common(self) -> list[Key]:
        """Return the keys that most runs have first, then by name; summaries before configs."""
        return sorted(
            self.keys.values(),
            key=lambda key: (key.name.startswith("config."), -key.runs, key.name),
        )


def sample(settings: Settings, runs: int, deadline: Deadline) -> list[Sampled]:
    """Read the newest `runs` of every configured project. Raises RunmetricsError."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(_sample(settings, runs, deadline))


async def _sample(settings: Settings, runs: int, deadline: Deadline) -> list[Sampled]:
    key = find_wandb_key(settings, deadline)
    async with WandbClient.of(settings, key, deadline) as client:
        found = await find_projects(client, settings)
        for error in found.failed.values():
            raise error
        return [
            await _one(ProjectClient(client, *project), settings, runs)
            for project in found.projects
        ]


async def _one(client: ProjectClient, settings: Settings, runs: int) -> Sampled:
    sampled = Sampled(client.entity, client.project)
    seen: set[str] = set()
    after: str | None = None
    while len(seen) < runs:
        wanted = min(_PAGE, runs - len(seen))
        try:
            page = await client.ask_one(PageAsk(EVERYTHING, "-created_at", wanted, _WHOLE, after))
        except NoSuchProject as error:
            fix = await near_projects(client.server, settings, client.entity, client.project)
            raise ConfigurationError(error.cause, fix) from None
        if isinstance(page, Unknown):
            raise TemporaryError(page.cause, page.fix)
        fresh = [node for node in page.nodes if node["name"] not in seen]
        seen.update(node["name"] for node in fresh)
        for node in fresh:
            sampled.add(node)
        if not page.has_next or not fresh:
            break
        after = page.end_cursor
    return sampled

"""Say what a monitor is before it becomes Datadog's JSON: shipped, or made for a metric.

A shipped one is a YAML file in which its threshold, its window and its words stand once.
"""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Self

import pydantic
import yaml

from runmetrics.assets import Kind, home
from runmetrics.collectors.wandb.metrics.catalog import Metric
from runmetrics.collectors.wandb.metrics.file import pack_of
from runmetrics.collectors.wandb.metrics.language import tag_name
from runmetrics.collectors.wandb.metrics.monitors import Monitor
from runmetrics.collectors.wandb.server.pages import app_url
from runmetrics.config.credentials import WANDB_PUBLIC_URL
from runmetrics.config.settings import Settings
from runmetrics.self_metrics import DESCRIPTIONS
from runmetrics.sinks.datadog.series import tag

_OF_A_PROJECT: Final = ("wandb_entity", "wandb_project")
_METRIC: Final = re.compile(r"(?:avg|max|min|sum):([a-zA-Z][\w.]*)\{")


class Alert(pydantic.BaseModel):
    """When to alert, and what to say: the keys of devops/datadog/monitors/*.yaml.

    `query` is without window, groups and threshold; its `{*}` are split by project. Of the values
    in the window, `time` is compared; where `change` is given, with what it was so long ago.
    `title`, `message`, `recovered` and `missing` may hold `$project` (its name), `$page` (the
    address of its page), `$keys` (that of the page of W&B keys) and `$window` (in words). Somebody
    is told that no data arrives only where `missing` says what that means. Where `off_until_given`,
    the threshold is an example: only the user knows one, and until the file gives it there is no
    monitor.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    title: str
    query: str
    time: Literal["min", "max"]
    window: str
    change: Literal["", "1d"] = ""
    above: float | None = None
    below: float | None = None
    warning: float | None = None
    priority: int = 3
    renotify_minutes: int = 1440
    message: str
    recovered: str
    missing: str = ""
    off_until_given: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that it looks at."""
        return tuple(dict.fromkeys(_METRIC.findall(self.query)))

    def lacks(self, collected: Container[str], said: Monitor) -> str:
        """Return what it cannot alert without, and how to give it; empty where it has all."""
        known = (each for each in self.metrics if each not in DESCRIPTIONS)
        if absent := [each for each in known if each not in collected]:
            packs = ", ".join(sorted({pack_of(each) for each in absent} - {""}))
            fix = f"add packs: [{packs}] to the configuration file" if packs else "collect it"
            return f"needs {' and '.join(absent)}, not collected: {fix}"
        if self.off_until_given and said.threshold is None:
            return "needs a threshold that only you know: give it in the configuration file"
        return ""

    @property
    def threshold(self) -> float:
        """The value on whose far side it alerts."""
        return next(value for value in (self.above, self.below) if value is not None)

    @property
    def by_project(self) -> bool:
        """Whether it alerts for each project by itself."""
        return "{*}" in self.query

    def changed(self, said: Monitor) -> "Alert":
        """Return the same, with what a user's file says of it.

        A shipped warning goes with the shipped threshold: another threshold has the warning that
        the file gives, or none.
        """
        changes: dict[str, object] = {
            "below" if self.above is None else "above": said.threshold,
            "window": said.window,
            "priority": said.priority,
            "warning": said.warning,
        }
        changes = {key: value for key, value in changes.items() if value is not None}
        if said.threshold is not None:
            changes.setdefault("warning", None)
        return self.model_copy(update=changes)


@dataclass(frozen=True, slots=True)
class Split:
    """What alerts are split by: `tags` of projects, which every project carries, and project.

    `pages` is the address of W&B's pages, without a slash at its end. `values` are those that each
    of `tags` has in any project.
    """

    pages: str
    tags: tuple[str, ...] = ()
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read it from the settings."""
        pages = app_url(settings.base_url or WANDB_PUBLIC_URL, settings.app_url)
        tags = [entry.tags for entry in settings.entries]
        of_all = [key for key in tags[0] if all(key in each for each in tags)]
        values = {key: tuple(dict.fromkeys(each[key] for each in tags)) for key in of_all}
        return cls(pages, tuple(of_all), values)

    def groups(self, metric: Metric | None = None) -> tuple[str, ...]:
        """Return the keys of the tags by which a metric's series are told apart."""
        own = _own_groups(metric) if metric else ()
        return tuple(dict.fromkeys((*map(tag, self.tags), *_OF_A_PROJECT, *own)))


def shipped() -> dict[str, Alert]:
    """Return the alerts that come with this package, by name."""
    paths = sorted((home() / Kind.MONITOR).glob("*.yaml"))
    return {path.stem: Alert(**yaml.safe_load(path.read_text("utf-8"))) for path in paths}


def for_metric(metric: Metric, said: Monitor) -> Alert:
    """Return the alert of a metric that the file asks for with `above` or `below`."""
    above = said.above is not None
    side = "above" if above else "below"
    what = metric.description or metric.words()
    groups = [f"{key} {{{{{variable(key)}}}}}" for key in _own_groups(metric)]
    where = "$project" + (f" for {' and '.join(groups)}" if groups else "")
    return Alert(
        title=f"{metric.name} is {side} {{{{threshold}}}} in {where}",
        query=f"{'max' if above else 'min'}:{metric.name}{{*}}",
        time="min" if above else "max",
        window=said.window or "2h",
        above=said.above,
        below=said.below,
        warning=said.warning,
        priority=said.priority or Alert.model_fields["priority"].default,
        message="\n".join(
            [
                "## What it means",
                f"`{metric.name}` of {where} is {{{{value}}}}, {side} {{{{threshold}}}}: {what}.",
                "",
                "## Look at first",
                f"1. `runmetrics explain {metric.name}` lists the runs behind the number.",
                "2. The project in W&B: [$project]($page).",
            ]
        ),
        recovered=f"`{metric.name}` of {where} is {{{{value}}}}: not {side} {{{{threshold}}}} any"
        " more.",
    )


def _own_groups(metric: Metric) -> list[str]:
    """Return the tags that `by` splits a metric by, as the sink sends them."""
    return [tag(tag_name(group)) for group in metric.by]


def variable(key: str) -> str:
    """Return Datadog's name of a tag's value: a key that would be a path stands in brackets."""
    return f"[{key}].name" if "." in key or "/" in key else f"{key}.name"

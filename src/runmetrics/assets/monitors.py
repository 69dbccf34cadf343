"""Make the monitors as Datadog takes them, of the alerts and of what the user's file says."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

from runmetrics.assets import Asset, Kind
from runmetrics.assets.alerts import Alert, Split, for_metric, shipped, variable
from runmetrics.collectors.wandb.metrics.catalog import Catalog, Metric, load_catalog
from runmetrics.collectors.wandb.metrics.file import ConfigFile
from runmetrics.collectors.wandb.metrics.monitors import Monitor, Notify
from runmetrics.collectors.wandb.server.pages import key_page
from runmetrics.config.rules import length
from runmetrics.errors import ConfigurationError
from runmetrics.plugins import Setup
from runmetrics.sinks.datadog.series import tag
from runmetrics.spelling import choose, shown
from runmetrics.text import exact_length

OURS: Final = "integration:runmetrics"
"""Tag of every monitor; which of them one is, its tag `monitor:NAME` says."""

_NEW_GROUP_SECONDS: Final = 3600
_PROJECT: Final = "{{wandb_entity.name}}/{{wandb_project.name}}"

_Fault = tuple[str, str]
"""A key, or nothing for all of an entry, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The monitors that are wanted, and the names of those that the file switches off.

    `lacking` are names of monitors that could not alert, with what they need, in words.
    """

    wanted: tuple[Asset, ...]
    off: tuple[str, ...]
    lacking: Mapping[str, str]


def monitors_of(setup: Setup, notify: Sequence[str] = ()) -> Compiled:
    """Make the monitors for what this setup collects; raises as `compile_monitors` does."""
    catalog = load_catalog(setup.config, setup.settings)
    return compile_monitors(catalog, setup.config, Split.of(setup.settings), notify)


def faults_of_monitors(setup: Setup) -> tuple[str, ...]:
    """Return what `monitors push` would refuse of the file's; collecting does not care."""
    try:
        monitors_of(setup)
    except ConfigurationError as error:
        return error.faults
    return ()


def compile_monitors(
    catalog: Catalog, file: ConfigFile | None, split: Split, notify: Sequence[str] = ()
) -> Compiled:
    """Make the monitors for what `catalog` collects; `notify` beats the file's own `notify`.

    Raises ConfigurationError with everything that is wrong under the file's `monitors`.
    """
    alerts, metrics = shipped(), {metric.name: metric for metric in catalog.metrics}
    said = file.layout.monitors.by_name if file else {}
    told = file.layout.monitors.notify if file else None
    if file is not None and (faults := list(monitor_faults(file, alerts, metrics, split))):
        cause = f"the monitors of {file.path} are wrong"
        raise ConfigurationError(cause, "fix what is listed", faults)
    everyone = Notify(tuple(notify)) if notify else told or Notify()
    wanted: list[Asset] = []
    off: list[str] = []
    lacking: dict[str, str] = {}
    for name in dict.fromkeys((*alerts, *said)):
        own = said.get(name, Monitor())
        alert = alerts[name].changed(own) if name in alerts else None
        if not own.enabled:
            off.append(name)
        elif alert is None:
            alert, groups = for_metric(metrics[name], own), split.groups(metrics[name])
            wanted.append(_as_asset(name, alert, groups, own.notify or everyone, split.pages))
        elif needs := alert.lacks(metrics, own):
            lacking[name] = needs
        else:
            groups = split.groups() if alert.by_project else ()
            wanted.append(_as_asset(name, alert, groups, own.notify or everyone, split.pages))
    return Compiled(tuple(wanted), tuple(off), lacking)


def monitor_faults(
    file: ConfigFile, alerts: Mapping[str, Alert], metrics: Mapping[str, Metric], split: Split
) -> Iterator[str]:
    """Yield each fault with its line and what would be right.

    `alerts` are those that are shipped, `metrics` those that are collected, both by name.
    """
    monitors = file.layout.monitors
    if monitors.notify:
        yield from _placed(file, (), _notify_faults(monitors.notify, split.groups(), split))
    for name, said in monitors.by_name.items():
        if name in alerts:
            groups = split.groups() if alerts[name].by_project else None
            found = [*_shipped_faults(alerts[name], said, metrics)]
        elif name in metrics:
            groups = split.groups(metrics[name])
            found = [*_metric_faults(said)]
        else:
            known = choose(name, [*alerts, *metrics])
            yield from _placed(file, (name,), [("", f"is no monitor and no metric: {known}")])
            continue
        if said.notify and groups:
            found += _notify_faults(said.notify, groups, split)
        yield from _placed(file, (name,), found)


def _placed(file: ConfigFile, entry: tuple[str, ...], faults: Iterable[_Fault]) -> Iterator[str]:
    for key, what in faults:
        place = ("monitors", *entry, *([key] if key else []))
        yield f"{file.place(place)}: {'.'.join(place)}: {what}"


def _shipped_faults(alert: Alert, said: Monitor, metrics: Mapping[str, Metric]) -> Iterator[_Fault]:
    for key in ("above", "below"):
        if (value := getattr(said, key)) is not None:
            yield key, f"is for a metric's own monitor: write threshold: {value:g}"
    if said.enabled and (needs := alert.lacks(metrics, said)):
        yield "", needs
    yield from _warning_faults(alert.changed(said), said)


def _metric_faults(said: Monitor) -> Iterator[_Fault]:
    if said.threshold is not None:
        sides = f"above: {said.threshold:g} or below: {said.threshold:g}"
        yield "threshold", f"does not say on which side of it to alert: write {sides}"
    elif said.enabled and (said.above is None) == (said.below is None):
        has = "neither above nor below" if said.above is None else "above and below"
        yield "", f"has {has}: write one of the two, like above: 100"
    yield from _warning_faults(said, said)


def _warning_faults(edges: Alert | Monitor, said: Monitor) -> Iterator[_Fault]:
    if said.warning is None:
        return
    late = f"{said.warning:g} would come after the alert"
    if edges.above is not None and said.warning >= edges.above:
        yield "warning", f"{late}: write less than {edges.above:g}"
    if edges.below is not None and said.warning <= edges.below:
        yield "warning", f"{late}: write more than {edges.below:g}"


def _notify_faults(notify: Notify, groups: Sequence[str], split: Split) -> Iterator[_Fault]:
    if notify.tag and tag(notify.tag) not in groups:
        fix = f"give it to each under projects, or go by one of {', '.join(groups)}"
        yield "notify", f"not every project has the tag {notify.tag}: {fix}"
    for key, values in split.values.items():
        if notify.tag and tag(key) == tag(notify.tag):
            carried = {tag(f"{key}:{value}") for value in values}
            for value in notify.by_value:
                if tag(f"{key}:{value}") not in carried:
                    what = f"no project has the tag {key}: {shown(value)}"
                    yield "notify", f"{what}: {choose(value, values)}"


def mark(name: str) -> str:
    """Return the tag by which the monitor of that name is found again."""
    return f"monitor:{name}"


def _as_asset(name: str, alert: Alert, groups: Sequence[str], notify: Notify, pages: str) -> Asset:
    """Return the monitor of an alert.

    It is split by the tags `groups`, and tells those of `notify`; links lead to `pages`, W&B's.
    """
    words = {
        "project": _PROJECT,
        "page": f"{pages}/{_PROJECT}",
        "keys": key_page(pages),
        "window": exact_length(length(alert.window)),
    }
    document = {
        "name": f"[runmetrics] {Template(alert.title).safe_substitute(words)}",
        "type": "query alert",
        "query": _query(alert, groups),
        "message": Template(_message(alert)).safe_substitute(words) + _told(notify, groups),
        "tags": [OURS, mark(name)],
        "priority": alert.priority,
        "options": _options(alert, groups),
    }
    text = json.dumps(document, indent=2) + "\n"
    return Asset(Kind.MONITOR, Path(Kind.MONITOR, f"{name}.json"), text, document)


def _query(alert: Alert, groups: Sequence[str]) -> str:
    over = f"{alert.time}(last_{alert.window})"
    if alert.change:
        over = f"change({over},{alert.change}_ago)"
    by = f" by {{{','.join(groups)}}}" if groups else ""
    side = "<" if alert.above is None else ">"
    return f"{over}:{alert.query.replace('{*}', '{*}' + by)} {side} {_number(alert.threshold)}"


def _options(alert: Alert, groups: Sequence[str]) -> dict[str, Any]:
    # A warning that is null, not absent, takes away one that was set before.
    warning = None if alert.warning is None else _number(alert.warning)
    options: dict[str, Any] = {
        "thresholds": {"critical": _number(alert.threshold), "warning": warning},
        "include_tags": True,
        "notify_audit": False,
        "require_full_window": False,
        "on_missing_data": "show_and_notify_no_data" if alert.missing else "show_no_data",
        "renotify_interval": alert.renotify_minutes,
    }
    return {**options, "new_group_delay": _NEW_GROUP_SECONDS} if groups else options


def _message(alert: Alert) -> str:
    """Return what is said when data is missing, when all is well again, and otherwise."""
    missing = (
        f"{{{{#is_no_data}}}}\n{alert.missing}\n{{{{/is_no_data}}}}\n" if alert.missing else ""
    )
    return (
        f"{missing}{{{{#is_recovery}}}}\n{alert.recovered}\n{{{{/is_recovery}}}}\n"
        f"{{{{^is_recovery}}}}\n{alert.message}\n{{{{/is_recovery}}}}"
    )


def _told(notify: Notify, groups: Sequence[str]) -> str:
    """Return who is told, in Datadog's template language."""
    others = " ".join(notify.default)
    key = tag(notify.tag)
    if key not in groups or not notify.by_value:
        return f"\n\n{others}" if others else ""
    lines = []
    for value, handles in notify.by_value.items():
        # As the sink sends the tag: what is compared is what Datadog keeps.
        kept = tag(f"{key}:{value}").removeprefix(f"{key}:")
        test = f'is_exact_match "{variable(key)}" "{kept}"'
        lines.append(f"{{{{#{test}}}}}{' '.join(handles)}{{{{/is_exact_match}}}}")
        others = f"{{{{^{test}}}}}{others}{{{{/is_exact_match}}}}"
    return "\n\n" + "\n".join([*lines, others])


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else value

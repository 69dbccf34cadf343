"""Make the monitors as Datadog takes them, of the alerts and of what the user's file says."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runmetrics.assets import Asset
from runmetrics.assets.alerts import Alert, Split, for_metric, shipped
from runmetrics.assets.monitor_json import as_asset
from runmetrics.collectors.wandb.metrics.catalog import Catalog, Metric, load_catalog
from runmetrics.collectors.wandb.metrics.file import ConfigFile
from runmetrics.collectors.wandb.metrics.monitors import Monitor, Notify
from runmetrics.errors import ConfigurationError
from runmetrics.plugins import Setup
from runmetrics.sinks.datadog.series import tag
from runmetrics.spelling import choose, shown


@dataclass(frozen=True, slots=True)
class Compiled:
    """The monitors that are wanted, and the names of those that the file switches off.

    `lacking` are names of monitors that could not alert, with what they need, in words.
    """

    wanted: tuple[Asset, ...]
    off: tuple[str, ...]
    lacking: Mapping[str, str]


Fault = tuple[str, str]
"""A key, or nothing for all of an entry, and what is wrong with it."""


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
            wanted.append(as_asset(name, alert, groups, own.notify or everyone, split.pages))
        elif needs := alert.lacks(metrics, own):
            lacking[name] = needs
        else:
            groups = split.groups() if alert.by_project else ()
            wanted.append(as_asset(name, alert, groups, own.notify or everyone, split.pages))
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


def _placed(file: ConfigFile, entry: tuple[str, ...], faults: Iterable[Fault]) -> Iterator[str]:
    for key, what in faults:
        place = ("monitors", *entry, *([key] if key else []))
        yield f"{file.place(place)}: {'.'.join(place)}: {what}"


def _shipped_faults(alert: Alert, said: Monitor, metrics: Mapping[str, Metric]) -> Iterator[Fault]:
    for key in ("above", "below"):
        if (value := getattr(said, key)) is not None:
            yield key, f"is for a metric's own monitor: write threshold: {value:g}"
    if said.enabled and (needs := alert.lacks(metrics, said)):
        yield "", needs
    yield from _warning_faults(alert.changed(said), said)


def _metric_faults(said: Monitor) -> Iterator[Fault]:
    if said.threshold is not None:
        sides = f"above: {said.threshold:g} or below: {said.threshold:g}"
        yield "threshold", f"does not say on which side of it to alert: write {sides}"
    elif said.enabled and (said.above is None) == (said.below is None):
        has = "neither above nor below" if said.above is None else "above and below"
        yield "", f"has {has}: write one of the two, like above: 100"
    yield from _warning_faults(said, said)


def _warning_faults(edges: Alert | Monitor, said: Monitor) -> Iterator[Fault]:
    if said.warning is None:
        return
    late = f"{said.warning:g} would come after the alert"
    if edges.above is not None and said.warning >= edges.above:
        yield "warning", f"{late}: write less than {edges.above:g}"
    if edges.below is not None and said.warning <= edges.below:
        yield "warning", f"{late}: write more than {edges.below:g}"


def _notify_faults(notify: Notify, groups: Sequence[str], split: Split) -> Iterator[Fault]:
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

"""Make the monitors as Datadog takes them, of the alerts and of what the user's file says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runmetrics.assets import Asset
from runmetrics.assets.alerts import Split, for_metric, shipped
from runmetrics.assets.monitor_faults import monitor_faults
from runmetrics.assets.monitor_json import as_asset
from runmetrics.collectors.wandb.metrics.catalog import Catalog, load_catalog
from runmetrics.collectors.wandb.metrics.file import ConfigFile
from runmetrics.collectors.wandb.metrics.monitors import Monitor, Notify
from runmetrics.errors import ConfigurationError
from runmetrics.plugins import Setup


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

"""Write an alert as the JSON of a Datadog monitor."""

import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

from runmetrics.assets import Asset, Kind
from runmetrics.assets.alerts import Alert
from runmetrics.collectors.wandb.metrics.monitors import Notify
from runmetrics.collectors.wandb.server.pages import key_page
from runmetrics.config.rules import length
from runmetrics.sinks.datadog.series import tag
from runmetrics.text import exact_length

OURS: Final = "integration:runmetrics"
"""Tag of every monitor; which of them one is, its tag `monitor:NAME` says."""

_NEW_GROUP_SECONDS: Final = 3600
_PROJECT: Final = "{{wandb_entity.name}}/{{wandb_project.name}}"


def mark(name: str) -> str:
    """Return the tag by which the monitor of that name is found again."""
    return f"monitor:{name}"


def as_asset(name: str, alert: Alert, groups: Sequence[str], notify: Notify, pages: str) -> Asset:
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
        test = f'is_exact_match "{key}.name" "{tag(f"{key}:{value}").removeprefix(f"{key}:")}"'
        lines.append(f"{{{{#{test}}}}}{' '.join(handles)}{{{{/is_exact_match}}}}")
        others = f"{{{{^{test}}}}}{others}{{{{/is_exact_match}}}}"
    return "\n\n" + "\n".join([*lines, others])


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else value

"""Bring dashboards, monitors, SLOs and metadata to Datadog: find, compare, create or update."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from runmetrics.assets import Asset, Kind
from runmetrics.assets.account import Account, NotThere
from runmetrics.assets.changes import differences
from runmetrics.assets.metadata import Described
from runmetrics.assets.monitors import OURS, mark
from runmetrics.errors import ConfigurationError

_PAGE = 100
_MOST_PAGES = 200


@dataclass(frozen=True, slots=True)
class Found:
    """What Datadog has: its id and the document."""

    id: Any
    document: Any


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one of them, or would: created, updated, unchanged, deleted or absent."""

    verdict: str
    title: str
    differences: tuple[str, ...] = ()


class Shelf(ABC):
    """One kind of thing in an account.

    `create` and `update` are the official client's calls, `new` and `changed` its models for them.
    """

    def __init__(
        self,
        account: Account,
        create: Callable[..., object],
        update: Callable[..., object],
        new: type,
        changed: type | None = None,
    ) -> None:
        self._account = account
        self._create, self._update = create, update
        self._new, self._changed = new, changed or new
        self._models: dict[tuple[Path, type], Any] = {}  # one takes the client half a second

    def find(self, asset: Asset) -> Found | None:
        """Find the one that this asset is, whatever else has changed about it.

        Raises ConfigurationError when several are, and for an asset that the client does not take.
        """
        self._model(asset, self._new)
        return self._same(asset)

    def create(self, asset: Asset) -> None:
        """Add it."""
        self._account.ask(self._create, self._model(asset, self._new))

    def update(self, found: Found, asset: Asset) -> None:
        """Replace it."""
        self._account.ask(self._update, found.id, self._model(asset, self._changed))

    @abstractmethod
    def _same(self, asset: Asset) -> Found | None: ...

    def _model(self, asset: Asset, kind: type) -> Any:
        key = asset.path, kind
        if key not in self._models:
            self._models[key] = self._account.model(asset, kind)
        return self._models[key]


def push(shelf: Shelf, assets: Iterable[Asset], *, dry_run: bool) -> Iterator[Pushed]:
    """Create what is not there and update what differs; in a dry run only say so."""
    for asset in assets:
        found = shelf.find(asset)
        changes = tuple(differences(found.document, asset.document)) if found else ()
        if found is None:
            if not dry_run:
                shelf.create(asset)
            yield Pushed("created", asset.title)
        elif changes:
            if not dry_run:
                shelf.update(found, asset)
            yield Pushed("updated", asset.title, changes)
        else:
            yield Pushed("unchanged", asset.title)


def remove(monitors: "Monitors", names: Iterable[str], *, dry_run: bool) -> "Iterator[Pushed]":
    """Delete the monitors of these names that are there; in a dry run only say so."""
    for name in names:
        found = monitors.named(name)
        if found is not None:
            if not dry_run:
                monitors.delete(found)
            yield Pushed("deleted", found.document["name"])


class Dashboards(Shelf):
    """Known by their title: Datadog lets a dashboard carry no other mark."""

    def __init__(self, account: Account) -> None:
        from datadog_api_client.v1.api.dashboards_api import DashboardsApi
        from datadog_api_client.v1.model.dashboard import Dashboard

        self._api = DashboardsApi(account.client)
        super().__init__(account, self._api.create_dashboard, self._api.update_dashboard, Dashboard)
        self._ids: dict[str, list[str]] | None = None

    def _same(self, asset: Asset) -> Found | None:
        if self._ids is None:
            ids: dict[str, list[str]] = {}
            for one in _every(self._page):
                ids.setdefault(one.get("title", ""), []).append(one["id"])
            self._ids = ids
        found = _only(self._ids.get(asset.title, []), f"dashboards are called {asset.title!r}")
        if found is None:
            return None
        there = self._account.ask(self._api.get_dashboard, found)
        return Found(found, there.to_dict())

    def _page(self, number: int) -> list[dict[str, Any]]:
        start = number * _PAGE
        answer = self._account.ask(self._api.list_dashboards, count=_PAGE, start=start)
        return answer.to_dict().get("dashboards") or []


class Monitors(Shelf):
    """Known by their tag `monitor:NAME`, so that a person may rename them."""

    def __init__(self, account: Account) -> None:
        from datadog_api_client.v1.api.monitors_api import MonitorsApi
        from datadog_api_client.v1.model.monitor import Monitor
        from datadog_api_client.v1.model.monitor_update_request import MonitorUpdateRequest

        self._api = MonitorsApi(account.client)
        super().__init__(
            *(account, self._api.create_monitor, self._api.update_monitor),
            *(Monitor, MonitorUpdateRequest),
        )
        self._ours: list[dict[str, Any]] | None = None

    def named(self, name: str) -> Found | None:
        """Find the monitor that was made for this name; raises as `find` does."""
        return self._marked(mark(name))

    def delete(self, found: Found) -> None:
        """Take it away; that it is gone already is as well."""
        with suppress(NotThere):
            self._account.ask(self._api.delete_monitor, found.id)

    def _same(self, asset: Asset) -> Found | None:
        return self._marked(_mark(asset, "monitor"))

    def _marked(self, mark: str) -> Found | None:
        if self._ours is None:
            self._ours = _every(self._page)
        by_id = {one["id"]: one for one in self._ours if mark in one.get("tags", [])}
        found = _only(list(by_id), f"monitors carry the tag {mark}")
        return None if found is None else Found(found, by_id[found])

    def _page(self, number: int) -> list[dict[str, Any]]:
        found = self._account.ask(
            self._api.list_monitors, monitor_tags=OURS, page=number, page_size=_PAGE
        )
        return [one.to_dict() for one in found]


class Slos(Shelf):
    """Known by their tag `slo:NAME`, so that a person may rename them."""

    def __init__(self, account: Account) -> None:
        from datadog_api_client.v1.api.service_level_objectives_api import ServiceLevelObjectivesApi
        from datadog_api_client.v1.model.service_level_objective import ServiceLevelObjective
        from datadog_api_client.v1.model.service_level_objective_request import (
            ServiceLevelObjectiveRequest,
        )

        self._api = ServiceLevelObjectivesApi(account.client)
        super().__init__(
            *(account, self._api.create_slo, self._api.update_slo),
            *(ServiceLevelObjectiveRequest, ServiceLevelObjective),
        )

    def _same(self, asset: Asset) -> Found | None:
        tag = _mark(asset, "slo")
        answer = self._account.ask(self._api.list_slos, tags_query=tag, limit=_PAGE)
        by_id = {one["id"]: one for one in answer.to_dict().get("data") or []}
        found = _only(list(by_id), f"SLOs carry the tag {tag}")
        return None if found is None else Found(found, by_id[found])


def shelf_of(kind: Kind, account: Account) -> Shelf:
    """Return where an account keeps assets of a kind that it knows."""
    shelves: Mapping[Kind, Callable[[Account], Shelf]] = {
        Kind.DASHBOARD: Dashboards,
        Kind.MONITOR: Monitors,
        Kind.SLO: Slos,
    }
    return shelves[kind](account)


def push_metadata(
    account: Account, metrics: Iterable[Described], *, dry_run: bool
) -> Iterator[Pushed]:
    """Set unit, description, type and short name of each metric that Datadog has.

    A metric that never arrived is absent: Datadog keeps nothing about what it does not know.
    """
    from datadog_api_client.v1.api.metrics_api import MetricsApi
    from datadog_api_client.v1.model.metric_metadata import MetricMetadata

    api = MetricsApi(account.client)
    for metric in metrics:
        wanted = metric.metadata()
        try:
            there = account.ask(api.get_metric_metadata, metric.name).to_dict()
        except NotThere:
            yield Pushed("absent", metric.name)
            continue
        changes = tuple(differences(there, wanted))
        if changes and not dry_run:
            body = MetricMetadata(**cast(Any, wanted))
            account.ask(api.update_metric_metadata, metric.name, body)
        yield Pushed("updated" if changes else "unchanged", metric.name, changes)


def _every(page: Callable[[int], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what all pages hold, up to the first that is not full."""
    found: list[dict[str, Any]] = []
    for number in range(_MOST_PAGES):
        more = page(number)
        found += more
        if len(more) < _PAGE:
            break
    return found


def _mark(asset: Asset, kind: str) -> str:
    tags = asset.document.get("tags") or []
    marks = [tag for tag in tags if isinstance(tag, str) and tag.startswith(f"{kind}:")]
    if OURS not in tags or len(marks) != 1:
        raise ConfigurationError(
            f"{asset.path} is not marked as ours",
            f"give it the tags {OURS} and {kind}:NAME, by which it is found again",
        )
    return marks[0]


def _only(ids: list[Any], what: str) -> Any:
    if len(ids) > 1:
        raise ConfigurationError(
            f"{len(ids)} {what} (ids {', '.join(map(str, ids))})", "delete all but one of them"
        )
    return ids[0] if ids else None

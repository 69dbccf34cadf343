"""The part of the Datadog intake that keeps dashboards, monitors, SLOs and metadata of metrics.

It asks for an application key as Datadog does, checks the shape of what is put, and keeps it.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import OpenApiException
from datadog_api_client.v1.model.monitor import Monitor
from datadog_api_client.v1.model.service_level_objective_request import ServiceLevelObjectiveRequest

from runmetrics.sandbox.http import Request, Response, errors, json_response
from runmetrics.units import UNITS

_OURS = ("/api/v1/dashboard", "/api/v1/monitor", "/api/v1/slo", "/api/v1/metrics/")
_DASHBOARD_KEYS = {
    *("description", "is_read_only", "layout_type", "notify_list", "reflow_type", "tags"),
    *("template_variable_presets", "template_variables", "title", "widgets"),
}
_MONITOR_KEYS = {"message", "name", "options", "priority", "query", "tags", "type"}
_OLDER_OPTIONS = {"no_data_timeframe", "notify_no_data"}
_METADATA_KEYS = {"description", "per_unit", "short_name", "statsd_interval", "type", "unit"}
_WIDGETS = {
    *("group", "manage_status", "note", "query_table", "query_value", "timeseries", "toplist"),
}
_COMPARISON = re.compile(r"(?:>=|<=|==|!=|>|<) *(-?[0-9.]+)$")
_WORD_OF_A_FORMULA = re.compile(r"[a-z_]\w*(?!\w*\()")


class DatadogAssets:
    """What was put so far: dashboards, monitors and SLOs by id, metadata by metric."""

    def __init__(self, app_keys: Collection[str], has_metric: Callable[[str], bool]) -> None:
        self.app_keys = set(app_keys)
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.monitors: dict[int, dict[str, Any]] = {}
        self.slos: dict[str, dict[str, Any]] = {}
        self.metadata: dict[str, dict[str, Any]] = {}
        self.has_metric = has_metric

    def owns(self, request: Request) -> bool:
        """Return whether this part answers the request."""
        return request.path.startswith(_OURS)

    def answer(self, request: Request) -> Response:
        """Return the answer to a request whose API key is right."""
        if request.headers.get("dd-application-key") not in self.app_keys:
            return errors(403, "Forbidden")
        path, _, query = request.path.partition("?")
        kind, _, rest = path.removeprefix("/api/v1/").partition("/")
        body: Any = None
        if request.method in ("POST", "PUT"):
            try:
                body = json.loads(request.body)
            except ValueError as error:
                return errors(400, f"Invalid JSON: {error}")
            if not isinstance(body, dict):
                return errors(400, "The body is not an object")
        words = {key: values[0] for key, values in parse_qs(query).items()}
        if kind == "metrics":
            return self._metadata(request.method, rest, body)
        answer = {"dashboard": self._dashboard, "monitor": self._monitor, "slo": self._slo}[kind]
        return answer(request.method, rest, words, body)

    def _dashboard(
        self, method: str, rest: str, words: Mapping[str, str], body: dict[str, Any]
    ) -> Response:
        if method == "GET" and not rest:
            start = int(words.get("start", 0))
            count = int(words.get("count", 100))
            shown = [
                {key: one.get(key) for key in ("id", "title", "description", "layout_type")}
                for one in self.dashboards.values()
            ]
            return json_response(200, {"dashboards": shown[start : start + count]})
        if rest and rest not in self.dashboards:
            return errors(404, f"Dashboard with ID {rest} not found")
        if method == "GET":
            return json_response(200, self.dashboards[rest])
        if faults := list(_dashboard_faults(body)):
            return errors(400, *faults)
        key = rest or f"abc-def-{len(self.dashboards):03}"
        self.dashboards[key] = {**body, "id": key, "url": f"/dashboard/{key}"}
        return json_response(200, self.dashboards[key])

    def _monitor(
        self, method: str, rest: str, words: Mapping[str, str], body: dict[str, Any]
    ) -> Response:
        if method == "GET" and not rest:
            wanted = set(filter(None, words.get("monitor_tags", "").split(",")))
            found = [one for one in self.monitors.values() if wanted <= set(one.get("tags", []))]
            size = int(words.get("page_size", 100))
            first = int(words.get("page", 0)) * size
            return json_response(200, found[first : first + size])
        key = int(rest) if rest else max(self.monitors, default=999) + 1
        if rest and key not in self.monitors:
            return errors(404, "Monitor not found")
        if method == "GET":
            return json_response(200, self.monitors[key])
        if method == "DELETE":
            del self.monitors[key]
            return json_response(200, {"deleted_monitor_id": key})
        if faults := list(_monitor_faults(body)):
            return errors(400, *faults)
        self.monitors[key] = {**body, "id": key, "multi": " by {" in body["query"]}
        return json_response(200, self.monitors[key])

    def _slo(
        self, method: str, rest: str, words: Mapping[str, str], body: dict[str, Any]
    ) -> Response:
        if method == "GET" and not rest:
            wanted = words.get("tags_query")
            first, most = int(words.get("offset", 0)), int(words.get("limit", 1000))
            found = [one for one in self.slos.values() if wanted in (None, *one.get("tags", []))]
            return json_response(200, {"data": found[first : first + most], "errors": None})
        if rest and rest not in self.slos:
            return errors(404, "SLO not found")
        if method == "GET":
            return json_response(200, {"data": self.slos[rest], "errors": None})
        if faults := list(_slo_faults(body)):
            return errors(400, *faults)
        key = rest or f"{len(self.slos):032x}"
        self.slos[key] = {**body, "id": key}
        return json_response(200, {"data": [self.slos[key]], "errors": None})

    def _metadata(self, method: str, name: str, body: dict[str, Any]) -> Response:
        if not self.has_metric(name):
            return errors(404, "Metric not found")
        if method == "PUT":
            faults = [f"unknown field {key}" for key in sorted(body.keys() - _METADATA_KEYS)]
            if body.get("type") not in ("gauge", "count", "rate", "distribution"):
                faults.append(f"{body.get('type')!r} is no type of metric")
            if body.get("unit") and body["unit"] not in UNITS:
                faults.append(f"{body['unit']!r} is no unit")
            if faults:
                return errors(400, *faults)
            self.metadata.setdefault(name, {}).update(body)
        return json_response(200, self.metadata.get(name, {}))


def _dashboard_faults(body: dict[str, Any]) -> Iterator[str]:
    yield from (f"unknown field {key}" for key in sorted(body.keys() - _DASHBOARD_KEYS))
    if not body.get("title"):
        yield "title is missing"
    if body.get("layout_type") not in ("ordered", "free"):
        yield "layout_type is neither ordered nor free"
    known = {f"${one['name']}" for one in body.get("template_variables") or []}
    widgets = body.get("widgets")
    if not isinstance(widgets, list):
        yield "widgets are missing"
        return
    needs_layout = body.get("reflow_type") == "fixed" or body.get("layout_type") == "free"
    todo = list(widgets)
    while todo:
        widget = todo.pop(0)
        definition = widget.get("definition", {})
        title = definition.get("title") or definition.get("type")
        if definition.get("type") not in _WIDGETS:
            yield f"{title}: {definition.get('type')!r} is no type of widget known here"
        if needs_layout and "layout" not in widget:
            yield f"{title}: layout is missing"
        for request in definition.get("requests", []):
            yield from (f"{title}: {fault}" for fault in _request_faults(request, known))
        todo.extend(definition.get("widgets", []))


def _request_faults(request: dict[str, Any], variables: Collection[str]) -> Iterator[str]:
    names = [query.get("name") for query in request.get("queries", [])]
    if len(set(names)) != len(names):
        yield "two queries have one name"
    for formula in request.get("formulas", []):
        for word in _WORD_OF_A_FORMULA.findall(formula["formula"]):
            if word not in names:
                yield f"formula: no query is called {word!r}"
    for query in request.get("queries", []):
        for variable in re.findall(r"\$\w+", query.get("query", "")):
            if variable not in variables:
                yield f"no template variable is called {variable}"


def _monitor_faults(body: dict[str, Any]) -> Iterator[str]:
    yield from (f"unknown field {key}" for key in sorted(body.keys() - _MONITOR_KEYS))
    for key in ("name", "query", "type"):
        if not body.get(key):
            yield f"{key} is missing"
    yield from _model_faults(body, Monitor)
    options = body.get("options", {})
    found = _COMPARISON.search(str(body.get("query", "")))
    if found is None:
        yield "The query ends with no comparison"
    elif float(found[1]) != options.get("thresholds", {}).get("critical"):
        yield "Alert threshold does not match that used in the query"
    if "on_missing_data" in options and (older := options.keys() & _OLDER_OPTIONS):
        yield f"on_missing_data cannot be used with {', '.join(sorted(older))}"
    if options.get("notify_no_data") and not options.get("no_data_timeframe"):
        yield "no_data_timeframe is missing"


def _slo_faults(body: dict[str, Any]) -> Iterator[str]:
    known = ServiceLevelObjectiveRequest.attribute_map.values()
    yield from (f"unknown field {key}" for key in sorted(body.keys() - set(known)))
    yield from _model_faults(body, ServiceLevelObjectiveRequest)
    slices = body.get("sli_specification", {}).get("time_slice", {}).get("query", {})
    yield from _request_faults(slices, ())


def _model_faults(body: dict[str, Any], kind: type[Any]) -> Iterator[str]:
    """Return what the official client's own model of it does not know."""
    try:
        made = ApiClient(Configuration()).deserialize(json.dumps(body), (kind,), True)
    except OpenApiException as error:
        yield str(error)
        return
    if made._unparsed:
        yield "a value is not one of those that are allowed"

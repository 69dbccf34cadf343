"""Queries of Datadog and of Prometheus, taken apart as far as to see what they ask for.

Whatever does not parse is an error: a query that this cannot read is not proven.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TAG = r"[a-z_][\w./-]*"
_SCOPE = rf"(?:\$\w+|{_TAG}:[\w./*-]+|\*)"
_METRIC_QUERY = re.compile(
    r"(?:avg|max|min|sum):(?P<metric>[a-z]\w*(?:\.\w+)+)"
    rf"\{{(?P<scope>{_SCOPE}(?:,{_SCOPE})*)\}}"
    rf"(?: by \{{(?P<by>{_TAG}(?:,{_TAG})*)\}})?"
    r"(?:\.fill\(last, \d+\)|\.rollup\((?:avg|count|max|min|sum), \d+\))?"
)
_TIME = r"(?:avg|max|min|sum)\(last_(?:\d+[mh]|1d)\)"
_MONITOR = re.compile(
    rf"(?:{_TIME}|(?:pct_)?change\({_TIME},(?:\d+[mh]|1d)_ago\)):(?P<what>.+?) [<>]=? -?[\d.]+"
)

_LABEL = r"[a-z_]\w*"
_SELECTOR = re.compile(rf"(?P<metric>{_LABEL})\{{(?P<matchers>[^}}]*)\}}")
_MATCHER = re.compile(rf'(?P<label>{_LABEL})(?:=~|!~|!=|=)"(?P<value>[^"]*)"')
_BY = re.compile(rf" by \((?P<labels>{_LABEL}(?:, {_LABEL})*)\)")
_PROMETHEUS_WORDS = {"avg", "max", "min", "sum", "time", "topk"}
_VALUES = re.compile(rf"label_values\((?P<of>[^()]+), (?P<label>{_LABEL})\)")


@dataclass(frozen=True)
class Asked:
    """A metric, the tags or labels that it is narrowed or split by, and the variables used."""

    metric: str
    tags: frozenset[str]
    variables: frozenset[str] = frozenset()


def datadog(query: str, variables: Mapping[str, str]) -> Asked:
    """What one metric query asks for; `variables` are template variables and their tags."""
    found = _METRIC_QUERY.fullmatch(query)
    assert found, f"not a metric query: {query}"
    parts = found["scope"].split(",")
    used = frozenset(part[1:] for part in parts if part.startswith("$"))
    assert used <= variables.keys(), f"unknown variables in {query}"
    tags = {part.split(":")[0] for part in parts if ":" in part}
    tags |= {variables[name] for name in used} | {*(found["by"] or "").split(",")} - {""}
    return Asked(found["metric"], frozenset(tags), used)


def datadog_monitor(query: str) -> list[Asked]:
    """What a metric monitor asks for: one metric or arithmetic over several, compared."""
    whole = _MONITOR.fullmatch(query)
    assert whole, f"not a monitor's query: {query}"
    asked = [datadog(found[0], {}) for found in _METRIC_QUERY.finditer(whole["what"])]
    arithmetic(_METRIC_QUERY.sub("q", whole["what"]), {"q"})
    return asked


def datadog_slo(document: Mapping[str, Any]) -> list[Asked]:
    """What an SLO by time slices asks for; its formula is over its queries."""
    asked = document["sli_specification"]["time_slice"]["query"]
    (formula,) = asked["formulas"]
    whole = re.fullmatch(r"default_zero\((.+)\)", formula["formula"])
    assert whole, f"not a formula of an SLO: {formula}"
    arithmetic(whole[1], {query["name"] for query in asked["queries"]})
    return [datadog(query["query"], {}) for query in asked["queries"]]


def arithmetic(formula: str, names: set[str]) -> None:
    """Fail unless it is arithmetic over just these names."""
    code = compile(formula, "formula", "eval")
    assert re.fullmatch(r"[\w\s.+*/()-]+", formula), f"not arithmetic: {formula}"
    assert set(code.co_names) == names, f"{formula} is about {code.co_names}, not {names}"


def prometheus(query: str) -> list[Asked]:
    """What an expression asks for; every name in it is a metric, a label or a known function."""
    labels = {label for found in _BY.finditer(query) for label in found["labels"].split(", ")}
    asked = []
    for found in _SELECTOR.finditer(query):
        matchers = [_MATCHER.fullmatch(text) for text in found["matchers"].split(", ")]
        assert all(matchers), f"not a selector: {found[0]}"
        own = {matcher["label"] for matcher in matchers if matcher}
        values = " ".join(matcher["value"] for matcher in matchers if matcher)
        variables = frozenset(re.findall(r"\$(\w+)", values))
        asked.append(Asked(found["metric"], frozenset(own | labels), variables))
    rest = _SELECTOR.sub("", _BY.sub("", query))
    words = set(re.findall(r"(?<!\$)\b[a-z_]\w*", rest))
    assert asked, f"no metric in {query}"
    assert words <= _PROMETHEUS_WORDS, f"unknown words in {query}: {words - _PROMETHEUS_WORDS}"
    return asked


def prometheus_values(query: str) -> Asked:
    """What a template variable takes its values from."""
    found = _VALUES.fullmatch(query)
    assert found, f"not label_values: {query}"
    of = found["of"]
    (asked,) = prometheus(of) if "{" in of else [Asked(of, frozenset())]
    return Asked(asked.metric, asked.tags | {found["label"]}, asked.variables)


def widgets(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The definition of every widget of a Datadog dashboard, groups opened."""
    for widget in board["widgets"]:
        definition = widget["definition"]
        if definition["type"] == "group":
            yield from widgets(definition)
        else:
            yield definition


def asked_by_dashboard(board: Mapping[str, Any]) -> list[Asked]:
    """All that a Datadog dashboard asks for; its formulas are over its queries."""
    variables = {one["name"]: one["prefix"] for one in board["template_variables"]}
    asked = []
    for definition in widgets(board):
        for request in definition.get("requests", []):
            names = {query["name"] for query in request["queries"]}
            used: set[str] = set()
            for formula in request["formulas"]:
                own = set(re.findall(r"[a-z_]\w*", formula["formula"]))
                arithmetic(formula["formula"], own)
                used |= own
            assert used == names, f"{definition['title']}: {used} against {names}"
            asked += [datadog(query["query"], variables) for query in request["queries"]]
    return asked


def expressions(board: Mapping[str, Any]) -> list[str]:
    """Every expression of a Grafana dashboard's panels."""
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def asked_by_grafana(board: Mapping[str, Any]) -> list[Asked]:
    """All that a Grafana dashboard asks for, its variables included."""
    found = [asked for text in expressions(board) for asked in prometheus(text)]
    variables = board["templating"]["list"]
    found += [prometheus_values(one["definition"]) for one in variables if one["type"] == "query"]
    known = {one["name"] for one in variables}
    for asked in found:
        assert asked.variables <= known
    return found

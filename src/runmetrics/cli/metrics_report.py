"""Show `metrics`, `explain`, `plan` and `discover`: tables for people, JSON for machines."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runmetrics.collectors.wandb.groups import estimate_series, estimate_total
from runmetrics.collectors.wandb.inspect.describe_plan import (
    first_document,
    growth_in_words,
    reads_in_words,
    requests_for_a_page,
)
from runmetrics.collectors.wandb.inspect.explain import Behind, Explainer
from runmetrics.collectors.wandb.metrics.catalog import Catalog, Metric
from runmetrics.collectors.wandb.metrics.language import tag_name
from runmetrics.collectors.wandb.reading.plan import Plan
from runmetrics.custom_metrics import dollars
from runmetrics.model import PROJECT_TAGS, Missing, Problem, Sample
from runmetrics.pipeline import Outcome
from runmetrics.report import JSON_SCHEMA_VERSION
from runmetrics.text import counted, one_line, show_value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from runmetrics.collectors.wandb.inspect.discover import Sampled

_MOST_SERIES = 20
_MOST_KEYS = 60


def tags_of(metric: Metric) -> tuple[str, ...]:
    """Return the names of the tags that every sample of a metric carries."""
    return (*PROJECT_TAGS, *map(tag_name, metric.by))


def origin_of(metric: Metric) -> str:
    """Say where a definition comes from: built in, a pack or a file."""
    if not metric.builtin:
        return metric.origin
    folder, _, name = metric.origin.rpartition("/")
    return f"pack {name.removesuffix('.yaml')}" if folder else "built in"


def metrics_as_json(catalog: Catalog) -> str:
    """Return the catalog as one JSON object."""
    return _json({"metrics": [_definition(metric) for metric in catalog.metrics]})


def print_metrics(catalog: Catalog, console: "Console") -> None:
    """Print the catalog as a table: name, definition, unit, origin."""
    table = _table("metric", "what it is", "unit", "from")
    for metric in catalog.metrics:
        origin = origin_of(metric) if metric.builtin else Path(metric.origin).name
        table.add_row(metric.name, _text(metric.words()), metric.unit, _text(origin))
    console.print(table)


def explanation_as_json(explainer: Explainer, outcome: Outcome) -> str:
    """Return a metric, its filter and, for each value, the runs behind it, as one JSON object."""
    collection = outcome.collection
    return _json(
        {
            **_definition(explainer.metric),
            "filters": explainer.filter(outcome.time).as_mapping(),
            "exit_code": int(outcome.exit_code),
            "values": [_value(each, explainer.behind(each)) for each in _results(outcome)],
            "problems": [
                {"cause": each.cause, "fix": each.fix, "tags": dict(each.tags)}
                for each in collection.problems
            ],
        }
    )


def print_explanation(explainer: Explainer, outcome: Outcome, console: "Console") -> None:
    """Print the same for people."""
    metric = explainer.metric
    filters = json.dumps(explainer.filter(outcome.time).as_mapping(), ensure_ascii=False)
    lines = [metric.name, *([f"  {metric.description}"] if metric.description else [])]
    lines += [f"  formula  {metric.words()}", f"  unit     {metric.unit or 'none'}"]
    lines += [f"  from     {origin_of(metric)}", f"  filter   {filters}"]
    _print_lines(lines, console)
    results = _results(outcome)
    for each in results[:_MOST_SERIES]:
        console.print()
        _print_value(each, explainer.behind(each), metric, console)
    if len(results) > _MOST_SERIES:
        rest = len(results) - _MOST_SERIES
        _print_lines(["", f"and {rest} more series; --json has them all"], console)
    for problem in outcome.collection.problems:
        _print_lines(["", f"unknown  {_tags(problem)}".rstrip(), f"  {problem.cause}"], console)


def print_plan(plan: Plan, projects: Sequence[str], now: datetime, console: "Console") -> None:
    """Print what one collection will ask of each project; no filter is folded, to be copied."""
    for read in reads_in_words(plan, now):
        console.print(_text(read.what), highlight=False)
        first, *more = read.metrics or ("proof of the counts",)
        lines = [f"  filter  {read.filters}", f"  for     {first}"]
        _print_lines([*lines, *(f"          {name}" for name in more), ""], console)
    count = requests_for_a_page(plan)
    lines = [f"projects: {', '.join(projects)}"]
    lines += [
        f"for each: at most {counted(count, 'request')} with up to 1,000 runs in each list of runs"
    ]
    lines += [f"  {line}" for line in growth_in_words(plan)]
    _print_lines(lines, console)


def print_bill(
    catalog: Catalog, projects: Sequence[str], price: float | None, console: "Console"
) -> None:
    """Print how many custom metrics of Datadog a collection is at most, and what they cost."""
    most, each = estimate_series(catalog), estimate_total(catalog)
    known = len(projects) if not any(path.endswith("/*") for path in projects) else 0
    together = estimate_total(catalog, max(known, 1))
    text = f"Datadog custom metrics: at most {each:,} for each"
    if known > 1:
        text += f", {together:,} for all"
    if price is not None:
        text += f"; {dollars(together * price)} a month"
        text += "" if known else " for each"
    split = [
        f"  {metric.name} by {' and '.join(metric.by)}: at most {most[metric.name]:,}"
        for metric in catalog.metrics
        if metric.by
    ]
    if catalog.max_series_total is not None:
        split.append(f"  over {catalog.max_series_total:,} in all no metric is split by `by`")
    _print_lines([text, *split, "nothing was asked of W&B"], console)


def print_documents(plan: Plan, now: datetime, console: "Console") -> None:
    """Print the GraphQL document that opens a collection, with its variables."""
    document, variables = first_document(plan, now)
    _print_lines(["", *document.splitlines(), "", "variables:"], console)
    _print_lines([f"  {name} = {value}" for name, value in variables.items()], console)


def print_sampled(found: Iterable["Sampled"], console: "Console") -> None:
    """Print the keys that each project's newest runs log."""
    for each in found:
        _print_lines([f"{each.entity}/{each.project}: the newest {each.runs:,} runs"], console)
        if each.gpu_types:
            types = ", ".join(f"{name} ({n:,})" for name, n in each.gpu_types.most_common())
            _print_lines([f"GPU types, and in how many of the runs: {types}"], console)
        keys = each.common()
        if not keys:
            continue
        table = _table("key", "in runs", "numbers", "NaN or infinite", "range")
        for key in keys[:_MOST_KEYS]:
            bounds = f"{key.least:g} to {key.greatest:g}" if key.numbers else ""
            counts = (f"{key.runs / each.runs:.0%}", _count(key.numbers), _count(key.not_finite))
            table.add_row(_text(key.name), *counts, bounds)
        console.print(table)
        if len(keys) > _MOST_KEYS:
            _print_lines([f"and {len(keys) - _MOST_KEYS:,} more keys, in fewer runs", ""], console)


def _definition(metric: Metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "description": metric.description,
        "definition": metric.words(),
        "unit": metric.unit,
        "tags": list(tags_of(metric)),
        "origin": metric.origin,
        "builtin": metric.builtin,
    }


def _results(outcome: Outcome) -> list[Sample | Missing]:
    return [*outcome.collection.samples, *outcome.collection.missing]


def _value(result: Sample | Missing, behind: Behind) -> dict[str, Any]:
    missing = isinstance(result, Missing)
    return {
        "value": None if isinstance(result, Missing) else result.value,
        "tags": dict(result.tags),
        "note": result.why if isinstance(result, Missing) else result.note,
        "missing": missing,
        "selected_runs": behind.selected,
        "ordered_by": behind.order,
        "first_shown": behind.first + 1,
        "runs": [
            {
                "id": each.run.id,
                "display_name": each.run.display_name,
                "value": each.value,
                "state": each.state,
                "last_sign_of_life": each.last_sign.isoformat() if each.last_sign else None,
                "url": each.run.url,
                "detail": each.detail,
            }
            for each in behind.runs
        ],
    }


def _print_value(
    result: Sample | Missing, behind: Behind, metric: Metric, console: "Console"
) -> None:
    value, note = "no data", result.why if isinstance(result, Missing) else result.note
    if isinstance(result, Sample):
        value = show_value(result.value, result.unit)
    _print_lines([f"{value}  {_tags(result)}", *([f"  {note}"] if note else [])], console)
    if not behind.runs:
        return
    detailed = any(each.detail for each in behind.runs)
    columns = ("run", "value", "state", "last sign of life", *(["detail"] * detailed))
    table = _table(*columns)
    for each in behind.runs:
        name = each.run.id
        if each.run.display_name not in ("", each.run.id):
            name = f"{each.run.display_name} ({each.run.id})"
        shown = "" if each.value is None else show_value(each.value, metric.unit)
        beat = f"{each.last_sign:%Y-%m-%d %H:%M:%SZ}" if each.last_sign else ""
        detail = [_text(each.detail)] * detailed
        table.add_row(_text(name), shown, _text(each.state), beat, *detail)
    console.print(table)
    _print_lines([f"  {each.run.url}" for each in behind.runs if each.run.url], console)
    if behind.selected > len(behind.runs):
        which = f"the first {len(behind.runs)}"
        if behind.first:
            which = f"numbers {behind.first + 1:,} to {behind.first + len(behind.runs):,}"
        _print_lines([f"  {which} of {behind.selected:,} runs, by {behind.order}"], console)


def _tags(each: Sample | Missing | Problem) -> str:
    return " ".join(f"{tag}:{value}" for tag, value in each.tags.items() if tag != "collector")


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        right = column in ("value", "in runs", "numbers", "NaN or infinite")
        table.add_column(
            column,
            justify="right" if right else "left",
            no_wrap=column in ("metric", "value", "from"),
            overflow="fold",
        )
    return table


def _text(text: str) -> Any:
    """Return foreign text without what would steer a terminal or be taken for markup."""
    from rich.text import Text

    return Text(one_line(text))


def _print_lines(lines: Iterable[str], console: "Console") -> None:
    for line in lines:
        console.print(_text(line), soft_wrap=True, highlight=False)


def _json(whole: Mapping[str, Any]) -> str:
    schema = {"schema": JSON_SCHEMA_VERSION, **whole}
    return json.dumps(schema, indent=2, allow_nan=False)

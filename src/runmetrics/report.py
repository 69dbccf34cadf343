"""An outcome for people (a table), for machines (JSON), and its lines in the log."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from runmetrics.custom_metrics import bill, count_series
from runmetrics.model import (
    PROJECT_TAGS,
    Collection,
    Delivery,
    Missing,
    Problem,
    RunRef,
    Sample,
    project_of,
)
from runmetrics.pipeline import Outcome
from runmetrics.self_metrics import is_about_itself
from runmetrics.text import counted, one_line, show_value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

JSON_SCHEMA_VERSION = 1

_log = logging.getLogger("runmetrics")

_LONGEST_RUN_NAME = 60
_LEAST_BESIDE_NUMBERS = 18
"""Columns of the table for names, which are folded, and for the space between its columns."""
_WIDE = 110
"""Columns from which remarks have a column of their own; in fewer they stand under the name."""


def as_json(outcome: Outcome) -> str:
    """Return the outcome as one JSON object (docs/CONFIGURATION.md, "JSON output")."""
    collection = outcome.collection
    whole = {
        "schema": JSON_SCHEMA_VERSION,
        "collector": outcome.collector,
        "time": outcome.time.isoformat(),
        "dry_run": outcome.dry_run,
        "exit_code": int(outcome.exit_code),
        "seconds": round(outcome.seconds, 3),
        "samples": [_sample(sample) for sample in collection.samples],
        "missing": [
            {"name": each.name, "unit": each.unit, "tags": dict(each.tags), "why": each.why}
            for each in collection.missing
        ],
        "problems": [
            {
                "metrics": list(each.metrics),
                "cause": each.cause,
                "fix": each.fix,
                "exit_code": int(each.code),
                "tags": dict(each.tags),
            }
            for each in collection.problems
        ],
        "notices": _notices(outcome),
        "datadog_tags": list(outcome.datadog_tags),
        "about_itself": [_sample(sample) for sample in outcome.itself],
        "deliveries": [_delivery(each) for each in outcome.deliveries],
        "cost": asdict(collection.cost),
    }
    return json.dumps(whole, indent=2, allow_nan=False)


def print_table(outcome: Outcome, console: "Console") -> None:
    """Print the metrics for people, then what was delivered and what it cost."""
    collection, cost = outcome.collection, outcome.collection.cost
    say = partial(console.print, soft_wrap=True, highlight=False, markup=False)
    is_read = bool(collection.samples or collection.missing)
    if is_read:
        console.print(_table(outcome, console.width), crop=False)
        for default in collection.defaults:
            say(default)
    for delivery in outcome.deliveries:
        say(delivered(delivery))
    if is_read and cost.requests:
        runs = "" if cost.runs_read is None else f"{counted(cost.runs_read, 'run')} in "
        kib = f"{cost.bytes_received / 1024:.0f} KiB"
        say(f"read {runs}{counted(cost.requests, 'request')} ({kib}) and {outcome.seconds:.1f} s")
    if is_read and outcome.dry_run:
        tags = ", ".join(outcome.datadog_tags)
        with_tags = f", to Datadog with the tags {tags}" if tags else ""
        say(f"dry run: nothing was sent; --push delivers{with_tags}")


def log_outcome(outcome: Outcome) -> None:
    """Log a line each: notices as warnings, problems and sinks' failures as errors.

    In a cluster the log is all there is, so that a problem names what it concerns, in fields of its
    own: `metrics` (a list), `project`, `cause`, `fix`, `exit_code`.
    """
    for notice in _notices(outcome):
        _log.warning(notice)
    log_problems(outcome.collection)
    for delivery in outcome.deliveries:
        for notice in delivery.notices:
            _log.warning(notice, extra={"sink": delivery.sink})
        if delivery.error:
            fields = {"sink": delivery.sink, "exit_code": int(delivery.code)}
            _log.error(delivery.error, extra=fields)


def log_bill(outcome: Outcome, price: float | None) -> None:
    """Log for --verbose how many custom metrics came of it, at `price` dollars a month each."""
    samples = (*outcome.collection.samples, *outcome.itself)
    found = outcome.collection
    for line in bill(count_series(samples), found.most_series, found.most_series_total, price):
        _log.debug(line)


def log_problems(collection: Collection) -> None:
    """Log a line for each problem; its project is in the words where several are read."""
    several = len(_projects(collection)) > 1
    for problem in collection.problems:
        where = project_of(problem.tags)
        said = f"{where}: {problem}" if several and where else str(problem)
        fields = {
            "metrics": list(problem.metrics),
            "project": where,
            "cause": problem.cause,
            "fix": problem.fix,
            "exit_code": int(problem.code),
        }
        _log.error(said, extra=fields)


def _notices(outcome: Outcome) -> list[str]:
    collection = outcome.collection
    return [*collection.defaults, *collection.notices, *outcome.notices]


def delivered(delivery: Delivery) -> str:
    """Return what one sink took, in one line; samples about the collection are told apart."""
    lost = [*(drop.sample for drop in delivery.dropped), *delivery.undelivered]
    itself = sum(map(is_about_itself, delivery.accepted))
    others = len(delivery.accepted) - itself
    given = others + sum(not is_about_itself(sample) for sample in lost)
    parts = [f"{others} of {given} samples"] if given else []
    parts += [f"{itself} about this run"] if itself else []
    text = f"{delivery.sink} accepted {' and '.join(parts) or 'nothing'}"
    if delivery.requests:
        text += f" ({counted(delivery.requests, 'request')}, {delivery.bytes_sent:,} bytes)"
    if delivery.dropped:
        reasons = sorted({drop.reason for drop in delivery.dropped})
        text += f"; {len(delivery.dropped)} dropped: {', '.join(reasons)}"
    if delivery.spooled:
        text += f"; {delivery.spooled} wait in the spool"
    return text


def _table(outcome: Outcome, width: int) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    collection = outcome.collection
    rows: Sequence[Sample | Missing] = (*collection.samples, *collection.missing)
    projects = _projects(collection)
    several = len(projects) > 1
    title = _plain(", ".join(sorted(projects)), style="table.title")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    wide = width >= _WIDE
    table.add_column("metric", no_wrap=wide, overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("runs", justify="right", no_wrap=True)
    if wide:
        table.add_column("remarks", overflow="fold")

    def add(name: Text, value: str | Text, runs: str, remarks: str) -> None:
        if wide:
            table.add_row(name, value, runs, _plain(remarks))
            return
        below = [_plain(remarks, style="dim")] if remarks else []
        table.add_row(Text("\n").join([name, *below]), value, runs)

    for each in rows:
        name = _name(each.name, each.tags, several=several)
        if isinstance(each, Missing):
            add(name, Text("no data", style="dim"), "", each.why)
            continue
        runs = "" if each.runs is None else f"{each.runs:,}"
        remarks = "; ".join(text for text in (_holder(each.run), each.note) if text)
        add(name, show_value(each.value, each.unit), runs, remarks)
    for cause, names in _unknown(collection.problems, several=several).items():
        told = names[0] if wide else names[-1]
        for name in names:
            add(name, Text("unknown", style="bold red"), "", cause if name is told else "")
    numbers = [max(map(len, map(str, column.cells))) for column in table.columns[1:3]]
    least = sum(numbers) + _LEAST_BESIDE_NUMBERS
    if width < least:  # a terminal folds what is too wide; rich would cut the numbers
        table.width = least
    return table


def _unknown(problems: Sequence[Problem], *, several: bool) -> "dict[str, list[Text]]":
    """Return the names of what is unknown, by cause: a cause is said once for all of them."""
    found: dict[str, list[Text]] = {}
    for problem in problems:
        names = [_name(name, problem.tags, several=several) for name in problem.metrics]
        if names:
            found.setdefault(problem.cause, []).extend(names)
    return found


def _projects(collection: Collection) -> set[str]:
    told: tuple[Sample | Missing | Problem, ...] = (
        *collection.samples,
        *collection.missing,
        *collection.problems,
    )
    return {project_of(each.tags) for each in told} - {""}


def _name(name: str, tags: Mapping[str, str], *, several: bool) -> "Text":
    groups = [f"{tag}:{value}" for tag, value in tags.items() if tag not in PROJECT_TAGS]
    where = [project_of(tags)] if several else []
    text = _plain(name)
    if extra := " ".join([*where, *groups]):
        text.append_text(_plain(f" {extra}", style="dim"))
    return text


def _plain(text: str, style: str = "") -> "Text":
    """Return foreign text in one line, without what would steer a terminal."""
    from rich.text import Text

    return Text(one_line(text), style=style)


def _holder(run: RunRef | None) -> str:
    if run is None:
        return ""
    name = run.display_name
    if len(name) > _LONGEST_RUN_NAME:
        name = f"{name[: _LONGEST_RUN_NAME - 3]}..."
    return f"run {name} ({run.id})" if name and name != run.id else f"run {run.id}"


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "name": sample.name,
        "value": sample.value,
        "unit": sample.unit,
        "tags": dict(sample.tags),
        "time": sample.time.isoformat(),
        "runs": sample.runs,
        "run": asdict(sample.run) if sample.run else None,
        "note": sample.note,
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    """Return one sink's share: given = accepted + dropped + spooled + lost, always."""
    undelivered = len(delivery.undelivered)
    return {
        "sink": delivery.sink,
        "given": len(delivery.accepted) + len(delivery.dropped) + undelivered,
        "accepted": len(delivery.accepted),
        "dropped": [{"name": drop.sample.name, "reason": drop.reason} for drop in delivery.dropped],
        "spooled": delivery.spooled,
        "lost": undelivered - delivery.spooled,
        "error": delivery.error,
        "exit_code": int(delivery.code),
        "requests": delivery.requests,
        "bytes_sent": delivery.bytes_sent,
        "notices": list(delivery.notices),
    }

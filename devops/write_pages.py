"""Write the generated parts of README.md and docs/; with --check, only say which are stale.

A part stands between `<!-- begin generated: NAME -->` and `<!-- end generated: NAME -->`. A new one
is a function here, entered in PARTS under its name; `file: PATH` shows a file word for word.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from runmetrics.cli.main import app
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Catalog, Metric, load_catalog
from runmetrics.collectors.wandb.metrics.definition import Comparisons, Definition
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.metrics.layout import PACKS, Layout
from runmetrics.config.settings import settings_table
from runmetrics.errors import ExitCode
from runmetrics.model import Collection, Cost, Delivery, Missing, Problem, RunRef, Sample
from runmetrics.pipeline import Outcome
from runmetrics.report import as_json

REPOSITORY = Path(__file__).parents[1]
PAGES = REPOSITORY / "docs"
HELP_WIDTH = 88
_PART = re.compile(r"(<!-- begin generated: (.+?) -->\n).*?(<!-- end generated: \2 -->)", re.DOTALL)
_ZERO_IF_NOTHING = {"run.gpu_hours", "run.duration_hours", "run.gpus"}
_EXIT_CODES = {
    ExitCode.OK: "everything is known and, with --push, delivered",
    ExitCode.BUG: "a bug of this program: please report it",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.TEMPORARY: "nothing could be delivered now; the next run may",
    ExitCode.PARTIAL: "something is unknown or was not delivered, the rest went out",
    ExitCode.REFUSED: "a key or a permission was refused",
    ExitCode.CONFIGURATION: "the configuration is wrong: a setting, the file, no key, no project",
    ExitCode.TERMINATED: "stopped by SIGTERM or Ctrl-C",
}


def write(page: str) -> str:
    """The page with every generated part written anew. KeyError for a part nobody writes."""
    return _PART.sub(lambda found: found[1] + _written(found[2]) + found[3], page)


def pages() -> list[Path]:
    """Every page with a generated part."""
    candidates = (REPOSITORY / "README.md", *sorted(PAGES.glob("*.md")))
    return [path for path in candidates if _PART.search(path.read_text())]


def _written(name: str) -> str:
    kind, _, rest = name.partition(": ")
    if kind == "file":
        path = REPOSITORY / rest
        return _fenced(path.read_text(), path.suffix.removeprefix("."))
    return PARTS[name]()


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.strip(chr(10))}\n```\n"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(header), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def settings() -> str:
    """Every setting: variables, meaning, default."""
    rows = (
        (", ".join(map(_code, variables.split(", "))), meaning, _code(default))
        for variables, meaning, default in settings_table()
    )
    return _table(("variable", "meaning", "default"), rows)


def keys_of(model: type[Layout] | type[Definition] | type[Comparisons]) -> Iterator[list[str]]:
    """Key and meaning of everything that a mapping of the file may hold."""
    for name, field in model.model_fields.items():
        yield [_code(field.alias or name), field.description or ""]


def exit_codes() -> str:
    """Every exit code and what it means."""
    return _table(
        ("code", "meaning"), ((str(int(code)), text) for code, text in _EXIT_CODES.items())
    )


def json_output() -> str:
    """One outcome as --json prints it."""
    time = datetime(2026, 1, 31, 12, tzinfo=UTC)
    tags = {"wandb_entity": "acme", "wandb_project": "llm", "collector": "wandb"}
    best = RunRef("k3jx0a9q", "calm-lake-7", "https://wandb.ai/acme/llm/runs/k3jx0a9q")
    sample = Sample(
        *("wandb.metrics.best_accuracy", 0.97, time), tags=tags, runs=1, run=best, note=""
    )
    why = "12 of 12 finished runs have no 'accuracy'; similar keys in use: 'val/accuracy'"
    missing = Missing("wandb.metrics.avg_accuracy_7d", why, tags=tags)
    problem = Problem(
        ("wandb.training.gpu_utilization_avg",),
        "W&B cannot serve systemMetrics of run 7f2c (eager-moon-3)",
        "look at the run in W&B; deleting it, or asking support@wandb.com, fixes it",
        tags=tags,
    )
    delivery = Delivery("datadog", accepted=(sample,), requests=1, bytes_sent=412)
    cost = Cost(requests=2, bytes_received=18_204, bytes_decoded=160_377, runs_read=212)
    collection = Collection((sample,), (missing,), (problem,), cost=cost)
    outcome = Outcome("wandb", time, collection, (delivery,), dry_run=False, seconds=0.912)
    return _fenced(as_json(outcome), "json")


def _catalog(packs: Iterable[str]) -> Catalog:
    file = parse_config(f"packs: [{', '.join(packs)}]", Path("packs.yaml"))
    return load_catalog(file, accuracy_key="accuracy", loss_key="loss")


def metrics_of(pack: str) -> list[Metric]:
    """The built-in metrics of a pack, or the ten where it is empty."""
    catalog = _catalog([pack] if pack else [])
    ten = {metric.name for metric in _catalog([]).metrics}
    return [metric for metric in catalog.metrics if not pack or metric.name not in ten]


def without_data(metric: Metric) -> str:
    """What becomes of a metric where there is nothing to compute it from."""
    if metric.aggregate is Aggregate.COUNT and not metric.by:
        return "0"
    if metric.aggregate is Aggregate.SUM and not metric.by:
        zero = str(metric.field) in _ZERO_IF_NOTHING
        return "0" if zero else "0 without runs, else not sent"
    return "not sent"


def _metrics(pack: str) -> str:
    rows = (
        (
            _code(metric.name),
            metric.unit,
            f"{metric.description}: {metric.words()}",
            without_data(metric),
        )
        for metric in metrics_of(pack)
    )
    return _table(("metric", "unit", "what it is", "where nothing is known"), rows)


def commands() -> str:
    """The --help of every command."""
    return (
        "".join(f"## {title}\n\n{_fenced(text, 'text')}\n" for title, text in _helps()).rstrip()
        + "\n"
    )


def _helps() -> Iterator[tuple[str, str]]:
    root = typer.main.get_command(app)
    todo: list[tuple[Any, Any, str]] = [(root, None, "runmetrics")]
    while todo:
        command, parent, name = todo.pop(0)
        command.rich_markup_mode = None
        context = command.make_context(
            name, [], parent=parent, resilient_parsing=True, terminal_width=HELP_WIDTH, color=False
        )
        yield context.command_path, command.get_help(context)
        children = getattr(command, "commands", {})
        todo[:0] = [(child, context, child_name) for child_name, child in children.items()]


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "file keys": lambda: _table(("key", "meaning"), keys_of(Layout)),
    "metric keys": lambda: _table(("key", "meaning"), keys_of(Definition)),
    "comparisons": lambda: _table(
        ("comparison", "holds for a value that is"), keys_of(Comparisons)
    ),
    "exit codes": exit_codes,
    "json output": json_output,
    "commands": commands,
    "the ten in short": lambda: _table(
        ("metric", "what it says"),
        ((_code(metric.name), metric.description) for metric in metrics_of("")),
    ),
    "the ten": lambda: _metrics(""),
    **{f"pack {name}": lambda name=name: _metrics(name) for name in PACKS},  # type: ignore[misc]
}


def main(arguments: list[str]) -> int:
    """Write every page, or tell which are stale."""
    stale = [path for path in pages() if write(path.read_text()) != path.read_text()]
    if arguments == ["--check"]:
        for path in stale:
            sys.stderr.write(f"{path.name} is stale: run {Path(__file__).name}\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(write(path.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Write every generated part of the docs; with --check, only say which files are stale.

A part of a page stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`. NAME is the path
of a file, which is shown word for word, or one of PARTS: a new kind of part is a function here,
entered there. devops/datadog/metadata.csv is written whole.
"""

import ast
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
import yaml

from runmetrics.assets.metadata import as_csv, describe
from runmetrics.cli.main import app
from runmetrics.collectors.wandb.fields import GROUPS, RUN_FIELDS
from runmetrics.collectors.wandb.metrics.catalog import Aggregate, Metric, load_catalog
from runmetrics.collectors.wandb.metrics.definition import Comparisons, Definition, Entry
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.metrics.layout import PACKS, file_keys
from runmetrics.collectors.wandb.metrics.monitors import Monitor
from runmetrics.config.file_settings import FileSettings
from runmetrics.config.settings import settings_table
from runmetrics.errors import ExitCode
from runmetrics.model import Collection, Cost, Delivery, Missing, Problem, RunRef, Sample
from runmetrics.pipeline import Outcome
from runmetrics.report import as_json

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "src/runmetrics"
VALUES = REPOSITORY / "devops/charts/dashboard-cronjob/values.yaml"
METADATA = REPOSITORY / "devops/datadog/metadata.csv"
HELP_WIDTH = 88
_PART = re.compile(r"(<!-- begin: (.+?) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
_CHART_KEY = re.compile(r"( *)(\w+):")
_LONGEST_DEFAULT = 50
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
    """Return the page with every generated part written anew. KeyError for an unknown part."""
    return _PART.sub(lambda found: found[1] + _part(found[2]) + found[3], page)


def files() -> dict[Path, str]:
    """Return every file with a generated part, and the text that it ought to have."""
    pages = (*REPOSITORY.glob("*.md"), *sorted((REPOSITORY / "docs").glob("*.md")))
    written = {path: write(text) for path in pages if _PART.search(text := path.read_text())}
    return {**written, METADATA: as_csv(describe(None, FileSettings()))}


def _part(name: str) -> str:
    path = REPOSITORY / name
    if not path.suffix:
        return PARTS[name]()
    language = "python" if path.suffix == ".py" else path.suffix.removeprefix(".")
    return _fenced(path.read_text(), language)


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
    """List every setting: variables, meaning, default."""
    rows = (
        (", ".join(map(_code, variables.split(", "))), meaning, _code(default))
        for variables, meaning, default in settings_table()
    )
    return _table(("variable", "meaning", "default"), rows)


def keys_of(model: type[Entry]) -> Iterator[list[str]]:
    """Yield key and meaning of everything that a mapping of the file may hold."""
    for name, field in model.model_fields.items():
        yield [_code(field.alias or name), field.description or ""]


def run_fields() -> str:
    """Every number that is worked out of a run."""
    rows = ((_code(f"run.{row.name}"), row.words) for row in RUN_FIELDS.values())
    return _table(("field", "what it is"), rows)


def groups() -> str:
    """Everything that `by` can split a metric by, but config keys."""
    rows = ((_code(row.name), row.words) for row in GROUPS.values())
    return _table(("group", "what it is"), rows)


def exit_codes() -> str:
    """List every exit code and what it means."""
    return _table(
        ("code", "meaning"), ((str(int(code)), text) for code, text in _EXIT_CODES.items())
    )


def json_output() -> str:
    """Show one outcome as --json prints it."""
    time = datetime(2026, 1, 31, 12, tzinfo=UTC)
    tags = {"wandb_entity": "acme", "wandb_project": "llm", "collector": "wandb"}
    best = RunRef("k3jx0a9q", "calm-lake-7", "https://wandb.ai/acme/llm/runs/k3jx0a9q")
    sample = Sample(
        *("wandb.metrics.best_accuracy", 0.97, time), tags=tags, runs=1, run=best, note=""
    )
    lacking = "12 of 12 finished runs have no number under 'accuracy'"
    why = f"{lacking}; similar keys in use: 'val/accuracy'"
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


def metrics_of(pack: str) -> tuple[Metric, ...]:
    """Return the metrics of a pack, or the ten where it is empty."""
    text = f"builtin: false\npacks: [{pack}]" if pack else ""
    file = parse_config(text, Path("packs.yaml"), shipped=True)
    return load_catalog(file, FileSettings()).metrics


def without_data(metric: Metric) -> str:
    """Return what becomes of a metric where there is nothing to compute it from."""
    if metric.aggregate is Aggregate.COUNT and not metric.by:
        return "0"
    if metric.aggregate is Aggregate.SUM and not metric.by:
        field = metric.field
        zero = field and field.source == "run" and RUN_FIELDS[field.key].sums_to_zero
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


def modules() -> str:
    """List the package's modules that say what they are: path and first sentence, by folder."""
    rows = []
    for path in sorted(PACKAGE.rglob("*.py"), key=lambda path: (path.parent, path.name)):
        paragraph = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0]
        sentence = re.split(r"(?<=\.) (?=[A-Z])", " ".join(paragraph.split()))[0]
        if sentence:
            rows.append([_code(path.relative_to(PACKAGE).as_posix()), sentence])
    return _table(("module", "what it is"), rows)


def described_values(text: str) -> Iterator[tuple[str, str]]:
    """Yield each of the chart's values with a `# --` comment above it: dotted path and comment."""
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("# ") and comment:
            comment.append(stripped.removeprefix("# "))
        elif found := _CHART_KEY.match(line):
            path[len(found[1]) // 2 :] = [found[2]]
            if comment:
                yield ".".join(path), " ".join(comment)
            comment = []


def chart_values() -> str:
    """List every value of the chart: path, default, meaning."""
    text = VALUES.read_text()
    values = yaml.safe_load(text)
    rows = ((_code(path), _default(values, path), said) for path, said in described_values(text))
    return _table(("value", "default", "meaning"), rows)


def _default(values: Any, path: str) -> str:
    for name in path.split("."):
        values = values[name]
    if values in ("", None):
        return ""
    text = values if isinstance(values, str) else json.dumps(values)
    return _code(text) if len(text) <= _LONGEST_DEFAULT else "see values.yaml"


def commands() -> str:
    """Show the --help of every command."""
    return "\n".join(f"## {title}\n\n{_fenced(text, 'text')}" for title, text in _helps())


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
    "file keys": lambda: _table(
        ("key", "meaning"), ((_code(key), meaning) for key, meaning in file_keys())
    ),
    "metric keys": lambda: _table(("key", "meaning"), keys_of(Definition)),
    "comparisons": lambda: _table(
        ("comparison", "holds for a value that is"), keys_of(Comparisons)
    ),
    "monitor keys": lambda: _table(("key", "meaning"), keys_of(Monitor)),
    "chart values": chart_values,
    "modules": modules,
    "run fields": run_fields,
    "groups": groups,
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
    """Write every file that is stale, or name it with --check."""
    stale = {path: text for path, text in files().items() if path.read_text() != text}
    for path, text in stale.items():
        name = path.relative_to(REPOSITORY)
        if arguments == ["--check"]:
            sys.stderr.write(f"{name} is stale: uv run python devops/docs/write_docs.py\n")
        else:
            path.write_text(text)
            sys.stdout.write(f"wrote {name}\n")
    return 1 if stale and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

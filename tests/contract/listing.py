"""Every built-in metric with its unit, tags and definition, a line each.

They are a contract with dashboards and monitors. After a change that is meant, write the file anew
and say in CHANGELOG.md what it does to them; a release copies it to released_metrics.txt:

    uv run --group dev python -m tests.contract.listing > tests/contract/builtin_metrics.txt
"""

from pathlib import Path

from runmetrics.cli.metrics_report import tags_of
from runmetrics.collectors.wandb.metrics.catalog import Catalog, load_catalog
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.metrics.layout import PACKS
from runmetrics.config.file_settings import FileSettings

FILE = Path(__file__).with_name("builtin_metrics.txt")
RELEASED = Path(__file__).with_name("released_metrics.txt")
"""What people have on their dashboards."""


def everything_built_in() -> Catalog:
    """The ten and all packs."""
    config = parse_config(f"packs: [{', '.join(PACKS)}]", Path("packs.yaml"), shipped=True)
    return load_catalog(config, FileSettings())


def listing() -> str:
    """Return name, unit, tags and definition in words, tab by tab, sorted by name."""
    rows = (
        (metric.name, metric.unit or "-", " ".join(tags_of(metric)), metric.words())
        for metric in everything_built_in().metrics
    )
    return "".join("\t".join(row) + "\n" for row in sorted(rows))


if __name__ == "__main__":
    print(listing(), end="")  # noqa: T201 - the file's text

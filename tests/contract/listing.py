"""Every built-in metric with its unit and tags, a line each: `python -m tests.contract.listing`.

Names are a contract with dashboards and monitors. After a change that is meant, write the file
anew and say in CHANGELOG.md what it does to them:

    python -m tests.contract.listing > tests/contract/builtin_metrics.txt
"""

from pathlib import Path

from runmetrics.cli.metrics_report import tags_of
from runmetrics.collectors.wandb.metrics.catalog import Catalog, load_catalog
from runmetrics.collectors.wandb.metrics.file import parse_config
from runmetrics.collectors.wandb.metrics.layout import PACKS

FILE = Path(__file__).with_name("builtin_metrics.txt")


def everything_built_in() -> Catalog:
    """The ten and all packs."""
    config = parse_config(f"packs: [{', '.join(PACKS)}]", Path("packs.yaml"), shipped=True)
    return load_catalog(config, accuracy_key="accuracy", loss_key="loss")


def listing() -> str:
    """name, unit, tags; sorted by name."""
    rows = [
        (metric.name, metric.unit or "-", " ".join(tags_of(metric)))
        for metric in everything_built_in().metrics
    ]
    return "".join(f"{name:44} {unit:8} {tags}\n" for name, unit, tags in sorted(rows))


if __name__ == "__main__":
    print(listing(), end="")  # noqa: T201 - the file's text

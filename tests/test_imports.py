"""Imports run downwards only: from a layer to itself and lower ones, and never in a circle."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

LAYERS = (
    # the lowest: words that everything shares
    (
        "model custom_metrics errors deadline logs text spelling proxies units shard atomic_file "
        "small_file retry transport_errors event_loop http self_metrics"
    ),
    "config",
    "plugins",
    # the parts that speak to the outside, each by itself
    "sinks",
    (
        "collectors.wandb.values collectors.wandb.gpus collectors.wandb.runs "
        "collectors.wandb.measures collectors.wandb.fields collectors.wandb.selection "
        "collectors.wandb.unknown collectors.wandb.metrics collectors.wandb.server"
    ),
    "collectors",
    "collectors.wandb.collector",
    "collectors.wandb.inspect",
    "setup",
    # the spine: collect, deliver, account for it
    "spool_rows spool delivery pipeline report",
    # what is built on it
    "sandbox testing serve doctor assets",
    "cli",
    "__main__",
)
LAYER_OF = {f"runmetrics.{name}": at for at, names in enumerate(LAYERS) for name in names.split()}
TYPES_FROM_ABOVE = {
    ("runmetrics.plugins", "runmetrics.collectors.wandb.metrics.file"),
}
"""Imports upwards for the type checker alone: a Setup holds the user's file."""


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in (SOURCE / "runmetrics").rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = ast.parse(path.read_text())
    return found


MODULES = modules()


def imports(name: str) -> Iterator[tuple[str, bool]]:
    """Yield the modules of ours that a module imports, and whether for the type checker alone."""
    tree = MODULES[name]
    blocks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    for_types = {id(node) for block in blocks for node in ast.walk(block)}
    for node in ast.walk(tree):
        named = []
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            named = [each if each in MODULES else str(node.module) for each in whole]
        yield from ((each, id(node) in for_types) for each in named if each in MODULES)


def layer(name: str) -> int | None:
    """Return the layer that a module is in; None where nobody gave it one."""
    while name not in LAYER_OF and "." in name:
        name = name.rpartition(".")[0]
    return LAYER_OF.get(name)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_from_its_own_layer_and_lower_ones(name: str) -> None:
    if name == "runmetrics":  # the public names, from wherever they are
        return
    here = layer(name)
    assert here is not None, f"give {name} a layer"
    upwards = {
        imported
        for imported, for_types in imports(name)
        if (above := layer(imported)) is None or above > here
        if not (for_types and (name, imported) in TYPES_FROM_ABOVE)
    }
    assert upwards == set()


def test_no_imports_run_in_a_circle() -> None:
    graph = {
        name: {imported for imported, for_types in imports(name) if not for_types} - {name}
        for name in MODULES
        if name != "runmetrics"
    }
    assert [*TopologicalSorter(graph).static_order()]

"""Write the generated parts of docs/DEPLOYMENT.md; with --check, only say whether they are fresh.

Two kinds of part, each between `<!-- begin: NAME -->` and `<!-- end: NAME -->`: `values`, the
table made from values.yaml, and any other NAME, a file shown word for word.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/DEPLOYMENT.md"
VALUES = REPOSITORY / "devops/charts/dashboard-cronjob/values.yaml"
_PART = re.compile(r"(<!-- begin: (\S+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
_KEY = re.compile(r"( *)(\w+):")
_LONGEST_DEFAULT = 50


def described_values(text: str) -> Iterator[tuple[str, str]]:
    """Each value with a `# --` comment above it: its dotted path and the comment."""
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("# ") and comment:
            comment.append(stripped.removeprefix("# "))
        elif found := _KEY.match(line):
            path[len(found[1]) // 2 :] = [found[2]]
            if comment:
                yield ".".join(path), " ".join(comment)
            comment = []


def _default(values: Any, path: str) -> str:
    for name in path.split("."):
        values = values[name]
    if values in ("", None):
        return ""
    text = values if isinstance(values, str) else json.dumps(values)
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else "see values.yaml"


def _values_table() -> str:
    text = VALUES.read_text()
    values = yaml.safe_load(text)
    rows = [
        f"| `{path}` | {_default(values, path)} | {comment} |"
        for path, comment in described_values(text)
    ]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows, ""])


def _part(name: str) -> str:
    if name == "values":
        return _values_table()
    path = REPOSITORY / name
    return f"```{path.suffix.removeprefix('.')}\n{path.read_text()}```\n"


def write(page: str) -> str:
    """The page with every generated part written anew."""
    return _PART.sub(lambda found: found[1] + _part(found[2]) + found[3], page)


if __name__ == "__main__":
    page = PAGE.read_text()
    fresh = write(page)
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if page == fresh else f"{PAGE.name} is stale: run {Path(__file__).name}")
    PAGE.write_text(fresh)

"""The pages of docs/ and the program that writes their generated parts."""

import re
import runpy
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
WRITE_DOCS = REPOSITORY / "devops/docs/write_docs.py"
EXAMPLE = DOCS / "runmetrics.example.yaml"


def page(name: str) -> str:
    """A page's text."""
    return (DOCS / name).read_text()


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def writer() -> dict[str, Any]:
    """Return what the program that writes the pages defines."""
    return runpy.run_path(str(WRITE_DOCS))

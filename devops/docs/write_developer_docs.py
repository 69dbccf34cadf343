"""Write the generated parts of the developers' pages; with --check, only say which are stale.

Each part is between `<!-- begin: NAME -->` and `<!-- end: NAME -->`: `modules`, the table of the
package's modules made from their docstrings, and any other NAME, a file shown word for word.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGES = tuple(
    REPOSITORY / "docs" / name for name in ("ADDING_NEW_COLLECTOR.md", "COLLECTORS_ARCHITECTURE.md")
)
PACKAGE = REPOSITORY / "src/runmetrics"
_PART = re.compile(r"(<!-- begin: (\S+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
_LANGUAGES = {".py": "python"}


def modules() -> Iterator[tuple[str, str]]:
    """Path and first sentence of each module that says what it is, folder by folder."""
    paths = sorted(PACKAGE.rglob("*.py"), key=lambda path: (path.parent, path.name))
    for path in paths:
        if text := path.read_text(encoding="utf-8"):
            docstring = ast.get_docstring(ast.parse(text)) or ""
            paragraph = " ".join(docstring.partition("\n\n")[0].split())
            sentence = re.split(r"(?<=\.) (?=[A-Z])", paragraph)[0]
            yield path.relative_to(PACKAGE).as_posix(), sentence


def _modules_table() -> str:
    rows = [f"| `{path}` | {sentence} |" for path, sentence in modules()]
    return "\n".join(["| module | what it is |", "|---|---|", *rows, ""])


def _part(name: str) -> str:
    if name == "modules":
        return _modules_table()
    path = REPOSITORY / name
    language = _LANGUAGES.get(path.suffix, path.suffix.removeprefix("."))
    return f"```{language}\n{path.read_text(encoding='utf-8')}```\n"


def write(page: str) -> str:
    """The page with every generated part written anew."""
    return _PART.sub(lambda found: found[1] + _part(found[2]) + found[3], page)


if __name__ == "__main__":
    stale = [page for page in PAGES if write(page.read_text(encoding="utf-8")) != page.read_text()]
    if sys.argv[1:] == ["--check"]:
        names = ", ".join(page.name for page in stale)
        sys.exit(f"{names} stale: run {Path(__file__).name}" if stale else 0)
    for page in stale:
        page.write_text(write(page.read_text(encoding="utf-8")), encoding="utf-8")

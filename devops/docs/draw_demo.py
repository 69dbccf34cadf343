"""Draw docs/images/demo.svg: what `runmetrics demo` prints on a terminal, table included."""

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

REPOSITORY = Path(__file__).parents[2]
PICTURE = REPOSITORY / "docs" / "images" / "demo.svg"
WIDTH = 112


def main() -> None:
    """Run the demo and draw its output, without fonts or anything else from outside."""
    ran = subprocess.run(
        [sys.executable, "-m", "runmetrics", "demo"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = [line.rstrip() for line in ran.stdout.splitlines()]
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text("\n".join(["$ uv run runmetrics demo", *lines])))
    drawn = console.export_svg(title="uv run runmetrics demo", unique_id="demo")
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))


if __name__ == "__main__":
    main()

"""A metric's history as a small inline SVG: a line that breaks where nothing was learned."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from runmetrics.model import Series
from runmetrics.serve.markup import el
from runmetrics.serve.snapshot import Row

WIDTH, HEIGHT = 240.0, 48.0
_MARGIN = 5.0
_LEAST_SPAN = 0.02
"""Of the greatest value: less than that is no cliff, whatever the chart's height."""

Point = tuple[float, float]


def chart(rows: Sequence[Row], series: Series, label: str) -> Element:
    """Draw the history of `series` in the time of all `rows`, at least one of which holds it.

    `label` is for those who do not see it.
    """
    known = [row.values[series] for row in rows if series in row.values]
    start, end = rows[0].time, rows[-1].time
    least, span = _extent(known)

    def place(row: Row) -> Point:
        x = WIDTH * (row.time - start) / (end - start) if end > start else WIDTH
        share = (row.values[series] - least) / span if span else 0.5
        return x, HEIGHT - _MARGIN - share * (HEIGHT - 2 * _MARGIN)

    lines: list[list[Point]] = [[]]
    for row in rows:
        if series in row.values:
            lines[-1].append(place(row))
        elif lines[-1]:
            lines.append([])
    lines = [line for line in lines if line]
    svg = el(
        "svg",
        {
            "class": "chart",
            "viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}",
            "preserveAspectRatio": "none",
            "role": "img",
            "aria-label": label,
        },
    )
    svg.extend(el("path", {"class": "area", "d": _area(line)}) for line in lines if line[1:])
    svg.extend(el("path", {"class": "line", "d": _line(line)}) for line in lines)
    svg.append(el("path", {"class": "dot", "d": _line(lines[-1][-1:])}))
    return svg


def _extent(known: Sequence[float]) -> tuple[float, float]:
    """Return the value at the chart's foot, and the span up to its head."""
    least, greatest = min(known), max(known)
    span = max(greatest - least, _LEAST_SPAN * max(abs(least), abs(greatest)))
    return (least + greatest - span) / 2, span


def _line(points: Sequence[Point]) -> str:
    """Return the path; a line without length is a dot: its round ends."""
    corners = [f"{x:.1f} {y:.1f}" for x, y in points]
    return f"M{'L'.join(corners)}" + ("h0" if len(corners) == 1 else "")


def _area(points: Sequence[Point]) -> str:
    return f"{_line(points)}L{points[-1][0]:.1f} {HEIGHT:g}L{points[0][0]:.1f} {HEIGHT:g}Z"

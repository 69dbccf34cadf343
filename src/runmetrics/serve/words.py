"""Lengths of time as people say them."""

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def in_words(seconds: float) -> str:
    """Rounded, in the greatest unit of which there are two: "45 s", "90 min", "26 h", "7 d"."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{round(max(0.0, seconds))} s"

"""Lengths of time as people say them."""

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def in_words(seconds: float) -> str:
    """In one unit, whole, at least two of it: "45 s", "90 min", "26 h"; "1 s" for the shortest."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds / size)} {unit}"
    return f"{max(0, int(seconds))} s"

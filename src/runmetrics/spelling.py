"""What a message says of a wrong word: the word as it was written, and the one probably meant."""

import difflib
import json
from collections.abc import Iterable


def near(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the known word that `word` was probably meant to be, or an empty string.

    `cutoff` is how alike the two have to be, from 0 to 1.
    """
    folded = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else ""


def choose(word: str, known: Iterable[str], *, prefix: str = "", more: Iterable[str] = ()) -> str:
    """Return the fix for an unknown word: the near one, or else all that it could be."""
    known = tuple(known)
    if guess := near(word, known) or _shortest_with(word, known):
        return f'did you mean "{prefix}{guess}"?'
    options = [*(prefix + name for name in known), *more]
    return f"it can be {', '.join(options)}" if options else "there is none to choose"


def _shortest_with(part: str, known: Iterable[str]) -> str:
    """Return the shortest known word that holds a part of four characters or more."""
    found = [name for name in known if len(part) > 3 and part.lower() in name.lower()]
    return min(found, key=len, default="")


def shown(value: object) -> str:
    """Return a value as a message quotes it: as YAML would write it, cut at 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not text.isprintable():
        text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."

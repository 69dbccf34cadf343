"""A set of run ids that takes a few bytes for each."""

from array import array
from typing import Final

_FULL: Final = 2 / 3
"""Beyond this share of taken places a look-up takes too many steps."""


class Ids:
    """Distinct run ids: their hashes alone, 12 to 24 bytes each, in a table without objects.

    That two of a million ids have one hash happens once in some forty million sets.
    """

    __slots__ = ("_count", "_places")

    def __init__(self) -> None:
        self._count = 0
        self._places = array("q", bytes(8 * 8))

    def add(self, run_id: str) -> bool:
        """Take in an id; return whether it is a new one."""
        return self._put(_key(run_id))

    def update(self, other: "Ids") -> None:
        """Take in all of another set."""
        for key in other._places:
            if key:
                self._put(key)

    def __contains__(self, run_id: str) -> bool:
        key = _key(run_id)
        return self._places[self._place(key)] == key

    def __len__(self) -> int:
        return self._count

    def _put(self, key: int) -> bool:
        place = self._place(key)
        if self._places[place] == key:
            return False
        self._places[place] = key
        self._count += 1
        if self._count > _FULL * len(self._places):
            self._grow()
        return True

    def _place(self, key: int) -> int:
        """Return where a key is, or the free place where it belongs."""
        places = self._places
        last = len(places) - 1
        place = key & last
        while places[place] and places[place] != key:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        before = self._places
        self._places = array("q", bytes(2 * 8 * len(before)))
        for key in before:
            if key:
                self._places[self._place(key)] = key


def _key(run_id: str) -> int:
    return hash(run_id) or 1  # a 0 is a free place

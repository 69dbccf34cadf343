"""Which of several processes reads a project, agreed on without talking to one another."""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

_FORM = re.compile(r"([0-9]{1,4})/([0-9]{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` shares of the projects; `index` counts from 0.

    Rendezvous hashing: every shard draws a number for a name and the greatest has it, the same on
    every machine. One more shard takes about 1/(count + 1) of the names over and moves no other.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "0/4"; ValueError says what would be right."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:80]!r} is not a shard: write i/n, like 0/4")
        index, count = int(match[1]), int(match[2])
        if index >= count:
            least = f"from 0/{count} to {count - 1}/{count}" if count else "from 0/1 on"
            raise ValueError(f"there is no shard {text}: shards are counted {least}")
        return cls(index, count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def owns(self, name: str) -> bool:
        """Return whether this shard is the one for `name`."""
        draws = (hashlib.sha256(f"{index} {name}".encode()).digest() for index in range(self.count))
        return max(enumerate(draws), key=lambda drawn: drawn[1])[0] == self.index

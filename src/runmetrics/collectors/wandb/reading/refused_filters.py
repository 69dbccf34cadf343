"""Remembers which filters a server refused, so that what holds them too is not asked again."""

from collections.abc import Iterable
from typing import Any

from runmetrics.collectors.wandb.reading.document import Ask, CountAsk
from runmetrics.collectors.wandb.unknown import Unknown


class RefusedFilters:
    """Filters of a project that the server refused when they were asked alone.

    A filter is all of its conditions together, so whatever holds those of a refused one is refused
    too; conditions that the server took in another question are not to blame.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._refused: list[tuple[frozenset[str], Unknown]] = []

    def took(self, asks: Iterable[Ask[Any]]) -> None:
        """Note questions that the server answered."""
        for ask in asks:
            self._taken |= _conditions(ask)

    def refused(self, ask: CountAsk, why: Unknown) -> None:
        """Note a count that the server refused: it has nothing but its filter."""
        self._refused.append((_conditions(ask), why))

    def why(self, ask: Ask[Any]) -> Unknown | None:
        """Return why a question will be refused; None where nothing says that it will be."""
        held = _conditions(ask)
        for conditions, why in self._refused:
            blamed = conditions - self._taken
            if blamed and blamed <= held:
                return why
        return None


def _conditions(ask: Ask[Any]) -> frozenset[str]:
    return frozenset(ask.matching.conditions if ask.matching else ())

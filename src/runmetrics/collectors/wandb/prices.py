"""What a GPU hour costs, by the type of the GPU."""

from collections.abc import Mapping

DEFAULT = "default"
"""The entry of the price table for types that no other entry names."""

Prices = Mapping[str, float]
"""Dollars per GPU hour, by a part of the type's name."""


def price_of(gpu_type: str, prices: Prices) -> float | None:
    """Return the price of a type: of the longest name that is part of it, case aside.

    None where no name is, and there is no default.
    """
    named = [name for name in prices if name != DEFAULT and name.casefold() in gpu_type.casefold()]
    longest = max(named, key=lambda name: (len(name), name), default=DEFAULT)
    return prices.get(longest)

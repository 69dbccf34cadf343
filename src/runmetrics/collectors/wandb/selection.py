"""The parts of a run that a read asks for, and how GraphQL names them."""

import json
from dataclasses import dataclass

BASE_PARTS = ("name", "displayName", "state", "createdAt", "heartbeatAt")
"""Read of every run: its identity (`name` is the run's id), its state and its two times."""

_NESTED_PARTS = {"runInfo": "runInfo { gpu gpuCount }", "user": "user { username }"}


@dataclass(frozen=True, slots=True)
class Selection:
    """The parts of a run that a read asks for, beyond BASE_PARTS.

    `parts` are names of GraphQL fields; the keys are those the user wrote, dots and slashes
    included. Only top-level keys can be projected, so a dotted key asks for its first part too.
    """

    parts: frozenset[str] = frozenset()
    summary_keys: frozenset[str] = frozenset()
    config_keys: frozenset[str] = frozenset()
    system_keys: frozenset[str] = frozenset()

    def __or__(self, other: "Selection") -> "Selection":
        return Selection(
            self.parts | other.parts,
            self.summary_keys | other.summary_keys,
            self.config_keys | other.config_keys,
            self.system_keys | other.system_keys,
        )

    def covers(self, other: "Selection") -> bool:
        """Return whether everything that `other` asks for is asked for here."""
        return self | other == self

    def only(self, part: str) -> "Selection":
        """Return the selection of one field; `config` may stand in for runInfo."""
        parts = {"runInfo"} if part == "config" else {part}
        return Selection(
            self.parts & parts,
            self.summary_keys if part == "summaryMetrics" else frozenset(),
            self.config_keys if part == "config" else frozenset(),
        )

    def fields(self, dropped: frozenset[str] = frozenset()) -> dict[str, str]:
        """Return GraphQL text by field name, without what the server does not know."""
        config_keys = self.config_keys
        if "runInfo" in self.parts and "runInfo" in dropped:
            config_keys |= {"_wandb"}
        fields = {part: part for part in BASE_PARTS}
        fields |= {part: _NESTED_PARTS.get(part, part) for part in sorted(self.parts)}
        for name, keys in (("summaryMetrics", self.summary_keys), ("config", config_keys)):
            if keys and name not in self.parts:
                whole = f"{name}(keys)" in dropped
                fields[name] = name if whole else f"{name}(keys: {_top_level(keys)})"
        return {name: text for name, text in fields.items() if name not in dropped}


EVERY_RUN = Selection()
"""What is read of every run, and no more."""


def _top_level(keys: frozenset[str]) -> str:
    wanted = set(keys)
    for key in keys:
        parts = key.split(".")
        wanted |= {".".join(parts[:end]) for end in range(1, len(parts))}
    return json.dumps(sorted(wanted), ensure_ascii=False)

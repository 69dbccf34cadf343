"""Read what a file says under `monitors:`: which are wanted, from which value on, who is told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Self

import pydantic
from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from runmetrics.collectors.wandb.metrics.definition import Entry, described
from runmetrics.collectors.wandb.values import number
from runmetrics.spelling import shown

_HANDLE: Final = r"^@\S+$"
_HANDLES_HELP: Final = 'write "@slack-ml", or a list of such'
_TAG_HELP: Final = 'write {team: {nlp: "@slack-nlp", default: "@slack-ml"}}'
_WINDOW: Final = re.compile(r"([1-9][0-9]{0,3})([mhd])")
_MINUTES: Final = {"m": 1, "h": 60, "d": 1440}
_LEAST_MINUTES, _MOST_MINUTES = 5, 2880


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is told: `default`; where the tag `tag` has a value of `by_value`, those instead."""

    default: tuple[str, ...] = ()
    tag: str = ""
    by_value: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a handle, a list of them, or one tag's values; ValueError says what is right."""
        if not isinstance(value, dict):
            return cls(_handles(value))
        tags = list(value.items())
        if len(tags) != 1 or not isinstance(tags[0][0], str) or not isinstance(tags[0][1], dict):
            raise ValueError(f"{shown(value)} does not say who is told: {_TAG_HELP}")
        tag, values = tags[0]
        if "default" not in values:
            raise ValueError(f"{tag} has no default, for every other value: {_TAG_HELP}")
        by_value = {str(key): _handles(told) for key, told in values.items() if key != "default"}
        return cls(_handles(values["default"]), tag, by_value)


def _handles(value: object) -> tuple[str, ...]:
    handles = value if isinstance(value, list) else [value]
    for handle in handles:
        if not isinstance(handle, str) or not re.fullmatch(_HANDLE, handle):
            raise ValueError(f"{shown(handle)} is nobody that Datadog can tell: {_HANDLES_HELP}")
    return tuple(handles)


def _window(value: object) -> str:
    """Return a window as Datadog's queries write it."""
    found = _WINDOW.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{shown(value)} is not a window of a monitor: write 30m, 4h or 1d")
    minutes = int(found[1]) * _MINUTES[found[2]]
    if not _LEAST_MINUTES <= minutes <= _MOST_MINUTES:
        raise ValueError(f"{found[0]} is not between 5m and 2d, as Datadog's monitors want it")
    return found[0]


def _amount(value: object) -> float:
    found = number(value)
    if found is None:
        raise ValueError(f"{shown(value)} is not a number: write one like 100 or 0.5")
    return found


def _priority(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 5:
        return value
    raise ValueError(f"{shown(value)} is not a priority: write a number from 1 (highest) to 5")


_ONE_OR_MORE: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string", "pattern": _HANDLE},
        {"type": "array", "items": {"type": "string", "pattern": _HANDLE}},
    ]
}
NotifyEntry = Annotated[
    Notify,
    pydantic.BeforeValidator(Notify.parse),
    pydantic.WithJsonSchema(
        {
            "anyOf": [
                *_ONE_OR_MORE["anyOf"],
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": {
                        "type": "object",
                        "required": ["default"],
                        "additionalProperties": _ONE_OR_MORE,
                    },
                },
            ]
        }
    ),
]
WindowEntry = Annotated[
    str,
    pydantic.BeforeValidator(_window),
    pydantic.WithJsonSchema({"type": "string", "pattern": f"^{_WINDOW.pattern}$"}),
]
Amount = Annotated[
    float, pydantic.BeforeValidator(_amount), pydantic.WithJsonSchema({"type": "number"})
]
PriorityEntry = Annotated[
    int,
    pydantic.BeforeValidator(_priority),
    pydantic.WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 5}),
]


class Monitor(Entry):
    """What differs from a shipped monitor; or a monitor for a metric, by `above` or `below`.

    `true` and `false` (also `on` and `off`) stand for one that says nothing but that.
    """

    enabled: bool = pydantic.Field(True, description="false removes it from Datadog")
    threshold: Amount | None = described("a shipped monitor alerts beyond this value")
    above: Amount | None = described("alert where the metric is above this")
    below: Amount | None = described("alert where the metric is below this")
    warning: Amount | None = described("warn from this value on, before it alerts")
    window: WindowEntry | None = described(
        "for how long it has to be so, from 5m to 2d; at least twice the interval of collection"
    )
    priority: PriorityEntry | None = described("from 1, the highest, to 5")
    notify: NotifyEntry | None = described(
        'who is told: "@slack-ml", a list, or by a tag: '
        '{team: {nlp: "@slack-nlp", default: "@slack-ml"}}'
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _switched(cls, value: object) -> object:
        return {"enabled": value} if isinstance(value, bool) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "type": ["object", "boolean"]}


class Monitors(Entry):
    """Who is told of all, and what is said of single monitors: by name, or by metric."""

    model_config = pydantic.ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Monitor]

    notify: NotifyEntry | None = described("who is told by every monitor that does not say itself")

    @property
    def by_name(self) -> Mapping[str, Monitor]:
        """What is said of each, by the name of a shipped monitor or of a metric."""
        return self.__pydantic_extra__

"""One entry under `metrics:` as a file may write it, and all that can be wrong with it.

What one key alone can get wrong is said by its type; what several keys get wrong together, and what
a W&B filter gets wrong, by `contradictions`, which reads the raw entry: so that one reading of a
file finds everything. The JSON Schema that editors use comes from the same model.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, cast, get_args

import pydantic

from runmetrics.collectors.wandb.fields import GROUPS, RUN_FIELDS
from runmetrics.collectors.wandb.metrics.language import (
    LIVE_STATES,
    STATES,
    Aggregate,
    Condition,
    Field,
    Kind,
    Op,
    OverGpus,
    parse_by,
    parse_name,
    parse_number,
    parse_operand,
    parse_states,
    parse_unit,
)
from runmetrics.collectors.wandb.metrics.where import where_faults
from runmetrics.collectors.wandb.metrics.yaml_lines import Place
from runmetrics.config import rules
from runmetrics.spelling import shown
from runmetrics.units import SCALES, UNITS

_LIST: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
}


class _FieldSchema:
    """What editors offer for a field: every `run.NAME` there is, and any key of the sources."""

    def __get_pydantic_json_schema__(self, *_: object) -> dict[str, Any]:
        of_a_source = {"type": "string", "pattern": r"^(summary|config|system)\..+$"}
        return {"anyOf": [{"enum": [f"run.{name}" for name in RUN_FIELDS]}, of_a_source]}


class _BySchema:
    """What editors offer for `by`: every group there is, any config key, or a list of them."""

    def __get_pydantic_json_schema__(self, *_: object) -> dict[str, Any]:
        group = {"anyOf": [{"enum": [*GROUPS]}, {"type": "string", "pattern": r"^config\..*\S$"}]}
        return {"anyOf": [group, {"type": "array", "items": group, "minItems": 1}]}


FieldText = Annotated[Field, pydantic.BeforeValidator(Field.parse), _FieldSchema()]
Name = Annotated[
    str,
    pydantic.BeforeValidator(parse_name),
    pydantic.WithJsonSchema({"type": "string", "pattern": "^[a-zA-Z][a-zA-Z0-9_.]{0,199}$"}),
]
Unit = Annotated[
    str,
    pydantic.BeforeValidator(parse_unit),
    pydantic.WithJsonSchema({"enum": ["", *sorted(UNITS)]}),
]
Window = Annotated[
    timedelta,
    pydantic.BeforeValidator(rules.length),
    pydantic.WithJsonSchema({"type": "string", "pattern": f"^{rules.LENGTH_PATTERN}$"}),
]
States = Annotated[
    tuple[str, ...], pydantic.BeforeValidator(parse_states), pydantic.WithJsonSchema(_LIST)
]
By = Annotated[tuple[str, ...], pydantic.BeforeValidator(parse_by), _BySchema()]
Number = Annotated[float, pydantic.BeforeValidator(parse_number)]
Operand = Annotated[
    float | str | bool,
    pydantic.BeforeValidator(parse_operand),
    pydantic.WithJsonSchema({"type": ["number", "string", "boolean"]}),
]


def described(text: str) -> Any:
    """Declare a key that may be left out; `text` is what editors and the docs say of it."""
    return pydantic.Field(default=None, description=text)


class Entry(pydantic.BaseModel):
    """What a mapping in the file is read into: nothing coerced, nothing unknown let through."""

    model_config = pydantic.ConfigDict(
        strict=True, extra="forbid", frozen=True, serialize_by_alias=True
    )


class Comparisons(Entry):
    """What is asked of one field under `if`; several are all to hold."""

    gt: Number | None = described("greater than")
    gte: Number | None = described("at least")
    lt: Number | None = described("less than")
    lte: Number | None = described("at most")
    eq: Operand | None = described("equal to: a number, text, true or false")
    ne: Operand | None = described("there, and something else than this")
    is_: Kind | None = pydantic.Field(
        default=None,
        alias="is",
        description="nan, infinite (either sign), not_finite (either of these), numeric (a finite "
        "number) or missing",
    )


class Definition(Entry):
    """One metric: a name, exactly one aggregate, and what narrows or splits the runs."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"oneOf": [{"required": [str(aggregate)]} for aggregate in Aggregate]}
    )

    name: Name = pydantic.Field(
        description="name at Datadog: letters, digits, dots and underscores; one of a built-in "
        "metric replaces it"
    )
    description: str = pydantic.Field("", description="what the number is, for people")
    unit: Unit = pydantic.Field(
        "",
        description="a word of Datadog's unit catalogue: run, hour, percent, ...; nothing is "
        "converted to it",
    )
    count: Literal["runs"] | None = described("how many runs")
    sum: FieldText | None = described("sum of a field over the runs that have it")
    mean: FieldText | None = described("mean of a field over the runs that have it")
    min: FieldText | None = described("least value of a field, and the run that holds it")
    max: FieldText | None = described("greatest value of a field, and the run that holds it")
    latest: FieldText | None = described(
        "value of the run with the latest heartbeat among the runs that have the field"
    )
    p50: FieldText | None = described("median of a field (percentiles interpolate linearly)")
    p90: FieldText | None = described("90th percentile of a field")
    p95: FieldText | None = described("95th percentile of a field")
    p99: FieldText | None = described("99th percentile of a field")
    state: States = pydantic.Field(
        (), description=f"only runs in this state, or in one of a list: {', '.join(STATES)}"
    )
    window: Window | None = described(
        "only runs of so long until now: a number and s, m, h, d or w, like 24h or 7d"
    )
    window_by: Literal["last_sign", "created"] = pydantic.Field(
        "last_sign",
        description="what has to lie in the window: the run's last sign of life (its last "
        "heartbeat, else its creation), or its creation",
    )
    where: dict[str, Any] = pydantic.Field(
        {}, description="only runs that this W&B filter (MongoDB-style) matches, at the server"
    )
    if_: dict[FieldText, Comparisons] = pydantic.Field(
        default={},
        alias="if",
        json_schema_extra={"additionalProperties": False},
        description="only runs whose fields pass these tests, made here",
    )
    by: By = pydantic.Field(
        (),
        description="split into one series per value of a group or of config.KEY, or of a list "
        "of them",
    )
    over_gpus: OverGpus = pydantic.Field(
        "mean",
        description="how the values of a run's GPUs under system.gpu.*.KEY become one: mean, max, "
        "min or sum",
    )
    priced: bool = pydantic.Field(
        False, description="make money of GPU hours, in dollars, by the file's `gpu_prices`"
    )
    full_scan: bool = pydantic.Field(
        False,
        description="consent to read every run of the project, where there is no window "
        "(the runs of a state that none stays in, like running, are read without)",
    )

    @property
    def aggregate(self) -> Aggregate:
        return next(each for each in Aggregate if getattr(self, each) is not None)

    @property
    def field(self) -> Field | None:
        """What is aggregated; None where runs are counted."""
        value = getattr(self, self.aggregate)
        return value if isinstance(value, Field) else None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return tuple(
            Condition(field, cast(Op, op), value)
            for field, comparisons in self.if_.items()
            for op, value in comparisons.model_dump(exclude_none=True).items()
        )


def contradictions(entry: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield what is wrong between the keys of a raw entry, and in its `where`: (place, what)."""
    aggregates = [key for key in entry if key in set(Aggregate)]
    if len(aggregates) != 1:
        has = f"has {' and '.join(aggregates)}" if aggregates else "has no aggregate"
        options = ", ".join(Aggregate)
        place = tuple(aggregates[1:2])
        yield place, f"{has}: a metric has exactly one of {options}"
    if "window_by" in entry and "window" not in entry:
        yield ("window_by",), "says how a window is counted, but there is none: add window: 7d"
    fields = [*_mapping(entry.get("if")), *(entry[aggregate] for aggregate in aggregates)]
    if entry.get("priced") is True:
        yield from _price_faults(entry, aggregates)
    elif len(aggregates) == 1:
        yield from _unit_faults(str(entry.get("unit")), str(entry[aggregates[0]]))
    if "over_gpus" in entry and not any(str(field).startswith("system.gpu.*.") for field in fields):
        yield ("over_gpus",), "puts the GPUs of a run together, but no field is system.gpu.*.KEY"
    for field, tests in _mapping(entry.get("if")).items():
        if tests == {}:
            yield ("if", field), "asks nothing: write a comparison like {gt: 30}"
        elif not isinstance(tests, dict) and tests is not None:
            fix = f"write {{{_meant(tests)}}}"
            yield ("if", field), f"{shown(tests)} is not a comparison: {fix}"
    yield from where_faults(entry.get("where"), ("where",))
    bounded = "window" in entry or entry.get("full_scan") is True or _is_live(entry.get("state"))
    if len(aggregates) == 1 and not bounded:
        yield from _whole_history(entry, aggregates[0])


def _meant(bare: object) -> str:
    """Return the comparison that a bare value most likely means: `is` has words for some."""
    word = str(bare).lower()
    word = {"inf": "infinite", "-inf": "infinite"}.get(word, word)
    return f"is: {word}" if word in get_args(Kind) else f"eq: {shown(bare)}"


def _price_faults(entry: Mapping[str, Any], aggregates: list[str]) -> Iterator[tuple[Place, str]]:
    priceable = [f"run.{name}" for name, row in RUN_FIELDS.items() if row.priceable]
    if not any(entry[aggregate] in priceable for aggregate in aggregates):
        yield ("priced",), f"only GPU hours have a price: take {', '.join(priceable)}"
    if entry.get("unit", "dollar") != "dollar":
        yield ("unit",), "a price is in dollars: write dollar, or leave the unit out"


def _unit_faults(unit: str, aggregated: str) -> Iterator[tuple[Place, str]]:
    """Yield a unit that makes another number of what is aggregated: nothing is converted."""
    source, _, name = aggregated.partition(".")
    row = RUN_FIELDS.get(name) if source == "run" else None
    own = "run" if aggregated == "runs" else row.unit if row else ""
    if own and unit != own and unit in SCALES:
        right = "add priced: true" if unit == "dollar" and row and row.priceable else f"write {own}"
        fix = f"{right}, or leave the unit out"
        yield ("unit",), f"{shown(unit)} is not the unit of {aggregated}: {fix}"


def _is_live(state: object) -> bool:
    """Return whether the states alone keep the runs few: neither window nor consent is needed."""
    states = state if isinstance(state, list) else [state]
    return bool(states) and all(each in LIVE_STATES for each in states)


def _whole_history(entry: Mapping[str, Any], aggregate: str) -> Iterator[tuple[Place, str]]:
    source = str(entry[aggregate]).partition(".")[0]
    if aggregate != "count" and not Aggregate(aggregate).of_one_run:
        what = aggregate
    elif aggregate != "count" and source in ("run", "system"):
        what = f"{aggregate} of a {source} field"
    else:
        what = next((key for key in ("if", "by") if entry.get(key)), "")
    if what:
        consent = "add window: 7d, or full_scan: true"
        yield (), f"{what} without a window reads every run of the project: {consent}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

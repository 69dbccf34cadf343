"""What a configuration file may hold: its top-level keys, their types, and its JSON Schema."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from runmetrics.collectors.wandb.measures import DEFAULT_MAX_SERIES
from runmetrics.collectors.wandb.metrics.definition import Comparisons, Definition, Entry, described
from runmetrics.collectors.wandb.metrics.monitors import Monitor, Monitors
from runmetrics.collectors.wandb.metrics.yaml_lines import Place
from runmetrics.config.file_settings import FileSettings, Project, Text
from runmetrics.spelling import choose, shown

PACKS: Final = ("health", "gpu", "throughput", "gpu_hours", "cost")
"""Further built-in metrics that a file switches on by name; each is a file in packs."""

# Where a secret or the host that it is sent to is set instead: a file found in the working
# directory must not be able to send a key anywhere.
_ELSEWHERE: Final = {
    "wandb_api_key": "a key never stands in a file: set WANDB_API_KEY or the AWS secret",
    "dd_api_key": "a key never stands in a file: set DD_API_KEY or the AWS secret",
    "dd_app_key": "a key never stands in a file: set DD_APP_KEY",
    "api_key": "a key never stands in a file: set WANDB_API_KEY and DD_API_KEY or the AWS secrets",
    "base_url": "the host that a key is sent to is set by WANDB_BASE_URL alone",
    "dd_url": "the host that a key is sent to is set by DD_URL alone",
    "dd_site": "the host that a key is sent to is set by DD_SITE alone",
}


def _series(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ValueError(f"{shown(value)} is not a number of series: write a whole number above 0")


def _price(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1000:
        return float(value)
    raise ValueError(f"{shown(value)} is not a price: write dollars a month, like 0.05")


Pack = Annotated[str, pydantic.WithJsonSchema({"type": "string", "enum": list(PACKS)})]
MaxSeries = Annotated[
    int,
    pydantic.BeforeValidator(_series),
    pydantic.WithJsonSchema({"type": "integer", "minimum": 1}),
]


def _hourly_price(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6:
        return float(value)
    raise ValueError(f"{shown(value)} is not a price: write dollars per GPU hour, like 2.5")


HourlyPrice = Annotated[
    float,
    pydantic.BeforeValidator(_hourly_price),
    pydantic.WithJsonSchema({"type": "number", "minimum": 0}),
]

_FORMULAS: Final = ("formula", "ratio", "share", "percent")
_FORMULA_HELP: Final = (
    "a ratio is left to the dashboard, as a formula over two metrics, so that it is right for any "
    "choice of projects: see docs/OPERATIONS.md, Ratios"
)
Price = Annotated[
    float,
    pydantic.BeforeValidator(_price),
    pydantic.WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1000}),
]


class Layout(FileSettings, Entry):
    """What the file may hold at its top; every key may be left out."""

    model_config = pydantic.ConfigDict(title="runmetrics.yaml")

    builtin: bool = pydantic.Field(True, description="false leaves out the built-in metrics")
    drop: list[str] = pydantic.Field([], description="names of built-in metrics to leave out")
    packs: list[Pack] = pydantic.Field(
        [], description=f"further built-in metrics, by pack: {', '.join(PACKS)}"
    )
    max_series: MaxSeries = pydantic.Field(
        DEFAULT_MAX_SERIES,
        description="most series that `by` splits one metric of one project into; of counts and "
        "sums, what is over it is summed under the tag value `other`",
    )
    max_series_total: MaxSeries | None = described(
        "most series that one collection may send; over it no metric is split by `by`, and the "
        "largest is named"
    )
    custom_metric_price: Price | None = described(
        "dollars that one Datadog custom metric costs a month; plan and --verbose then say the bill"
    )
    gpu_prices: dict[Text, HourlyPrice] = pydantic.Field(
        {},
        description="dollars per GPU hour, by GPU type: the longest name that is part of the "
        "type's wins, case aside, and `default` stands for the rest: {H100: 2.5, default: 2.0}",
    )
    where: dict[str, Any] = pydantic.Field(
        {}, description="a W&B filter (MongoDB-style) that narrows every metric"
    )
    metrics: list[Definition] = pydantic.Field([], description="metrics of your own")
    monitors: Monitors = pydantic.Field(
        Monitors(),
        description="Datadog monitors, for `monitors push`: each shipped one by its name, and one "
        "for a metric by the metric's name",
    )


class _WithoutNulls(GenerateJsonSchema):
    """A key may be left out of the file but not left empty: None is ours alone."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors: made from the models that check it."""
    return Layout.model_json_schema(schema_generator=_WithoutNulls)


def file_keys() -> Iterator[tuple[str, str]]:
    """Yield key and meaning of everything at the top of the file, for the documentation."""
    for name, field in Layout.model_fields.items():
        meaning = field.description or ""
        if name in FileSettings.model_fields:
            meaning += f" ({Layout.source_of(name)} beats it)"
        yield name, meaning


def unknown_key(place: Place) -> str:
    """Return what to say of a key that is not known where it stands."""
    key = str(place[-1])
    if len(place) == 1:
        if fix := _ELSEWHERE.get(key.lower()):
            return fix
        model: type[pydantic.BaseModel] = Layout
    elif place[0] == "projects":
        model = Project
    elif place[0] == "monitors":
        model = Monitor
    elif len(place) == 3:
        if key in _FORMULAS:
            return _FORMULA_HELP
        model = Definition
    else:  # too short to guess: greater is gt, and looks like gte
        return f"unknown key: it can be {', '.join(_names(Comparisons))}"
    return f"unknown key: {choose(key, _names(model))}"


def _names(model: type[pydantic.BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]

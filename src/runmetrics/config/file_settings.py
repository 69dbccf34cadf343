"""The settings that the YAML file may hold too, by the same rules as from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from runmetrics.config import rules
from runmetrics.spelling import shown


@dataclass(frozen=True, slots=True)
class From:
    """Where a setting is read from besides the file: variables (the first wins), an option."""

    variables: tuple[str, ...]
    option: str

    def __str__(self) -> str:
        return ", ".join(self.variables) or self.option


def env(*variables: str, option: str = "") -> From:
    """Return the source of a setting that stands in the first of these variables that is set."""
    return From(variables, option)


def _matching(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


TagName = Annotated[str, BeforeValidator(rules.tag_name), _matching(rules.TAG_NAME_PATTERN)]
Text = Annotated[
    str, BeforeValidator(rules.text), WithJsonSchema({"type": "string", "minLength": 1})
]
_SummaryKey = Annotated[
    str, BeforeValidator(rules.summary_key), _matching(rules.SUMMARY_KEY_PATTERN)
]
_Length = Annotated[timedelta, BeforeValidator(rules.length), _matching(rules.LENGTH_PATTERN)]
_Path = Annotated[str, BeforeValidator(rules.project_path), _matching(rules.PATH_PATTERN)]


class Project(BaseModel):
    """One entry of `projects`: what to read, and the tags that every sample of it gets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: _Path = Field(description="entity/project, or entity/* for all projects of an entity")
    tags: dict[TagName, Text] = Field(
        {},
        json_schema_extra={"additionalProperties": False},
        description="tags of every sample of it: {team: nlp}",
    )


def _entry(value: object) -> object:
    """A path alone is an entry without tags."""
    if isinstance(value, str):
        return Project(path=rules.project_path(value))
    if not isinstance(value, dict | Project):
        raise ValueError(f"{shown(value)} is not a project: write entity/project or entity/*")
    return value


def _distinct(entries: tuple[Project, ...]) -> tuple[Project, ...]:
    """Keep one of equal entries; refuse a path with tags of two kinds."""
    kept: dict[str, Project] = {}
    for entry in entries:
        if kept.setdefault(entry.path, entry) != entry:
            raise ValueError(f"{shown(entry.path)} stands twice with other tags: keep one of them")
    return tuple(kept.values())


_Entry = Annotated[Project, BeforeValidator(_entry, json_schema_input_type=_Path | Project)]


class FileSettings(BaseModel):
    """What the file may set; an option or a variable beats it.

    It may not set a key, nor where a key is sent: a file that lies in the working directory must
    not be able to send a key anywhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entity: Annotated[
        str,
        BeforeValidator(rules.entity),
        _matching(rules.ENTITY_PATTERN),
        env("WANDB_ENTITY", option="--entity"),
    ] = Field("pufferai", description="W&B entity to read")
    project: Annotated[
        str,
        BeforeValidator(rules.project),
        _matching(rules.PROJECT_PATTERN),
        env("WANDB_PROJECT", option="--project"),
    ] = Field("metta", description="W&B project to read")
    projects: Annotated[
        tuple[_Entry, ...],
        BeforeValidator(rules.listed),
        AfterValidator(_distinct),
        env("RUNMETRICS_PROJECTS"),
    ] = Field(
        (),
        json_schema_extra={"minItems": 1},
        description="several projects: entity/project or entity/*, comma-separated in the "
        "variable; beats entity and project; one that stands twice is read once",
    )
    accuracy_key: Annotated[_SummaryKey, env("RUNMETRICS_ACCURACY_KEY")] = Field(
        "accuracy", description="summary key behind the accuracy metrics"
    )
    loss_key: Annotated[_SummaryKey, env("RUNMETRICS_LOSS_KEY")] = Field(
        "loss", description="summary key behind the loss metric"
    )
    gpus_per_run: Annotated[
        Literal["auto"] | float | str,
        BeforeValidator(rules.gpus),
        WithJsonSchema(
            {
                "anyOf": [
                    {"const": "auto"},
                    {"type": "number", "exclusiveMinimum": 0, "maximum": rules.MOST_GPUS},
                    {"type": "string", "pattern": f"^{rules.CONFIG_KEY_PATTERN}$"},
                ]
            }
        ),
        env("RUNMETRICS_GPUS_PER_RUN"),
    ] = Field(
        "auto",
        description="GPUs of a run: auto (what W&B recorded), a number up to "
        f"{rules.MOST_GPUS:,} (0.5 is half a GPU), or config.KEY",
    )
    silent_after: Annotated[_Length, env("RUNMETRICS_SILENT_AFTER")] = Field(
        "10m",
        validate_default=True,
        description="how long a running run may go without a heartbeat before it counts as silent",
    )
    stall_after: Annotated[_Length, env("RUNMETRICS_STALL_AFTER")] = Field(
        "30m",
        validate_default=True,
        description="how long a run may go without a log before it counts as stalled",
    )
    timeout_seconds: Annotated[
        float,
        BeforeValidator(rules.timeout),
        WithJsonSchema({"type": "number", "minimum": 1, "maximum": 86_400}),
        env(option="--timeout"),
    ] = Field(90, description="bound in time for the whole run, in seconds")

    @classmethod
    def source_of(cls, name: str) -> From:
        """Return where a setting is read from."""
        return next(item for item in cls.model_fields[name].metadata if isinstance(item, From))

    @property
    def entries(self) -> tuple[Project, ...]:
        """What is to be read: `projects`, else the one that `entity` and `project` name."""
        return self.projects or (Project(path=f"{self.entity}/{self.project}"),)

    @property
    def defaults_in_use(self) -> tuple[str, ...]:
        """What to say of each default that decides what is read, where nobody named it."""
        if self.projects:
            return ()
        return tuple(
            f"{self.source_of(name)} is not set: the default {getattr(self, name)} is read"
            for name in ("entity", "project")
            if name not in self.model_fields_set
        )

    def tags_of(self, entity: str, project: str) -> Mapping[str, str]:
        """Return the tags of a project: those of its own entry, else of its entity's."""
        tags = {entry.path: entry.tags for entry in self.entries}
        return tags.get(f"{entity}/{project}", tags.get(f"{entity}/*", {}))

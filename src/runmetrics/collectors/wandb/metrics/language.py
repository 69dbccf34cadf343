"""The words of a metric definition: aggregates, fields, windows, names, and how each is read.

Every `parse_...` takes whatever YAML holds and raises ValueError with what is wrong and what would
be right. The entry that these words make up is in definition.py.
"""

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Self, get_args

from runmetrics.collectors.wandb.fields import GROUPS, RUN_FIELDS
from runmetrics.collectors.wandb.gpus import EVERY_GPU
from runmetrics.collectors.wandb.values import scalar
from runmetrics.config.rules import RESERVED_TAGS
from runmetrics.spelling import choose, near, shown
from runmetrics.units import UNITS

Source = Literal["summary", "config", "system", "run"]
Op = Literal["gt", "gte", "lt", "lte", "eq", "ne", "is"]
OverGpus = Literal["mean", "max", "min", "sum"]
Kind = Literal["nan", "infinite", "not_finite", "numeric", "missing"]

# The states W&B names (running, finished, ... in its docs, preempt* in its client); an open set.
STATES: Final = (
    "running",
    "finished",
    "failed",
    "crashed",
    "killed",
    "pending",
    "preempting",
    "preempted",
)
LIVE_STATES: Final = ("running", "pending", "preempting")
"""States that a run leaves by itself, so that there are never many in them: W&B marks a run that
falls silent as crashed."""

FIELD_HELP = "write summary.KEY, config.KEY, system.KEY or run.NAME"


class Aggregate(StrEnum):
    """How the values of many runs become one number."""

    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    LATEST = "latest"
    P50 = "p50"
    P90 = "p90"
    P95 = "p95"
    P99 = "p99"

    @property
    def of_one_run(self) -> bool:
        """Whether the number is that of one run, which holds it."""
        return self in (Aggregate.MIN, Aggregate.MAX, Aggregate.LATEST)

    @property
    def percent(self) -> int | None:
        """Which percentile it is; None where it is none."""
        return int(self[1:]) if self.startswith("p") else None


@dataclass(frozen=True, slots=True)
class Field:
    """Where a run's value is found; `str(field)` is how a file writes it.

    The key is everything after the first dot, so it may hold dots and slashes itself. `run` fields
    are worked out by us and are one of RUN_FIELDS; `system` keys go without W&B's "system." prefix,
    and system.gpu.*.KEY is of every GPU.
    """

    source: Source
    key: str
    over_gpus: OverGpus = "mean"

    def __str__(self) -> str:
        return f"{self.source}.{self.key}"

    @property
    def of_every_gpu(self) -> bool:
        """Return whether it is a value over all GPUs of a run, made of theirs by `over_gpus`."""
        return self.source == "system" and self.key.startswith(EVERY_GPU)

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read "summary.val/acc"; ValueError says what would be right."""
        sources = get_args(Source)
        if not isinstance(text, str):
            raise ValueError(f"{shown(text)} is not a field: {FIELD_HELP}")
        source, dot, key = text.partition(".")
        fix = ""
        if source not in sources:
            guess = near(source, sources) if dot else _bare(text)
            fix = f"did you mean {shown(guess + dot + key)}?" if guess and text else FIELD_HELP
        elif not key.strip():
            fix = FIELD_HELP
        elif source == "system" and "*" in key and not re.fullmatch(r"gpu\.\*\..+", key):
            fix = "a * is every GPU of a run, and no more: write system.gpu.*.KEY"
        elif source == "run" and key not in RUN_FIELDS:
            fix = choose(key, RUN_FIELDS, prefix="run.")
        if fix:
            raise ValueError(f"{shown(text)} is not a field: {fix}")
        return cls(source, key)  # type: ignore[arg-type]  # one of Source, checked above


@dataclass(frozen=True, slots=True)
class Condition:
    """A local test of one field of a run.

    `is` takes a word for what cannot be compared: nan, infinite (either sign), numeric (a finite
    number), missing (no value under the key, or null). Comparisons hold for finite numbers only.
    """

    field: Field
    op: Op
    value: float | str | bool

    def __str__(self) -> str:
        words = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "ne": "is not"}
        value = f"{self.value:g}" if type(self.value) is float else shown(self.value)
        return f"{self.field} {words.get(self.op, 'is')} {self.value if self.op == 'is' else value}"


def parse_name(text: object) -> str:
    """Check a metric's name against Datadog's rules; ValueError suggests the nearest legal one."""
    if not isinstance(text, str):
        raise ValueError(f"{shown(text)} is not a name: write one like wandb.runs.active")
    legal = re.sub(r"[^a-zA-Z0-9_.]+|^[^a-zA-Z]+", "_", text)
    legal = re.sub(r"^[^a-zA-Z]+", "", re.sub(r"_*\._*", ".", legal)).strip("_.")
    if text != legal:
        fix = f"write {legal}" if 0 < len(legal) <= 200 else "write one like wandb.runs.active"
        raise ValueError(f"{shown(text)} is not a name that Datadog keeps: {fix}")
    if len(text) > 200:
        raise ValueError(f"the name has {len(text)} characters: Datadog keeps at most 200")
    if text.startswith("runmetrics."):
        raise ValueError('names that begin with "runmetrics." are kept for this program\'s own')
    return text


def parse_unit(text: object) -> str:
    """Check that a unit is in Datadog's catalogue, which shows a metric of any other without one.

    An empty text is no unit.
    """
    if isinstance(text, str) and text in {"", *UNITS}:
        return text
    guess = near(text.replace("_", " "), UNITS, cutoff=0.8) if isinstance(text, str) else ""
    fix = f'did you mean "{guess}"?' if guess else "write one like run, hour or percent"
    raise ValueError(f"{shown(text)} is not in Datadog's unit catalogue: {fix}")


def parse_states(value: object) -> tuple[str, ...]:
    """Read one state or a list of states; any word passes, since W&B's states are an open set."""
    return tuple(_words(value, "a state", "write finished, or a list: [failed, crashed]"))


def parse_by(value: object) -> tuple[str, ...]:
    """Read what splits a metric into series: one of GROUPS or config.KEY, or a list of them."""
    groups = _words(value, "a list", "write [user, group]")
    for group in groups:
        if group not in GROUPS and not (
            group.startswith("config.") and group.removeprefix("config.").strip()
        ):
            fix = choose(group, GROUPS, more=("config.KEY",))
            raise ValueError(f"{shown(group)} cannot split a metric: {fix}")
    tags: dict[str, str] = {}
    for group in groups:
        key = folded(tag_name(group))
        if other := tags.get(key):
            both = f"{shown(other)} and {shown(group)}"
            raise ValueError(f"{both} become the same tag, {tag_name(group)}: keep one of the two")
        tags[key] = group
    return tuple(groups)


def tag_name(group: str) -> str:
    """Return the tag of a group's series: of `user` user, of `config.lr` lr, of `host` wandb_host.

    Of a config key, letters, digits and `_-./` stay. Where what is left is taken (a group of
    GROUPS or a tag of RESERVED_TAGS) or does not begin with a letter, "config_" stands before it:
    config.user is config_user, config.env is config_env.
    """
    if not group.startswith("config."):
        return "wandb_host" if group == "host" else group
    key = re.sub(r"[^\w./-]+", "_", group.removeprefix("config.")).strip("_./-")
    taken = {folded(name) for name in (*GROUPS, *RESERVED_TAGS)}
    if not key[:1].isalpha() or folded(key) in taken:
        return f"config_{key}".rstrip("_")
    return key


def folded(tag: str) -> str:
    """Return what is left of a tag's name in the narrowest sink, where case and signs go."""
    return re.sub(r"[\W_]+", "_", tag.lower())


def parse_number(value: object) -> float:
    """Check the right side of gt, gte, lt and lte: a finite number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError(f"{shown(value)} is not a finite number: write one, or use is or eq")


def parse_operand(value: object) -> float | str | bool:
    """Check the right side of eq and ne: a finite number, text, true or false.

    It is cleaned as a run's values are, in which the text "NaN" is the number.
    """
    found = scalar(value)
    if found is None or (isinstance(found, float) and not math.isfinite(found)):
        fix = "write a number or text, or use is: nan or infinite"
        raise ValueError(f"{shown(value)} cannot be compared: {fix}")
    return found


def _bare(word: str) -> str:
    """Return the field that a word without a source most likely means: `run.` a near name of ours.

    Any other word is taken for a summary key.
    """
    ours = near(word, RUN_FIELDS, cutoff=0.7)
    return f"run.{ours}" if ours else f"summary.{word}"


def _words(value: object, what: str, fix: str) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(word, str) and word.strip() for word in values):
        raise ValueError(f"{shown(value)} is not {what}: {fix}")
    return list(dict.fromkeys(values))

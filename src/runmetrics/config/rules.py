"""What each setting may hold: one function for each kind of value, for pydantic to call.

Environment, `.env`, command line and YAML file go through the same functions. Each returns the
cleaned value or raises ValueError with "what is wrong: what would be right"; each takes what it has
returned before.
"""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from runmetrics.config.addresses import checked_url, datadog_server, wandb_server
from runmetrics.spelling import near, shown

if TYPE_CHECKING:  # the command line has rules too, and no time for pydantic
    from pydantic import SecretStr, ValidationInfo

DATADOG_SITES = (
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "uk1.datadoghq.com",
    "datadoghq.eu",
    "ddog-gov.com",
    "us2.ddog-gov.com",
)
UNIFIED_TAGS = ("env", "service", "version")
"""Datadog's unified service tagging: DD_TAGS may hold them, and DD_ENV and its like win."""

RESERVED_TAGS = (
    *("host", "device", "source", *UNIFIED_TAGS),
    *("wandb_entity", "wandb_project", "wandb_host", "collector"),
)
"""Tags that Datadog or this program give a meaning of their own; `host` is that of a metric."""

_NOT_IN_A_PROJECT_NAME = r"/\\#?%:"  # W&B refuses these
ENTITY_PATTERN = rf"[^\s*{_NOT_IN_A_PROJECT_NAME}]+"
PROJECT_PATTERN = rf"[^*{_NOT_IN_A_PROJECT_NAME}]+"  # may hold blanks
PATH_PATTERN = rf"{ENTITY_PATTERN}/(\*|{PROJECT_PATTERN})"
SUMMARY_KEY_PATTERN = r"(?!summary\.).+"
CONFIG_KEY_PATTERN = r"config\.\S(.*\S)?"
LENGTH_PATTERN = r"([1-9][0-9]{0,8})([smhdw])"
TAG_NAME_PATTERN = r"[A-Za-z][A-Za-z0-9_./-]{0,99}"

MOST_GPUS = 16_384
"""More than any run has: a greater count is no count."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = timedelta(days=3650)


_NAME_AT_AWS = r"[A-Za-z0-9/_+=.@!-]{1,512}"
# ECS lets a field of the JSON object, a version stage and a version id follow.
_SECRET_ARN = re.compile(
    rf"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{{12}}:secret:{_NAME_AT_AWS}"
    r"(:[^:\s]*){,2}(:([A-Za-z0-9-]{32,64})?)?"
)
_QUOTES = "\"'`"


def clean_key(text: str) -> str:
    """Return a key without the white space, line end or byte order mark around it.

    Raises ValueError ("is empty", ...), never with the key. Nothing else is checked: the formats
    of keys change, and the server knows best.
    """
    key = text.strip().strip("\ufeff").strip()
    if not key:
        raise ValueError("is empty")
    if key[0] in _QUOTES or key[-1] in _QUOTES:
        raise ValueError("holds quotes around the key")
    if re.match(r"(export\s+)?[A-Za-z_]\w*\s*=(?!=*$)", key):  # no key has = but at its end
        raise ValueError("holds NAME=key, not the key alone")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("holds white space, a line end or another character that no key has")
    return key


def key(value: object) -> "SecretStr":
    from pydantic import SecretStr

    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    try:
        return SecretStr(clean_key(text))
    except ValueError as exc:
        raise ValueError(f"{exc}: set it to the key alone, or unset it") from None


def not_text(value: object) -> str:
    """Return what is wrong with a value that is no text: a number in quotes would be one."""
    fix = "write one word" if isinstance(value, Mapping | list | tuple) else "write it in quotes"
    return f"{shown(value)} is not text: {fix}"


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(not_text(value))
    if not value.strip():
        raise ValueError("is empty: write a value, or leave it out")
    text = value.strip()
    if not text.isprintable():
        raise ValueError("is not one line of text: write a name")
    if text[0] in _QUOTES and text[0] == text[-1]:  # as `docker run --env-file` leaves them
        raise ValueError(f"{shown(text)} stands in quotes: write it without them")
    return text


def summary_key(value: object) -> str:
    key = text(value)
    if key.startswith("summary."):
        alone = key.removeprefix("summary.").strip() or "KEY"
        raise ValueError(f"{shown(key)} is not a summary key: write {alone}: the key alone")
    return key


def entity(value: object) -> str:
    name = text(value)
    if not re.fullmatch(ENTITY_PATTERN, name):
        raise ValueError(f"{shown(name)} is not the name of an entity: write the name alone")
    return name


def project(value: object) -> str:
    name = text(value)
    if not re.fullmatch(PROJECT_PATTERN, name):
        raise ValueError(
            f"{shown(name)} is not the name of a project: "
            "write the name alone, or entity/project in RUNMETRICS_PROJECTS"
        )
    return name


def project_path(value: object) -> str:
    path = text(value)
    if not re.fullmatch(PATH_PATTERN, path):
        raise ValueError(f"{shown(path)} is not a project: write entity/project or entity/*")
    return path


def listed(value: object) -> tuple[object, ...]:
    """Return the items, one at least, of a list or of a comma-separated text."""
    if isinstance(value, str) and value.strip().startswith("["):  # as YAML writes a list
        items = [item.strip(f" {_QUOTES}") for item in value.strip(" []").split(",")]
        bare = ",".join(filter(None, items)) or "one,another"
        raise ValueError(f"{shown(value)} stands in brackets: write {bare}")
    return _items(value, r"\s*,\s*")


def _items(value: object, separator: str) -> tuple[object, ...]:
    if isinstance(value, tuple):  # ours: what this has returned before, or that there is no list
        return value
    if not isinstance(value, str | list):
        raise ValueError(f"{shown(value)} is not a list: write [one, another]")
    items = value
    if isinstance(value, str):
        items = [item for item in re.split(separator, value.strip()) if item]
    if not items:
        raise ValueError(f"{shown(value)} names nothing: write one or more, or leave it out")
    return tuple(items)


def tag_name(value: object) -> str:
    name = text(value)
    if not re.fullmatch(TAG_NAME_PATTERN, name):
        fix = "write letters, digits and _-./, from a letter on"
        raise ValueError(f"{shown(name)} is not the name of a tag: {fix}")
    if name.lower() in RESERVED_TAGS:
        raise ValueError(f"{shown(name)} has a meaning of its own: take another name")
    return name


def tags(value: object) -> tuple[str, ...]:
    kept = dict.fromkeys(map(text, _items(value, r"[\s,]+")))
    for item in kept:
        if not re.fullmatch(r"[^\W\d_](.*[^:])?", item):
            raise ValueError(f"{shown(item)} is not a tag: write key:value, from a letter on")
        name = item.partition(":")[0]
        if name.lower() in RESERVED_TAGS and name.lower() not in UNIFIED_TAGS:
            raise ValueError(f"{shown(name)} has a meaning of its own: take another name")
    return tuple(kept)


def wandb_url(value: object, info: "ValidationInfo") -> str:
    return wandb_server(url(value, info))


def datadog_url(value: object, info: "ValidationInfo") -> str:
    return datadog_server(url(value, info))


def url(value: object, info: "ValidationInfo") -> str:
    return checked_url(
        text(value), allow_insecure_http=info.data.get("allow_insecure_http") is True
    )


def site(value: object) -> str:
    site = text(value).lower()
    if site not in DATADOG_SITES:
        # people copy the address of a page or of the API: https://app.datadoghq.eu/
        host = re.sub(r"^(https?://)?((app|api)\.)?|/.*$", "", site)
        guess = host if host in DATADOG_SITES else near(host, DATADOG_SITES, cutoff=0.85)
        fix = f"did you mean {guess}?" if guess else f"it can be {', '.join(DATADOG_SITES)}"
        raise ValueError(f"{shown(site)} is not a Datadog site: {fix}")
    return site


def gpus(value: object) -> float | str:
    if isinstance(value, str) and (value == "auto" or re.fullmatch(CONFIG_KEY_PATTERN, value)):
        return value
    number = _number(value)
    if number is None or not 0 < number <= MOST_GPUS:
        fix = f"write auto, a number above 0 and up to {MOST_GPUS}, or config.KEY"
        raise ValueError(f"{shown(value)} is no way to count GPUs: {fix}")
    return number


def length(value: object) -> timedelta:
    """Read "7d", "24h", "30m", "90s" or "2w", of at most ten years."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(LENGTH_PATTERN, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{shown(value)} is not a length of time: write 7d, 24h, 30m or 90s")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"{shown(value)} is longer than ten years: leave it out")
    return timedelta(seconds=seconds)


def timeout(value: object) -> float:
    number = _number(value)
    if number is None or not 1 <= number <= 86_400:
        raise ValueError(f"{shown(value)} is no timeout: write seconds, from 1 to 86400")
    return number


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def secret_name(value: object) -> str:
    name = text(value)
    if name.startswith("arn:") and not _SECRET_ARN.fullmatch(name):
        fix = "write arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME"
        raise ValueError(f"{shown(name)} is not the ARN of a secret: {fix}")
    if not name.startswith("arn:") and not re.fullmatch(_NAME_AT_AWS, name):
        raise ValueError(f"{shown(name)} is not an AWS secret: write its name or its ARN")
    return name


def path(value: object) -> Path:
    try:
        return value if isinstance(value, Path) else Path(text(value)).expanduser()
    except RuntimeError:
        raise ValueError("starts with ~, but there is no home directory: write it out") from None


def switch(value: object) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    switch = known.get(str(value).strip().lower())
    if switch is None:
        raise ValueError(f"{shown(value)} is neither true nor false: write true or false")
    return switch

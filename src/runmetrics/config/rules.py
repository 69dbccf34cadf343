"""What each setting may hold: one function a kind of value, for pydantic to call.

Each returns the cleaned value or raises ValueError with "what is wrong; what would be right".
"""

import math
import re
from pathlib import Path

from pydantic import SecretStr, ValidationInfo

from runmetrics.config.addresses import checked_url

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

_NOT_IN_A_PROJECT_NAME = r"/\\#?%:"  # W&B refuses these


def clean_key(text: str) -> str:
    """A key without the white space, line end or byte order mark around it.

    Raises ValueError ("is empty", ...), never with the key. Nothing else is checked: the formats
    of keys change, and the server knows best.
    """
    key = text.strip().strip("\ufeff").strip()
    if not key:
        raise ValueError("is empty")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("holds white space, a line end or another character that no key has")
    return key


def key(value: object) -> SecretStr:
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    try:
        return SecretStr(clean_key(text))
    except ValueError as exc:
        raise ValueError(f"{exc}; set it to the key, or unset it") from None


def text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or not value.strip().isprintable():
        raise ValueError("is not a line of text; write a name")
    return value.strip()


def entity(value: object) -> str:
    name = text(value)
    if re.search(rf"[\s*{_NOT_IN_A_PROJECT_NAME}]", name):
        raise ValueError(f"{name[:80]!r} is not the name of an entity; write the name alone")
    return name


def project(value: object) -> str:
    name = text(value)
    if re.search(rf"[*{_NOT_IN_A_PROJECT_NAME}]", name):
        raise ValueError(
            f"{name[:80]!r} is not the name of a project; "
            "write the name alone, or entity/project in RUNMETRICS_PROJECTS"
        )
    return name


def _items(value: object, separators: str) -> list[str]:
    if isinstance(value, str):
        value = re.split(separators, value)
    if not isinstance(value, list | tuple):
        raise ValueError("is not a list; write the items separated by commas")
    return list(dict.fromkeys(text(item) for item in value if item != ""))


def projects(value: object) -> tuple[str, ...]:
    items = _items(value, r"\s*,\s*")
    item_form = re.compile(rf"[^\s*{_NOT_IN_A_PROJECT_NAME}]+/(\*|[^*{_NOT_IN_A_PROJECT_NAME}]+)")
    for item in items:
        if not item_form.fullmatch(item):
            raise ValueError(f"{item[:80]!r} is not a project; write entity/project or entity/*")
    return tuple(items)


def tags(value: object) -> tuple[str, ...]:
    items = _items(value, r"[\s,]+")
    for item in items:
        if not re.fullmatch(r"[^\W\d_](.*[^:])?", item):
            raise ValueError(f"{item[:80]!r} is not a tag; write key:value, from a letter on")
    return tuple(items)


def url(value: object, info: ValidationInfo) -> str:
    return checked_url(
        text(value), allow_insecure_http=info.data.get("allow_insecure_http") is True
    )


def site(value: object) -> str:
    site = text(value).lower()
    if site not in DATADOG_SITES:
        raise ValueError(f"{site[:80]!r} is not a Datadog site; use {', '.join(DATADOG_SITES)}")
    return site


def gpus(value: object) -> float | str:
    if isinstance(value, str) and (value == "auto" or re.fullmatch(r"config\.\S+", value)):
        return value
    number = _number(value)
    if number is None or not 0 < number <= 1_000_000:
        raise ValueError(f"{str(value)[:80]!r} is no rule; write auto, a number or config.KEY")
    return number


def timeout(value: object) -> float:
    number = _number(value)
    if number is None or not 1 <= number <= 86_400:
        raise ValueError(f"{str(value)[:80]!r} is no timeout; write seconds, from 1 to 86400")
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
    if not re.fullmatch(r"[A-Za-z0-9/_+=.@:!-]{1,2048}", name):
        raise ValueError(f"{name[:80]!r} is neither the name nor the ARN of an AWS secret")
    return name


def path(value: object) -> Path:
    try:
        return value if isinstance(value, Path) else Path(text(value)).expanduser()
    except RuntimeError:
        raise ValueError("starts with ~, but there is no home directory; write it out") from None


def switch(value: object) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    switch = known.get(str(value).strip().lower())
    if switch is None:
        raise ValueError(f"{str(value)[:80]!r} is neither true nor false; write true or false")
    return switch

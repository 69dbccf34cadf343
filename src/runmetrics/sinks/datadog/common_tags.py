"""The tags that Datadog gets with every sample: unified service tagging, and DD_TAGS."""

from collections.abc import Iterator

from runmetrics.config.settings import Settings
from runmetrics.sinks.datadog.series import tag
from runmetrics.spelling import shown


def common_tags(settings: Settings) -> list[str]:
    """Return env, service and version where they are set, then those of DD_TAGS with other keys."""
    unified = _unified(settings)
    tags = [f"{name}:{value}" for name, value in unified.items()]
    return tags + [text for text in settings.dd_tags if text.split(":")[0] not in unified]


def sent_tags(settings: Settings) -> tuple[str, ...]:
    """Return the common tags as Datadog keeps them, each once."""
    return tuple(dict.fromkeys(text for text in map(tag, common_tags(settings)) if text))


def changed_tags(settings: Settings) -> Iterator[str]:
    """Yield which tags Datadog keeps otherwise than they are written, case aside, and the fix."""
    written = {
        f"{name}:{value}": f"DD_{name.upper()}" for name, value in _unified(settings).items()
    }
    for text, variable in {**dict.fromkeys(settings.dd_tags, "DD_TAGS"), **written}.items():
        kept = tag(text)
        if kept == text.lower():
            continue
        name, equals, value = text.partition("=")
        fix = f"did you mean {name}:{value}?" if equals and ":" not in name else "write it so"
        yield f"{shown(text)} of {variable} is sent as {shown(kept)}: {fix}"


def _unified(settings: Settings) -> dict[str, str]:
    values = {
        "env": settings.dd_env,
        "service": settings.dd_service,
        "version": settings.dd_version,
    }
    return {name: value for name, value in values.items() if value}

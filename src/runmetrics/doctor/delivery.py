"""Check what a delivery depends on beside the far ends: the spool and the tags."""

from collections.abc import Iterator

from runmetrics.config.settings import Settings
from runmetrics.doctor.findings import Finding, ok, warning
from runmetrics.spool import Spool

_SPOOL, _TAGS = "spool", "Datadog tags"


def check_spool(settings: Settings) -> Iterator[Finding]:
    """Open the spool as a run does, if there is one, and close it again."""
    if settings.spool_dir is None:
        return
    with Spool(settings.spool_dir) as spool:
        notices = [notice.partition(": ") for notice in spool.notices]
    if not notices:
        yield ok(_SPOOL, f"{settings.spool_dir} can be used")
    yield from (warning(_SPOOL, cause, fix) for cause, _, fix in notices)


def check_tags(settings: Settings) -> Iterator[Finding]:
    """Say which tags of DD_TAGS Datadog keeps otherwise than they are written, case aside."""
    from runmetrics.sinks.datadog.series import tag

    changed = False
    for written in settings.dd_tags:
        kept = tag(written)
        if kept == written.lower():
            continue
        changed = True
        name, equals, value = written.partition("=")
        fix = f"did you mean {name}:{value}?" if equals and ":" not in name else "write it so"
        yield warning(_TAGS, f"'{written}' of DD_TAGS is sent as '{kept}'", fix)
    if settings.dd_tags and not changed:
        yield ok(_TAGS, ", ".join(settings.dd_tags))

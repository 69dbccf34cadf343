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
    """Say which tags are sent, and which Datadog keeps otherwise than they are written."""
    from runmetrics.sinks.datadog.common_tags import changed_tags, sent_tags

    changed = list(changed_tags(settings))
    yield from (warning(_TAGS, text) for text in changed)
    if not changed and (tags := sent_tags(settings)):
        yield ok(_TAGS, ", ".join(tags))

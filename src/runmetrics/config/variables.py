"""Environment variables that nobody reads: most often a setting's name, misspelt."""

import re
from collections.abc import Mapping

from runmetrics.config.file_settings import source_of
from runmetrics.config.settings import Settings
from runmetrics.spelling import near
from runmetrics.text import one_line

_OURS = "RUNMETRICS_"
_OTHERS = ("WANDB_", "DD_")
# Kubernetes sets these for every Service of the namespace, and one may be called runmetrics.
_OF_A_SERVICE = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP).*)?)")
_ALIKE = 0.85
"""No variable of the official W&B client is that near to one of ours."""

KNOWN = tuple(
    variable for name in Settings.model_fields for variable in source_of(Settings, name).variables
)


def unread_variables(environ: Mapping[str, str]) -> list[str]:
    """Return what to say of variables that are set, not empty and not read: the right name.

    RUNMETRICS_* is ours alone: any unknown one is said. Of WANDB_* and DD_*, which others read too,
    only near misses of a variable that is not set itself.
    """
    there = {name for name, value in environ.items() if value}
    said = []
    for name in sorted(there - set(KNOWN)):
        prefix = name.upper()
        guess = near(name, KNOWN, cutoff=_ALIKE)
        if prefix.startswith(_OURS) and not _OF_A_SERVICE.fullmatch(prefix):
            fix = f"did you mean {guess}?" if guess else "docs/CONFIGURATION.md has all settings"
            said.append(f"{one_line(name)} is no setting: {fix}")
        elif prefix.startswith(_OTHERS) and guess and guess not in there:
            said.append(f"{one_line(name)} is not read: did you mean {guess}?")
    return said

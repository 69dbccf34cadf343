"""Check AWS, where a key is looked for: who we are, and the policy that a refusal asks for."""

import json
from collections.abc import Iterator

from runmetrics.config.aws import fetch_identity
from runmetrics.config.aws_errors import PermissionMissing, SecretAbsent
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.doctor.findings import Finding, broken, failed, not_asked, ok, warning
from runmetrics.errors import RunmetricsError

_STEP = "AWS identity"


def check_identity(settings: Settings, deadline: Deadline) -> Iterator[Finding]:
    """Say who AWS takes us for, if AWS is asked for a key at all.

    Not to learn it is no fault: what counts is whether the secret can be read, which the keys' own
    lines say.
    """
    in_place = (
        settings.wandb_api_key or settings.wandb_api_key_file,
        settings.dd_api_key or settings.dd_api_key_file,
    )
    if all(in_place):
        return
    try:
        yield ok(_STEP, fetch_identity(deadline))
    except SecretAbsent as absent:
        yield from not_asked([_STEP], f"{absent} here")
    except RunmetricsError as error:
        yield warning(_STEP, error.cause, error.fix)


def no_key(step: str, error: RunmetricsError) -> Finding:
    """Return a key that was not found; the fix of a missing permission is the statement to add."""
    if not isinstance(error, PermissionMissing):
        return failed(step, error)
    statement = {"Effect": "Allow", "Action": error.action, "Resource": error.resource}
    return broken(step, error.cause, f"add to its policy {json.dumps(statement)}", error.exit_code)

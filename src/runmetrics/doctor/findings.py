"""Say what the doctor found: one finding a step, a line for people and JSON for machines."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from runmetrics.config.aws_errors import PermissionMissing
from runmetrics.errors import ExitCode, RunmetricsError
from runmetrics.logs import redact
from runmetrics.text import one_line

JSON_SCHEMA_VERSION = 1

_BEFORE_FIX = re.compile(
    r": (?=(?:a metric has|add|did you mean|fix|give|it can be|keep|leave|name|see|set|take|use"
    r"|write) |docs/)"
)
"""Between what is wrong and what would be right; a cause may hold ": " too."""

_WORST_FIRST = (
    ExitCode.BUG,
    ExitCode.CONFIGURATION,
    ExitCode.REFUSED,
    ExitCode.TEMPORARY,
    ExitCode.PARTIAL,
)


class Verdict(StrEnum):
    """How a step was found. What is not asked depends on something that is broken."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One step: what was found, the fix where there is one, and the exit code of what is broken.

    Nothing in it is a secret, and its texts are printable.
    """

    step: str
    verdict: Verdict
    says: str
    fix: str = ""
    code: ExitCode = ExitCode.OK

    def __str__(self) -> str:
        text = f"{self.says}: {self.fix}" if self.fix else self.says
        return f"{self.verdict:<9}  {self.step:<15}  {text}"


def ok(step: str, says: str) -> Finding:
    """Return that all is well with this step."""
    return Finding(step, Verdict.OK, _line(says))


def warning(step: str, says: str, fix: str = "") -> Finding:
    """Return that it works, and somebody should look at it."""
    return Finding(step, Verdict.WARNING, _line(says), _line(fix))


def broken(step: str, cause: str, fix: str, code: ExitCode) -> Finding:
    """Return that it does not work."""
    return Finding(step, Verdict.BROKEN, _line(cause), _line(fix), code)


def faulty(step: str, fault: str, code: ExitCode) -> Finding:
    """Return that a fault of the settings or the file keeps it from working."""
    cause, *fix = _BEFORE_FIX.split(fault, maxsplit=1)
    return broken(step, cause, "".join(fix), code)


def failed(step: str, error: RunmetricsError) -> Finding:
    """Return that it does not work, as an error of the collector's says.

    The fix of a missing permission is the statement to add.
    """
    fix = error.fix
    if isinstance(error, PermissionMissing):
        fix = f"add to its policy {error.statement}"
    return broken(step, error.cause, fix, error.exit_code)


def not_asked(steps: Iterable[str], why: str) -> list[Finding]:
    """Return steps that were left out."""
    return [Finding(step, Verdict.NOT_ASKED, _line(why)) for step in steps]


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """Return the worst of what is broken; warnings do not count."""
    codes = {finding.code for finding in findings if finding.verdict is Verdict.BROKEN}
    return next((code for code in _WORST_FIRST if code in codes), ExitCode.OK)


def as_json(findings: Sequence[Finding], code: ExitCode) -> str:
    """Return all findings as one JSON object."""
    whole = {
        "schema": JSON_SCHEMA_VERSION,
        "exit_code": int(code),
        "findings": [
            {
                "step": finding.step,
                "verdict": finding.verdict,
                "says": finding.says,
                "fix": finding.fix,
                "exit_code": int(finding.code),
            }
            for finding in findings
        ],
    }
    return json.dumps(whole, indent=2)


def _line(text: str) -> str:
    """Return foreign text without what would steer a terminal, and without secrets."""
    return redact(one_line(text))

"""What Datadog's answers mean: for the batch, for the key, for the configuration."""

from dataclasses import dataclass
from typing import Self

from runmetrics.errors import ConfigurationError, CredentialRefused, RunmetricsError, TemporaryError
from runmetrics.http import Answer, NoAnswer
from runmetrics.logs import excerpt, quoted
from runmetrics.retry import asked_wait
from runmetrics.sinks.batches import REJECTED, TOO_LARGE, Refused, Unavailable
from runmetrics.text import one_line

# The documented ones of POST /api/v2/series that pass, and a gateway's; 501 and 505 do not.
PASSING = (408, 429, 500, 502, 503, 504)

_MOST_KIND_BYTES = 80


def is_acknowledged(answer: Answer) -> bool:
    """Say whether Datadog took all of it: 202 with a JSON object that tells of no error."""
    document = answer.json_object()
    return (
        answer.status == 202
        and document is not None
        and document.get("errors") in (None, [])
        and document.get("status") != "error"
    )


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads the answers of the intake at `url`; `setting` is the variable that led there."""

    url: str
    setting: str

    @classmethod
    def of(cls, url: str, dd_url: str | None) -> Self:
        """Return the reader for `url`, which `dd_url` set if there is one."""
        return cls(url, "DD_URL" if dd_url else "DD_SITE")

    @property
    def right_setting(self) -> str:
        """Say what is to be right about the setting."""
        noun = "site" if self.setting == "DD_SITE" else "intake"
        return f"{self.setting} is the {noun} of your organisation"

    @property
    def _fix(self) -> str:
        return f"check that {self.right_setting}"

    def missing(self, failure: NoAnswer) -> Unavailable | TemporaryError:
        """Return the error for a post that got no answer."""
        error = self.unreachable(failure)
        return Unavailable(error) if failure.fault.passing else error

    def unreachable(self, failure: NoAnswer) -> TemporaryError:
        """Return what is said of a request that got no answer."""
        cause = f"Datadog at {self.url} did not answer: {failure.fault.words}"
        return TemporaryError(cause, failure.fault.fix(self.setting))

    def meaning(self, answer: Answer, key_source: str) -> Exception:
        """Return the error for an answer that is no success; `key_source` is where the key is from.

        Unavailable, Refused, or the RunmetricsError that no other batch would escape.
        """
        status, place = answer.status, f"({answer.status}) at {self.url}"
        if status < 300:
            return self._not_acknowledged(answer)
        if status < 400:
            cause = f"Datadog {place} redirects to {answer.redirects_to}"
            return ConfigurationError(f"{cause}, which was not followed", self._fix)
        if status == 400:
            words = quoted(answer.data)
            return Refused(REJECTED, f"Datadog (400): {words}", self._way_there(place, words))
        if status == 413:
            return Refused(TOO_LARGE, "Datadog (413)", self._way_there(place, "too large"))
        if status in (401, 403):
            fix = f"check {key_source}, and that {self.right_setting}"
            return CredentialRefused(f"Datadog refused the API key {place}", fix)
        if status in PASSING:
            return _unavailable(answer, place)
        if status >= 500:
            return TemporaryError(f"Datadog cannot serve this request {place}", self._fix)
        cause = "has no metrics intake" if status == 404 else "refuses our kind of request"
        return ConfigurationError(f"Datadog {cause} {place}", self._fix)

    def _not_acknowledged(self, answer: Answer) -> Exception:
        document = answer.json_object() or {}
        errors = document.get("errors")
        if answer.status == 202 and (isinstance(errors, list) or document.get("status") == "error"):
            words = quoted(str(errors) if errors else answer.data)
            way_there = TemporaryError(
                f"Datadog (202) at {self.url} took none of the samples: {words}",
                "the next run tries again",
            )
            return Refused(REJECTED, f"Datadog (202): {words}", way_there)
        kind = one_line(excerpt(answer.headers.get("Content-Type") or "untyped", _MOST_KIND_BYTES))
        cause = f"Datadog at {self.url} answered {answer.status} {kind}"
        return Unavailable(
            TemporaryError(
                f"{cause}, which is not its acknowledgement: {quoted(answer.data)}",
                f"check the proxy and {self.setting}",
            )
        )

    def _way_there(self, place: str, words: str) -> RunmetricsError:
        return ConfigurationError(
            f"Datadog {place} took none of the samples: {words}",
            "see what answers there (a proxy, a port that speaks TLS), "
            f"and check that {self.right_setting}",
        )


def _unavailable(answer: Answer, place: str) -> Unavailable:
    cause, asked = f"Datadog is unavailable {place}", asked_wait(answer.headers)
    if answer.status == 429:
        asked = asked_wait(answer.headers, "X-RateLimit-Reset")
        until = "" if asked is None else f" for {asked:g} s more"
        cause = f"Datadog limits our rate {place}{until}"
    return Unavailable(TemporaryError(cause, "the next run tries again"), asked)

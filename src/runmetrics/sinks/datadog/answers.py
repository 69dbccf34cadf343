"""What Datadog's answers mean: for the batch, for the key, for the configuration."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from runmetrics.errors import ConfigurationError, CredentialRefused, TemporaryError
from runmetrics.logs import excerpt
from runmetrics.sinks.http import Answer, NoAnswer

# The documented ones of POST /api/v2/series that pass, and a gateway's; 501 and 505 do not.
_PASSING = (408, 429, 500, 502, 503, 504)
_LONGEST_RESET_SECONDS = 86_400
_QUOTED_BYTES = 80


class Passing(Exception):  # noqa: N818 - it is what happened
    """A failure that may pass when the batch is sent again, after `reset_seconds` if known."""

    def __init__(self, cause: str, fix: str, reset_seconds: float | None = None) -> None:
        super().__init__(cause)
        self.cause, self.fix, self.reset_seconds = cause, fix, reset_seconds


class Faulted(Exception):  # noqa: N818 - it is what happened
    """Datadog finds fault with something in the batch: `reason` in a word, `words` in its own."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason, self.words = reason, words


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the answers of the intake at `url`; `setting` is the variable that led there."""

    url: str
    setting: str

    @property
    def _fix(self) -> str:
        return f"check that {self._right_setting}"

    @property
    def _right_setting(self) -> str:
        noun = "site" if self.setting == "DD_SITE" else "intake"
        return f"{self.setting} is the {noun} of your organisation"

    def missing(self, failure: NoAnswer) -> Passing | TemporaryError:
        """The error for a request that got no answer."""
        cause = f"Datadog at {self.url} did not answer: {failure.why}"
        fix = f"check the network, the proxy and {self.setting}"
        return Passing(cause, fix) if failure.passing else TemporaryError(cause, fix)

    def meaning(self, answer: Answer, key_source: str) -> Exception:
        """The error for an answer that is no success; `key_source` says where the key is from."""
        status, place = answer.status, f"({answer.status}) at {self.url}"
        if status < 300:
            return self._not_acknowledged(answer)
        if status < 400:
            target = urlsplit(answer.headers.get("Location", "")).hostname or "elsewhere"
            cause = f"Datadog {place} redirects to {excerpt(target, _QUOTED_BYTES)}"
            return ConfigurationError(f"{cause}, which was not followed", self._fix)
        if status == 400:
            return Faulted("rejected", f"Datadog (400): {quoted(answer.data)}")
        if status == 413:
            return Faulted("too_large", "Datadog (413)")
        if status in (401, 403):
            fix = f"check {key_source}, and that {self._right_setting}"
            return CredentialRefused(f"Datadog refused the API key {place}", fix)
        if status in _PASSING:
            return _passing(answer, place)
        if status >= 500:
            return TemporaryError(f"Datadog cannot serve this request {place}", self._fix)
        cause = "has no metrics intake" if status == 404 else "refuses our kind of request"
        return ConfigurationError(f"Datadog {cause} {place}", self._fix)

    def _not_acknowledged(self, answer: Answer) -> Exception:
        document = answer.json_object()
        if answer.status == 202 and document is not None:
            return Faulted("rejected", f"Datadog (202): {quoted(str(document.get('errors')))}")
        kind = excerpt(answer.headers.get("Content-Type", "without a type"), _QUOTED_BYTES)
        return Passing(
            f"Datadog at {self.url} answered {answer.status} {kind}, which is not its"
            f" acknowledgement: {quoted(answer.data)}",
            f"check the proxy and {self.setting}",
        )


def _passing(answer: Answer, place: str) -> Passing:
    fix = "the next run tries again"
    if answer.status != 429:
        return Passing(f"Datadog is unavailable {place}", fix)
    reset = reset_seconds(answer.headers.get("X-RateLimit-Reset"))
    until = "" if reset is None else f" for {reset:g} s more"
    return Passing(f"Datadog limits our rate {place}{until}", fix, reset)


def quoted(words: str | bytes) -> str:
    """The other side's words, fit for one line of ours."""
    return f'"{excerpt(words, _QUOTED_BYTES)}"'


def reset_seconds(header: str | None) -> float | None:
    """A wait that a server may ask for; None where the header is absent or makes no sense."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds <= _LONGEST_RESET_SECONDS else None

"""What the answers of an OTLP receiver mean (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP").

Imported by post.py alone, which is imported where it is used.
"""

from dataclasses import dataclass

from google.protobuf.json_format import Parse, ParseError  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)

from runmetrics.errors import ConfigurationError, CredentialRefused, TemporaryError
from runmetrics.http import Answer, NoAnswer
from runmetrics.logs import excerpt, quoted
from runmetrics.retry import asked_wait
from runmetrics.sinks.batches import REJECTED, TOO_LARGE, Refused, Taken, Unavailable
from runmetrics.text import counted, one_line

# The ones that the specification lets a client send again.
_PASSING = (429, 502, 503, 504)

_MOST_WORDS_BYTES = 200


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads the answers of the receiver at `url`; `setting` is the variable that led there."""

    url: str
    setting: str

    def taken(self, answer: Answer, sent: int) -> Taken:
        """Read a success for `sent` points.

        Raises Unavailable for what is no answer of an OTLP receiver.
        """
        partial = self._partial_success(answer)
        rejected = min(sent, max(0, partial.rejected_data_points))
        words = one_line(excerpt(partial.error_message, _MOST_WORDS_BYTES))
        if not rejected:
            return Taken(notice=f"the OTLP receiver warns: {words}" if words else "")
        words = words or "it does not say why"
        count = f"{rejected} of {counted(sent, 'sample')}, not saying which"
        cause = f"the OTLP receiver at {self.url} took none of the samples: {words}"
        return Taken(
            f"the OTLP receiver rejected {count}: {words}",
            rejected,
            TemporaryError(cause, "see its own log"),
        )

    def meaning(self, answer: Answer) -> Exception:
        """Return the error for an answer that is no success.

        Unavailable, Refused, or the RunmetricsError that no other batch would escape.
        """
        status, place = answer.status, f"({answer.status}) at {self.url}"
        if status in _PASSING:
            what = "limits our rate" if status == 429 else "is unavailable"
            error = TemporaryError(f"the OTLP receiver {what} {place}", "the next run tries again")
            return Unavailable(error, asked_wait(answer.headers))
        if status == 400:
            words = quoted(_message(answer.data))
            return self._refused(REJECTED, f"the OTLP receiver (400): {words}", place, words)
        if status == 413:
            return self._refused(TOO_LARGE, "the OTLP receiver (413)", place, "too large")
        if status in (401, 403):
            return CredentialRefused(
                f"the OTLP receiver refused our credentials {place}",
                "check OTEL_EXPORTER_OTLP_HEADERS",
            )
        if status >= 500:
            cause = f"the OTLP receiver cannot serve this request {place}"
            return TemporaryError(cause, f"check {self.setting}")
        cause = "refuses our kind of request"
        if 300 <= status < 400:
            cause = f"redirects to {answer.redirects_to}, which was not followed"
        elif status == 404:
            cause = "has no metrics intake"
        return ConfigurationError(f"the OTLP receiver {cause} {place}", f"check {self.setting}")

    def missing(self, failure: NoAnswer) -> Unavailable | TemporaryError:
        """Return the error for a request that got no answer."""
        cause = f"the OTLP receiver at {self.url} did not answer: {failure.fault.words}"
        error = TemporaryError(cause, failure.fault.fix(self.setting))
        return Unavailable(error) if failure.fault.passing else error

    def _partial_success(self, answer: Answer) -> ExportMetricsPartialSuccess:
        kind = answer.headers.get("Content-Type", "")
        response = ExportMetricsServiceResponse()
        try:
            if "json" in kind:
                Parse(answer.data or b"{}", response, ignore_unknown_fields=True)
            else:
                response.ParseFromString(answer.data)
        except (DecodeError, ParseError, UnicodeDecodeError, RecursionError):
            said = one_line(excerpt(kind or "untyped", _MOST_WORDS_BYTES))
            error = TemporaryError(
                f"the OTLP receiver at {self.url} answered {answer.status} {said}, which is not"
                f" its acknowledgement: {quoted(answer.data)}",
                f"check the proxy and {self.setting}",
            )
            raise Unavailable(error) from None
        return response.partial_success

    def _refused(self, reason: str, words: str, place: str, why: str) -> Refused:
        way_there = ConfigurationError(
            f"the OTLP receiver {place} took none of the samples: {why}",
            f"see what answers there (a proxy, a port that speaks TLS), and check {self.setting}",
        )
        return Refused(reason, words, way_there)


def _message(data: bytes) -> str | bytes:
    """Return the text of a google.rpc.Status, else the body as it is."""
    try:
        return Status.FromString(data).message or data
    except DecodeError:
        return data

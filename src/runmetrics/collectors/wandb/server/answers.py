"""What an answer, or the lack of one, means: data, or the error that says so.

Nothing here waits or sends. A Transient is worth another try; any other error is final.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runmetrics import http
from runmetrics.collectors.wandb.server.endpoint import Endpoint, proxy_variables
from runmetrics.collectors.wandb.server.errors import (
    AccessDenied,
    BadDocument,
    GraphQLError,
    NotFound,
    NotWandb,
    RateLimited,
    Redirected,
    ServerFault,
    SlowAnswer,
    TooLarge,
    Unreachable,
    unknown_names,
)
from runmetrics.collectors.wandb.server.retry import LOWER_THE_RATE, RetryPolicy, Transient
from runmetrics.retry import asked_wait, http_date
from runmetrics.transport_errors import Kind, TransportFault

_MESSAGE_LIMIT = 500
_EXCERPT_LIMIT = 80
_SOURCE_LIMIT = 20_000  # of foreign text that is looked at for an excerpt

_NOT_LOGGED_IN = re.compile(
    "not logged in|must be logged in|unauthenticated|invalid api ?key|unauthorized", re.IGNORECASE
)
_DENIED = re.compile("permission denied|access denied|forbidden|not authorized", re.IGNORECASE)
_TOO_MANY = re.compile("rate limit|too many requests", re.IGNORECASE)
_BAD_DOCUMENT = re.compile(
    "cannot query field|unknown argument|unknown type|syntax error|expected (type|value)"
    "|must have a sub ?selection|variable .?\\$",
    re.IGNORECASE,
)

_CHECK_DOCUMENT = "check the filters and keys of the metrics file"
_NEWER_SERVER = "use a newer W&B server: this one lacks what has to be asked"
_CHECK_ADDRESS = "check WANDB_BASE_URL and what stands between it and us (a proxy, a login page)"
_SERVER_SIDE = "see https://status.wandb.com or your own server's log; the next run may pass"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said. `errors` name the places of `data` that did not come whole.

    `server_time` is its Date header: UTC, whole seconds, None where it is absent or junk.
    """

    data: dict[str, Any]
    errors: tuple[GraphQLError, ...] = ()
    server_time: datetime | None = None


class AnswerReader:
    """Reads the answers of one server, and what it means when there is none."""

    def __init__(self, endpoint: Endpoint, policy: RetryPolicy) -> None:
        self._endpoint = endpoint
        self._policy = policy

    def read(self, whole: http.Answer) -> Answer:
        """Return what a whole HTTP answer says; raise what it means otherwise."""
        if not 200 <= whole.status < 300:
            raise self._bad_status(whole)
        try:
            found = json.loads(whole.data)
        except (ValueError, RecursionError):
            if "json" in _media_type(whole):
                raise self.broken() from None
            raise self._not_graphql(whole) from None
        envelope = found if isinstance(found, dict) else {}
        errors = self._graphql_errors(envelope)
        if isinstance(data := envelope.get("data"), dict):
            return Answer(data, errors, http_date(whole.headers.get("Date")))
        if errors:
            raise self._errors_only(errors, whole)
        raise self._not_graphql(whole)

    def broken(self) -> Transient:
        """Return the fault of an answer that did not come to its end, or is not whole JSON."""
        return Transient(f"{self._endpoint} broke off its answer", ServerFault, _SERVER_SIDE)

    def missing(self, fault: TransportFault) -> Exception:
        """Return what it means that there is no whole answer."""
        policy = self._policy
        if fault.kind is Kind.BROKEN_OFF:
            return self.broken()
        if fault.kind is Kind.SLOW:
            return self._slow(f"did not answer in full within {policy.total_timeout_seconds:g} s")
        if fault.kind is Kind.NO_ANSWER:
            return self._slow(f"sent nothing for {policy.read_timeout_seconds:g} s")
        if fault.kind is Kind.TOO_LARGE:
            return TooLarge(
                f"{self._endpoint} sent more than {policy.max_decoded_bytes:,} bytes in one answer",
                "ask for fewer keys, or narrow the windows",
            )
        return self._unreachable(fault)

    def _slow(self, what: str) -> Transient:
        return Transient(f"{self._endpoint} {what}", SlowAnswer, _SERVER_SIDE)

    def _unreachable(self, fault: TransportFault) -> Exception:
        words, fix = fault.words, fault.fix("WANDB_BASE_URL")
        if fault.kind is Kind.NO_CONNECTION:
            words = f"no connection within {self._policy.connect_timeout_seconds:g} s"
        if proxies := proxy_variables("HTTPS_PROXY", "ALL_PROXY"):
            words = f"{words}, {proxies} is set"
        cause = f"{self._endpoint} cannot be reached, {words}"
        return Transient(cause, Unreachable, fix) if fault.passing else Unreachable(cause, fix)

    def _bad_status(self, whole: http.Answer) -> Exception:
        status, endpoint = whole.status, self._endpoint
        errors = self._graphql_errors(whole.json_object() or {})
        said = "".join(f', "{error.message}"' for error in errors[:3])
        if status == 401:
            return endpoint.key_refused("401")
        if status == 403:
            return self._access_denied(f"403{said}")
        if status == 404:
            return NotFound(
                f"{endpoint} answered 404{said}", "check WANDB_BASE_URL, the entity and the project"
            )
        if status in (400, 422):
            return self._bad_document(errors, whole)
        if 300 <= status < 400:
            return self._redirected(whole)
        if status == 429:
            return self._too_many("429", whole)
        if status == 408 or (status >= 500 and status != 501):
            return Transient(
                f"{endpoint} answered {status}{said}",
                ServerFault,
                _SERVER_SIDE,
                asked_seconds=asked_wait(whole.headers) if status == 503 else None,
            )
        return NotWandb(f"{endpoint} answered {status}, as W&B does not", _CHECK_ADDRESS)

    def _errors_only(self, errors: tuple[GraphQLError, ...], whole: http.Answer) -> Exception:
        messages = " / ".join(error.message for error in errors)
        said = f'"{errors[0].message}"'
        if _NOT_LOGGED_IN.search(messages):
            return self._endpoint.key_refused(said)
        if _DENIED.search(messages):
            return self._access_denied(said)
        if _TOO_MANY.search(messages):
            return self._too_many(said, whole)
        if _BAD_DOCUMENT.search(messages):
            return self._bad_document(errors, whole)
        what = f"{self._endpoint} answered with errors only, {said}"
        return Transient(what, ServerFault, _SERVER_SIDE)

    def _access_denied(self, how: str) -> AccessDenied:
        source = self._endpoint.key_source
        reader = f"the API key from {source}" if source else "a reader without a key"
        return AccessDenied(
            f"{self._endpoint} denied access to {reader} ({how})",
            "let its account read the entity and the project",
        )

    def _bad_document(self, errors: tuple[GraphQLError, ...], whole: http.Answer) -> BadDocument:
        messages = [error.message for error in errors] or [
            self._endpoint.clean(_text(whole), _MESSAGE_LIMIT)
        ]
        said = "; ".join(message for message in messages if message)
        what = f"{self._endpoint} rejected the query ({whole.status})"
        fix = _NEWER_SERVER if unknown_names(messages) else _CHECK_DOCUMENT
        return BadDocument(f"{what}, {said}" if said else what, fix, messages)

    def _redirected(self, whole: http.Answer) -> Redirected:
        return Redirected(
            f"{self._endpoint} redirects ({whole.status}) to {whole.redirects_to}, "
            "which does not get the key",
            "set WANDB_BASE_URL to the address of the server itself",
        )

    def _too_many(self, how: str, whole: http.Answer) -> Transient:
        """RateLimit-Reset comes with good answers too, so it is a wish to wait only here."""
        return Transient(
            f"{self._endpoint} limits the rate of requests, {how}",
            RateLimited,
            LOWER_THE_RATE,
            asked_seconds=asked_wait(whole.headers, "RateLimit-Reset"),
        )

    def _not_graphql(self, whole: http.Answer) -> Transient:
        kind = self._endpoint.clean(_media_type(whole), _EXCERPT_LIMIT) or "no content type"
        said = self._endpoint.clean(_text(whole), _EXCERPT_LIMIT)
        return Transient(
            f'{self._endpoint} answered with {kind} that is not from W&B, "{said}"',
            NotWandb,
            _CHECK_ADDRESS,
            tries=self._policy.html_tries,
        )

    def _graphql_errors(self, envelope: dict[str, Any]) -> tuple[GraphQLError, ...]:
        listed = envelope.get("errors")
        entries = listed if isinstance(listed, list) else [listed, envelope.get("error")]
        return tuple(self._graphql_error(entry) for entry in entries if entry)

    def _graphql_error(self, entry: Any) -> GraphQLError:
        if not isinstance(entry, dict):
            return GraphQLError(self._endpoint.clean(str(entry), _MESSAGE_LIMIT))
        message = self._endpoint.clean(str(entry.get("message")), _MESSAGE_LIMIT)
        path = entry.get("path")
        steps = path if isinstance(path, list) else []
        return GraphQLError(message, tuple(s for s in steps if isinstance(s, str | int)))


def _media_type(whole: http.Answer) -> str:
    named: str = whole.headers.get("Content-Type", "")
    return named.partition(";")[0].strip().lower()


def _text(whole: http.Answer) -> str:
    return whole.data[:_SOURCE_LIMIT].decode(errors="replace")

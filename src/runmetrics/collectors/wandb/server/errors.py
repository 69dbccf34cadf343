"""What can go wrong between us and the W&B server.

CredentialRefused (77)   KeyRefused (NobodyLoggedIn), AccessDenied
ConfigurationError (78)  BadDocument, NotFound, Redirected, UnusableConnection
TemporaryError (75)      Unreachable, NotWandb, RateLimited, OutOfTime, ServerFault
  └── ServerFault        SlowAnswer, TooLarge; a smaller document may pass
Stopped (143)            SIGTERM
"""

# ruff: noqa: N818 - an error is named by what happened

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runmetrics.errors import (
    ConfigurationError,
    CredentialRefused,
    ExitCode,
    RunmetricsError,
    TemporaryError,
)

_UNKNOWN_FIELD = re.compile(r"""Cannot query field \\?["'](\w+)\\?["'] on type""")
_UNKNOWN_ARGUMENT = re.compile(
    r"""Unknown argument \\?["'](\w+)\\?["'] on field \\?["'](?:\w+\.)?(\w+)"""
)


@dataclass(frozen=True, slots=True)
class GraphQLError:
    """One entry of an answer's `errors`: what the server says, and the place in `data`."""

    message: str
    path: tuple[str | int, ...] = ()


def unknown_fields(messages: Iterable[str]) -> frozenset[str]:
    """Return the names of the fields that the server says it does not know (an older server)."""
    return frozenset(name for text in messages for name in _UNKNOWN_FIELD.findall(text))


def unknown_arguments(messages: Iterable[str]) -> frozenset[str]:
    """Return the arguments that the server says it does not know, as "field(argument)"."""
    found = (match for text in messages for match in _UNKNOWN_ARGUMENT.findall(text))
    return frozenset(f"{field}({argument})" for argument, field in found)


class KeyRefused(CredentialRefused):
    """The API key is wrong, expired or missing. Trying again cannot help."""


class NobodyLoggedIn(KeyRefused):
    """The key names nobody; what is public can be read with it all the same."""


class AccessDenied(CredentialRefused):
    """The key is good and its account may not read this."""


class BadDocument(ConfigurationError):
    """The server cannot make sense of the document: a filter, a key, or a field it lacks.

    `faults` are its messages, `unknown_fields` the names of the fields it does not know,
    `unknown_arguments` those of arguments, as "field(argument)".
    """

    def __init__(self, cause: str, fix: str, messages: Sequence[str]) -> None:
        super().__init__(cause, fix, messages)
        self.unknown_fields = unknown_fields(messages)
        self.unknown_arguments = unknown_arguments(messages)


class NotFound(ConfigurationError):
    """HTTP 404."""


class Redirected(ConfigurationError):
    """The server points elsewhere; the key goes to one host only."""


class UnusableConnection(ConfigurationError):
    """The address, a proxy variable or a certificate file cannot be used at all."""


class Unreachable(TemporaryError):
    """No connection: refused, no such name, not trusted, or broken before an answer."""


class NotWandb(TemporaryError):
    """Something answers that does not speak as W&B does, such as a proxy's login page."""


class RateLimited(TemporaryError):
    """The server asks for fewer requests, or for a pause that does not fit our time."""


class OutOfTime(TemporaryError):
    """The run's own deadline passed."""


class ServerDown(TemporaryError):
    """The server failed again and again, on small questions too: it is asked nothing more."""


class ServerFault(TemporaryError):
    """The server failed on this document; a smaller one may pass.

    A 5xx, an answer broken off (status 200), or GraphQL errors without data (`errors`).
    """

    def __init__(
        self,
        cause: str,
        fix: str,
        *,
        status: int | None = None,
        errors: tuple[GraphQLError, ...] = (),
    ) -> None:
        super().__init__(cause, fix)
        self.status = status
        self.errors = errors


class SlowAnswer(ServerFault):
    """Connected, but no whole answer in time."""


class TooLarge(ServerFault):
    """The answer, decoded, is over the cap."""


class Stopped(RunmetricsError):
    """SIGTERM: no further request is made."""

    exit_code = ExitCode.TERMINATED

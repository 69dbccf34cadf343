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


def unknown_names(messages: Iterable[str]) -> frozenset[str]:
    """Return the fields and the arguments that an older server does not know by its messages.

    An argument is written "field(argument)".
    """
    said = "\n".join(messages)
    arguments = _UNKNOWN_ARGUMENT.findall(said)
    return frozenset(
        [*_UNKNOWN_FIELD.findall(said), *(f"{field}({argument})" for argument, field in arguments)]
    )


class KeyRefused(CredentialRefused):
    """The API key is wrong, expired or missing. Trying again cannot help."""


class NobodyLoggedIn(KeyRefused):
    """The key names nobody; what is public can be read with it all the same."""


class AccessDenied(CredentialRefused):
    """The key is good and its account may not read this."""


class BadDocument(ConfigurationError):
    """The server cannot make sense of the document: a filter, a key, or a field it lacks.

    `faults` are its messages, `unknown` the fields and arguments that it does not know.
    """

    def __init__(self, cause: str, fix: str, messages: Sequence[str]) -> None:
        super().__init__(cause, fix, messages)
        self.unknown = unknown_names(messages)


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

    A 5xx, an answer broken off, or GraphQL errors without data.
    """


class SlowAnswer(ServerFault):
    """Connected, but no whole answer in time."""


class TooLarge(ServerFault):
    """The answer, decoded, is over the cap."""


class Stopped(RunmetricsError):
    """SIGTERM: no further request is made."""

    exit_code = ExitCode.TERMINATED

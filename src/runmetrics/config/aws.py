"""A key out of AWS Secrets Manager, within ten seconds and with a reason when there is none.

The secret may be the key itself, a JSON object that holds it (under the variable's name, `api_key`,
`key` or `value`, in this order, whatever the case and the dashes), or either of them as binary
UTF-8. Credentials, endpoint and profile are found by botocore, the engine of boto3, which alone
loads 100 ms faster. The only permission needed is secretsmanager:GetSecretValue on the secret
(and kms:Decrypt where it is encrypted with a key of your own).
"""

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from runmetrics.config.rules import clean_key
from runmetrics.deadline import Deadline
from runmetrics.errors import (
    ConfigurationError,
    CredentialRefused,
    RunmetricsError,
    TemporaryError,
)
from runmetrics.logs import excerpt

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

BOUND_SECONDS = 10.0
DEFAULT_REGION = "us-east-1"
ACTION = "secretsmanager:GetSecretValue"

_ATTEMPTS = 3
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidIdentityToken",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_TRY_LATER = {
    "IDPCommunicationError",
    "InternalFailure",
    "InternalServiceError",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}

_T = TypeVar("_T")


class SecretAbsent(Exception):  # noqa: N818 - no failure: the next source is asked
    """There is no such secret, or nobody to ask; the text says which."""


class PermissionMissing(CredentialRefused):
    """A policy does not let us read the secret: what it has to allow, and on which ARN."""

    def __init__(self, cause: str, action: str, resource: str) -> None:
        super().__init__(cause, f"allow {action} on {resource}")
        self.action = action
        self.resource = resource


def fetch_key(
    secret: str, variable: str, deadline: Deadline, *, bound_seconds: float = BOUND_SECONDS
) -> str:
    """The key in the secret `secret` (a name or an ARN), cleaned.

    `variable` is the field's name to look for first in a JSON object. Raises SecretAbsent (no AWS
    credentials, no such secret, marked for deletion), CredentialRefused (no permission, expired
    credentials), TemporaryError (throttled, unreachable, no answer within `bound_seconds` or the
    deadline), ConfigurationError (a value without a key, a broken AWS configuration).
    """
    read, who = partial(_read_value, secret), "AWS Secrets Manager"
    value = _in_time(read, who, bound_seconds, deadline)
    return _key_in(value, secret, variable)


def fetch_identity(deadline: Deadline, *, bound_seconds: float = BOUND_SECONDS) -> str:
    """The ARN that AWS knows us by. No permission is needed for it, but a way to AWS STS.

    Raises what `fetch_key` does.
    """
    return _in_time(_read_identity, "AWS STS", bound_seconds, deadline)


def _in_time(read: Callable[[], _T], who: str, bound_seconds: float, deadline: Deadline) -> _T:
    """What `read` gives or raises; botocore bounds each wait, not their sum, so that only a
    thread can be left behind in time."""
    outcome: list[_T | Exception] = []
    done = threading.Event()

    def work() -> None:
        try:
            outcome.append(read())
        except Exception as exc:  # noqa: BLE001 - raised again where the result is awaited
            outcome.append(exc)
        done.set()

    bound = min(bound_seconds, deadline.remaining())
    removal = deadline.on_stop(done.set)
    try:
        threading.Thread(target=work, name="aws", daemon=True).start()
        done.wait(bound)
    finally:
        removal()
    if not outcome:
        raise TemporaryError(
            f"{who} did not answer within {bound:.3g} s",
            "the next run may have more luck; check the network, AWS_ENDPOINT_URL and the proxy",
        )
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _read_value(secret: str) -> str | bytes:
    with _client("secretsmanager", secret) as client:
        answer: dict[str, Any] = client.get_secret_value(SecretId=secret)
    value: str | bytes = answer.get("SecretString") or answer.get("SecretBinary") or ""
    return value


def _read_identity() -> str:
    with _client("sts") as client:
        return str(client.get_caller_identity()["Arn"])


@contextmanager
def _client(service: str, secret: str = "") -> Iterator[Any]:
    """botocore's client of a service; what goes wrong with it comes out in our words."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from botocore.session import get_session

    session = get_session()
    # For the session, so that it holds for STS too, which exchanges a pod's token.
    session.set_default_client_config(
        Config(
            connect_timeout=3,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        )
    )
    region = DEFAULT_REGION
    try:
        region = _region(secret, session.get_config_variable("region"))
        with closing(session.create_client(service, region_name=region)) as client:
            yield client
    except ClientError as exc:
        raise _explained(exc, secret, region) from None
    except (BotoCoreError, ResponseParserError) as exc:
        raise _explained_without_answer(exc) from None
    except (OSError, ValueError) as exc:  # a token file or an endpoint that is not one
        raise ConfigurationError(
            f"the AWS configuration cannot be used: {excerpt(str(exc), 200)}",
            "correct the AWS_* variables or the AWS configuration file",
        ) from None


def _region(secret: str, configured: str | None) -> str:
    parts = secret.split(":")
    in_arn = parts[3] if secret.startswith("arn:") and len(parts) > 6 else None
    return in_arn or configured or os.environ.get("AWS_REGION") or DEFAULT_REGION


def _explained(error: "ClientError", secret: str, region: str) -> Exception:
    """What AWS answered, in our words."""
    code = error.response.get("Error", {}).get("Code", "")
    said = error.response.get("Error", {}).get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    shown = f"AWS secret {secret}"
    if error.operation_name != "GetSecretValue":  # STS, on the way to credentials
        if code in _TRY_LATER or status >= 500:
            return _try_later(f"AWS {error.operation_name}", code)
        return CredentialRefused(
            f"AWS refused {error.operation_name} ({code})",
            "check the role's ARN and its trust policy, and that the token is fresh",
        )
    if code == "ResourceNotFoundException":
        return SecretAbsent(f"there is no such secret in {region}")
    if code == "InvalidRequestException" and re.search(r"\bmarked\b.*\bdelet", said):
        return SecretAbsent("it is marked for deletion")
    if code == "DecryptionFailure" or (code.startswith("AccessDenied") and "KMS" in said):
        return CredentialRefused(
            f"{shown} cannot be decrypted with its KMS key ({code})",
            "allow kms:Decrypt on that key, and see that the key is enabled",
        )
    if code.startswith("AccessDenied"):
        return PermissionMissing(
            f"AWS refused to let {_principal(said)} read the secret {secret} ({code})",
            *(ACTION, _arn(secret, region, said)),
        )
    if code in _BAD_CREDENTIALS:
        return CredentialRefused(
            f"AWS refused the credentials ({code})",
            "renew them (`aws sso login`, a fresh session token), and check the clock",
        )
    if code in _TRY_LATER or status >= 500 or status == 429:
        return _try_later("AWS Secrets Manager", code)
    return ConfigurationError(
        f"{shown} cannot be read ({code}: {excerpt(said, 200)})",
        "correct RUNMETRICS_WANDB_SECRET or RUNMETRICS_DATADOG_SECRET, or the secret",
    )


def _try_later(who: str, code: str) -> RunmetricsError:
    return TemporaryError(
        f"{who} cannot serve us now ({code}, {_ATTEMPTS} tries)", "the next run may succeed"
    )


def _explained_without_answer(error: Exception) -> Exception:
    """What stopped botocore before there was an answer, in our words."""
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    kind = type(error).__name__
    if isinstance(error, aws.NoCredentialsError):
        return SecretAbsent("no AWS credentials")
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError | aws.UnauthorizedSSOTokenError):
        return CredentialRefused(
            f"the AWS login has expired or is missing ({kind})", "run `aws sso login`"
        )
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError | ResponseParserError):
        return TemporaryError(
            f"AWS cannot be reached ({kind}: {excerpt(str(error), 200)})",
            "check the network, AWS_ENDPOINT_URL and the proxy; the next run may succeed",
        )
    if isinstance(error, aws.CredentialRetrievalError | aws.MetadataRetrievalError):
        return TemporaryError(
            f"AWS credentials cannot be fetched ({kind}: {excerpt(str(error), 200)})",
            "check the pod's or the machine's role; the next run may succeed",
        )
    return ConfigurationError(
        f"the AWS configuration cannot be used ({kind}: {excerpt(str(error), 200)})",
        "correct the AWS_* variables or the AWS configuration file",
    )


def _principal(said: str) -> str:
    found = re.search(r"User: (arn:\S+)", said)
    return found[1] if found else "this identity"


def _arn(secret: str, region: str, said: str) -> str:
    """The secret's ARN for a policy; AWS adds six characters of its own to a name."""
    if secret.startswith("arn:"):
        return secret
    named = re.search(r"on resource: (arn:[\w.:/+=@!?*-]+)", said)
    if named:
        return named[1]
    who = re.search(r"arn:([\w-]+):\w+::(\d+):", said)
    partition, account = (who[1], who[2]) if who else ("aws", "*")
    return f"arn:{partition}:secretsmanager:{region}:{account}:secret:{secret}-??????"


def _key_in(value: str | bytes, secret: str, variable: str) -> str:
    shown = f"AWS secret {secret}"
    fix = f"store the key as plain text, or as JSON under {variable}"
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigurationError(f"{shown} is binary, but not UTF-8 text", fix) from None
    text = value.strip().strip("\ufeff").strip()
    if text.startswith("{"):
        text = _field_of(text, shown, variable, fix)
    try:
        return clean_key(text)
    except ValueError as exc:
        raise ConfigurationError(f"{shown} {exc}", fix) from None


def _field_of(text: str, shown: str, variable: str, fix: str) -> str:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{shown} looks like JSON but is not", fix) from None
    fields = {re.sub(r"[-_ ]", "", name).lower(): field for name, field in content.items()}
    for name in (variable, "api_key", "key", "value"):
        field = fields.get(name.replace("_", "").lower())
        if isinstance(field, str) and field.strip():
            return field
    raise ConfigurationError(
        f"{shown} is JSON without a text in {variable}, api_key, key or value", fix
    )

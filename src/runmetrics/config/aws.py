"""A key out of AWS Secrets Manager, within ten seconds and with a reason when there is none.

Credentials, endpoint and profile are found by botocore, the engine of boto3, which alone loads
100 ms faster. The only permission needed is secretsmanager:GetSecretValue on the secret (and
kms:Decrypt where it is encrypted with a key of your own). Nobody is ever asked for anything.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from importlib import import_module
from typing import Any, NoReturn, TypeVar

from runmetrics.config.aws_errors import ATTEMPTS, mfa_needed, of_answer, without_answer
from runmetrics.config.aws_secret import SecretName, key_in
from runmetrics.deadline import Deadline
from runmetrics.errors import TemporaryError

_DEFAULT_REGION = "us-east-1"
_MOST_SECONDS = 10.0
_NO_SECRET = SecretName("")
_T = TypeVar("_T")


def fetch_key(secret: str, variable: str, deadline: Deadline) -> str:
    """Return the key in the secret `secret` (a name or an ARN), cleaned.

    `variable` is the field's name to look for first in a JSON object. Raises SecretAbsent (no AWS
    credentials, no such secret, marked for deletion), AwsUnusable (a profile that is broken or
    needs a person), CredentialRefused (no permission, expired credentials), TemporaryError
    (throttled, unreachable, no answer in time), ConfigurationError (a value without a key).
    """
    name = SecretName(secret)
    value = _in_time(partial(_read_value, name), "AWS Secrets Manager", deadline)
    return key_in(value, name, variable)


def fetch_identity(deadline: Deadline) -> str:
    """Return the ARN that AWS knows us by. No permission is needed for it, but a way to AWS STS.

    Raises what `fetch_key` does.
    """
    return _in_time(_read_identity, "AWS STS", deadline)


def _in_time(read: Callable[[], _T], who: str, deadline: Deadline) -> _T:
    """Return what `read` gives, or raise what it raises.

    botocore bounds each wait, not their sum, so that only a thread can be left behind in time.
    """
    # A throttled pod loads it for seconds, which are no seconds that AWS did not answer in.
    import_module("botocore.session")
    outcome: list[_T | Exception] = []
    done = threading.Event()

    def work() -> None:
        try:
            outcome.append(read())
        except Exception as exc:  # noqa: BLE001 - raised again where the result is awaited
            outcome.append(exc)
        done.set()

    bound = min(_MOST_SECONDS, deadline.remaining())
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


def _read_value(secret: SecretName) -> str | bytes:
    with _client("secretsmanager", secret) as client:
        answer: dict[str, Any] = client.get_secret_value(SecretId=secret.id, **secret.version)
    value: str | bytes = answer.get("SecretString") or answer.get("SecretBinary") or ""
    return value


def _read_identity() -> str:
    with _client("sts") as client:
        return str(client.get_caller_identity()["Arn"])


@contextmanager
def _client(service: str, secret: SecretName = _NO_SECRET) -> Iterator[Any]:
    """Make botocore's client of a service; what goes wrong with it comes out in our words."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from botocore.session import get_session

    # It logs what it raises too, with a traceback.
    logging.getLogger("botocore").setLevel(logging.CRITICAL)
    session = get_session()
    profile = session.get_config_variable("profile") or "default"

    def never_prompt(_question: str) -> NoReturn:
        raise mfa_needed(profile)

    # For the session, so that it holds for STS too, which exchanges a pod's token.
    session.set_default_client_config(
        Config(
            connect_timeout=3,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        )
    )
    region = _DEFAULT_REGION
    try:
        chain = session.get_component("credential_provider")
        # The only way to keep botocore from asking for an MFA code by getpass.
        chain.get_provider("assume-role")._prompter = never_prompt
        configured = session.get_config_variable("region") or os.environ.get("AWS_REGION")
        region = secret.region or configured or _DEFAULT_REGION
        with closing(session.create_client(service, region_name=region)) as client:
            yield client
    except ClientError as exc:
        raise of_answer(exc, secret, region, _partition(session, region)) from None
    except (BotoCoreError, ResponseParserError, OSError, ValueError) as exc:
        raise without_answer(exc, profile) from None


def _partition(session: Any, region: str) -> str:
    """Return "aws", "aws-cn", "aws-us-gov" ...: the second part of every ARN of a region."""
    from botocore.exceptions import UnknownRegionError

    try:
        return str(session.get_partition_for_region(region))
    except UnknownRegionError:  # newer than this botocore
        return "aws"

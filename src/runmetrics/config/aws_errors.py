"""What AWS answered, or what stopped its client before an answer, in our words."""

import json
import re
from typing import TYPE_CHECKING

from runmetrics.config.aws_secret import SecretName
from runmetrics.errors import ConfigurationError, CredentialRefused, RunmetricsError, TemporaryError
from runmetrics.logs import excerpt

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

ATTEMPTS = 3

_ACTION = "secretsmanager:GetSecretValue"

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


class SecretAbsent(Exception):  # noqa: N818 - no failure: the next source is asked
    """There is no such secret, or nobody to ask; the text says which."""


class AwsUnusable(ConfigurationError):  # noqa: N818 - it is what AWS is here
    """What AWS has here cannot be used: a profile that is missing, broken or needs a person.

    Whoever asked AWS only because it might have a key goes on without it.
    """


class PermissionMissing(CredentialRefused):
    """A policy does not let us read the secret; `statement` is the JSON that it lacks."""

    def __init__(self, cause: str, arn: str) -> None:
        super().__init__(cause, f"allow {_ACTION} on {arn}")
        self.statement = json.dumps({"Effect": "Allow", "Action": _ACTION, "Resource": arn})


def mfa_needed(profile: str) -> AwsUnusable:
    """Return the error for a profile whose role asks for a code: nobody is there to type one."""
    return AwsUnusable(
        f'the AWS profile "{profile}" needs an MFA code',
        "export the credentials of a session (`aws sts get-session-token`), or use another profile",
    )


def of_answer(error: "ClientError", secret: SecretName, region: str, partition: str) -> Exception:
    """Return what AWS answered as an error of ours."""
    code = error.response.get("Error", {}).get("Code", "")
    said = error.response.get("Error", {}).get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    shown = f"AWS secret {secret.text}"
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
            f"AWS refused to let {_principal(said)} read the secret {secret.text} ({code})",
            _arn(secret, region, partition, said),
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


def without_answer(error: Exception, profile: str) -> Exception:
    """Return what stopped botocore before there was an answer as an error of ours."""
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    said = excerpt(str(error), 200)
    named = f'the AWS profile "{profile}"'
    other = "or use another profile"
    login_errors = getattr(aws, "LoginError", ())  # of botocore since 1.41
    if isinstance(error, aws.NoCredentialsError):
        return SecretAbsent("no AWS credentials")
    if isinstance(error, aws.ProfileNotFound):
        fix = "correct or unset AWS_PROFILE"
        return AwsUnusable(f"{named} is in no AWS configuration file", fix)
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError):
        return AwsUnusable(
            f"{named} is not signed in, or no longer", f"run `aws sso login`, {other}"
        )
    if isinstance(error, login_errors):
        return AwsUnusable(f"{named} is not signed in, or no longer", f"run `aws login`, {other}")
    if isinstance(error, aws.MissingDependencyException):
        fix = f"install botocore[crt], {other}"
        return AwsUnusable(f"{named} signs in by `aws login`, which needs botocore[crt]", fix)
    if isinstance(error, aws.PartialCredentialsError | aws.InvalidConfigError):
        return AwsUnusable(f"{named} is broken ({said})", "correct it, or unset AWS_PROFILE")
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError | ResponseParserError):
        return TemporaryError(
            f"AWS cannot be reached ({said})",
            "check the network, AWS_ENDPOINT_URL and the proxy; the next run may succeed",
        )
    if isinstance(error, aws.CredentialRetrievalError | aws.MetadataRetrievalError):
        return TemporaryError(
            f"AWS credentials cannot be fetched ({said})",
            "check the pod's or the machine's role; the next run may succeed",
        )
    # also OSError and ValueError: a token file or an endpoint that is not one
    return AwsUnusable(
        f"the AWS configuration cannot be used ({said})",
        "correct the AWS_* variables or the AWS configuration file",
    )


def _try_later(who: str, code: str) -> RunmetricsError:
    return TemporaryError(
        f"{who} cannot serve us now ({code}, {ATTEMPTS} tries)", "the next run may succeed"
    )


def _principal(said: str) -> str:
    found = re.search(r"User: (arn:\S+)", said)
    return found[1] if found else "this identity"


def _arn(secret: SecretName, region: str, partition: str, said: str) -> str:
    """Return the secret's ARN for a policy; AWS adds six characters of its own to a name."""
    if secret.id.startswith("arn:"):
        return secret.id
    named = re.search(r"on resource: (arn:[\w.:/+=@!?*-]+)", said)
    if named:
        return named[1]
    who = re.search(r"arn:([\w-]+):\w+::(\d+):", said)
    partition, account = (who[1], who[2]) if who else (partition, "*")
    return f"arn:{partition}:secretsmanager:{region}:{account}:secret:{secret.id}-??????"

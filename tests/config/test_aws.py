"""AWS Secrets Manager: what is in the secret, and every way of not getting it (rows A1-A6)."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from runmetrics.config.aws import fetch_key
from runmetrics.config.aws_errors import AwsUnusable, SecretAbsent
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, CredentialRefused, RunmetricsError, TemporaryError
from runmetrics.sandbox.http import Fault, LoopbackServer, Request, Response

KEY = "canary-key-0123456789"
SECRET = "wandb/api-key"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:wandb/api-key-AbCdEf"
VERSION = "3d5c1e0a-7d21-4f5f-8f0e-6d3f2f6a9b10"
ROLE = "arn:aws:sts::123456789012:assumed-role/collector/pod"


def fetch(secret: str = SECRET) -> str:
    return fetch_key(secret, "WANDB_API_KEY", Deadline(60))


def failure(kind: type[RunmetricsError], secret: str = SECRET) -> str:
    with pytest.raises(kind) as caught:
        fetch(secret)
    assert KEY not in str(caught.value)
    return str(caught.value)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-aws-secret")


@contextmanager
def aws(monkeypatch: pytest.MonkeyPatch, *answers: Response) -> Iterator[LoopbackServer]:
    """Secrets Manager on loopback: gives `answers` in order, and the last one from then on."""
    left = list(answers)

    def handler(_request: Request) -> Response:
        return left.pop(0) if len(left) > 1 else left[0]

    with LoopbackServer(handler) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


def refusal(code: str, message: str, status: int = 400) -> Response:
    body = json.dumps({"__type": code, "Message": message}).encode()
    return Response(status, body, content_type="application/x-amz-json-1.1")


def holding(text: str) -> Response:
    body = json.dumps({"SecretString": text}).encode()
    return Response(200, body, content_type="application/x-amz-json-1.1")


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"\ufeff {KEY}\r\n",
        json.dumps({"key": "other", "WANDB_API_KEY": f"{KEY}\n", "entity": "acme"}),
        json.dumps({"value": "other", "apiKey": KEY}),
        json.dumps({"value": "other", "Key": KEY}),
        "\ufeff" + json.dumps({"value": KEY, "api_key": ""}),
    ],
)
def test_a4_the_key_is_found_plain_and_in_json(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with aws(monkeypatch, holding(text)):
        assert fetch() == KEY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            json.dumps({"token": KEY, "key": 7, "value": None}),
            (
                "AWS secret wandb/api-key is JSON without a text in "
                "WANDB_API_KEY, api_key, key or value: "
            ),
        ),
        ('{"key": "' + KEY, "AWS secret wandb/api-key looks like JSON but is not: "),
        ("  \n", "AWS secret wandb/api-key is empty: "),
        (
            f"{KEY} {KEY}",
            (
                "AWS secret wandb/api-key holds white space, a line end or another character "
                "that no key has: "
            ),
        ),
    ],
)
def test_a4_a_secret_without_a_key_says_what_is_missing_and_nothing_else(
    text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix = "store the key as plain text, or as JSON under WANDB_API_KEY"
    with aws(monkeypatch, holding(text)):
        assert failure(ConfigurationError) == message + fix


def test_a4_binary_is_read_as_utf8_from_a_secret_by_name_and_by_arn() -> None:
    with mock_aws():
        manager = boto3.client("secretsmanager", region_name="eu-west-1")
        arn = manager.create_secret(Name="mine", SecretBinary=f"{KEY}\n".encode())["ARN"]
        manager.create_secret(Name="junk", SecretBinary=b"\xff\xfe\x00")
        home = boto3.client("secretsmanager", region_name="us-east-1")
        home.create_secret(Name="json", SecretBinary=json.dumps({"api_key": KEY}).encode())

        assert fetch(arn) == KEY  # the ARN's own region, though none is set
        assert fetch("json") == KEY  # us-east-1 where none is set
        assert failure(ConfigurationError, arn.replace("mine", "junk").rsplit("-", 1)[0]) == (
            f"AWS secret {arn.replace('mine', 'junk').rsplit('-', 1)[0]} is binary, "
            "but not UTF-8 text: store the key as plain text, or as JSON under WANDB_API_KEY"
        )


def test_a2_a_missing_secret_and_a_deleted_one_are_absent() -> None:
    with mock_aws():
        manager = boto3.client("secretsmanager", region_name="us-east-1")
        manager.create_secret(Name="deleted", SecretString=KEY)
        manager.delete_secret(SecretId="deleted", RecoveryWindowInDays=7)

        with pytest.raises(SecretAbsent, match=r"^there is no such secret in us-east-1$"):
            fetch("missing")
        with pytest.raises(SecretAbsent, match=r"^it is marked for deletion$"):
            fetch("deleted")


@pytest.mark.parametrize("variable", ["AWS_DEFAULT_REGION", "AWS_REGION"])
def test_the_region_that_is_set_is_asked(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "eu-central-1")
    missing = refusal("ResourceNotFoundException", "Secrets Manager can't find it.")
    with (
        aws(monkeypatch, missing),
        pytest.raises(SecretAbsent, match=r"^there is no such secret in eu-central-1$"),
    ):
        fetch()


@pytest.mark.parametrize(
    ("secret", "said", "message"),
    [
        (
            SECRET,
            (
                f"User: {ROLE} is not authorized to perform: secretsmanager:GetSecretValue "
                "on resource: wandb/api-key because no identity-based policy allows it"
            ),
            (
                f"AWS refused to let {ROLE} read the secret wandb/api-key (AccessDeniedException): "
                "allow secretsmanager:GetSecretValue on "
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:wandb/api-key-??????"
            ),
        ),
        (
            ARN,
            "Access denied",
            (
                f"AWS refused to let this identity read the secret {ARN} (AccessDeniedException): "
                f"allow secretsmanager:GetSecretValue on {ARN}"
            ),
        ),
    ],
)
def test_a1_access_denied_names_the_action_and_the_arn(
    secret: str, said: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with aws(monkeypatch, refusal("AccessDeniedException", said)) as server:
        assert failure(CredentialRefused, secret) == message
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text."),
        ("AccessDeniedException", "Access to KMS is not allowed"),
    ],
)
def test_a6_a_kms_key_that_refuses_is_named_as_such(
    code: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with aws(monkeypatch, refusal(code, said)):
        assert failure(CredentialRefused) == (
            f"AWS secret wandb/api-key cannot be decrypted with its KMS key ({code}): "
            "allow kms:Decrypt on that key, and see that the key is enabled"
        )


@pytest.mark.parametrize(
    ("code", "status"), [("ThrottlingException", 400), ("InternalServiceError", 500)]
)
def test_a3_throttling_and_internal_errors_are_temporary_after_three_tries(
    code: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = time.monotonic()
    with aws(monkeypatch, refusal(code, "Rate exceeded", status)) as server:
        assert failure(TemporaryError) == (
            f"AWS Secrets Manager cannot serve us now ({code}, 3 tries): the next run may succeed"
        )
    assert len(server.requests) == 3
    assert time.monotonic() - started < 10


def test_a3_a_try_that_succeeds_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with aws(monkeypatch, refusal("ThrottlingException", "Rate exceeded"), holding(KEY)):
        assert fetch() == KEY


def test_a3_an_answer_that_never_comes_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    with aws(monkeypatch, holding(KEY)) as server:
        server.misbehave(Fault(silent=True))
        monkeypatch.setattr("runmetrics.config.aws._MOST_SECONDS", 1.0)
        assert failure(TemporaryError) == (
            "AWS Secrets Manager did not answer within 1 s: the next run may have more luck; "
            "check the network, AWS_ENDPOINT_URL and the proxy"
        )


def test_a3_the_seconds_of_aws_begin_when_botocore_is_loaded() -> None:
    """A throttled pod loads it for seconds."""
    program = """
import sys
from runmetrics.config import aws
from runmetrics.deadline import Deadline
aws._read_value = lambda _secret: str("botocore.session" in sys.modules)
print("botocore.session" in sys.modules, aws.fetch_key("s", "V", Deadline(60)))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True
    )
    assert ended.stdout.split() == ["False", "True"]


def test_stopping_the_run_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline(60)
    with aws(monkeypatch, holding(KEY)) as server:

        def stop_and_hang(_request: Request) -> Fault:
            deadline.stop(grace=0)
            return Fault(silent=True)

        server.fault_for = stop_and_hang
        started = time.monotonic()
        with pytest.raises(TemporaryError):
            fetch_key(SECRET, "WANDB_API_KEY", deadline)
    assert time.monotonic() - started < 5


def test_an_endpoint_nobody_listens_at_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert failure(TemporaryError) == (
        "AWS cannot be reached ("
        'Could not connect to the endpoint URL: "http://127.0.0.1:9/"): '
        "check the network, AWS_ENDPOINT_URL and the proxy; the next run may succeed"
    )


def test_a5_without_credentials_there_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(SecretAbsent, match=r"^no AWS credentials$"):
        fetch()


def test_a5_a_metadata_service_that_is_silent_is_given_one_try_of_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    with LoopbackServer(lambda _request: Response()) as metadata:
        metadata.fault_for = lambda _request: Fault(silent=True)
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url)
        with pytest.raises(SecretAbsent, match=r"^no AWS credentials$"):
            fetch()
    assert [request.method for request in metadata.requests] == ["PUT", "GET"]


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
def test_a5_credentials_that_expired_or_are_unknown_are_refused(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with aws(monkeypatch, refusal(code, "The security token included is invalid")):
        assert failure(CredentialRefused) == (
            f"AWS refused the credentials ({code}): "
            "renew them (`aws sso login`, a fresh session token), and check the clock"
        )


def test_a5_a_pod_whose_role_does_not_trust_it_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("canary.token.value")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/collector")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    denied = (
        b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
        b"<Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message>"
        b"</Error></ErrorResponse>"
    )
    with aws(monkeypatch, Response(403, denied, content_type="text/xml")):
        assert failure(CredentialRefused) == (
            "AWS refused AssumeRoleWithWebIdentity (AccessDenied): "
            "check the role's ARN and its trust policy, and that the token is fresh"
        )


def test_an_endpoint_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    assert failure(AwsUnusable) == (
        "the AWS configuration cannot be used (Invalid endpoint: nonsense): "
        "correct the AWS_* variables or the AWS configuration file"
    )


CONFIG = """
[default]
role_arn = arn:aws:iam::123456789012:role/admin
source_profile = base
mfa_serial = arn:aws:iam::123456789012:mfa/ann
[profile base]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = canary-aws-secret
[profile nested]
role_arn = arn:aws:iam::123456789012:role/other
source_profile = default
[profile loop]
role_arn = arn:aws:iam::123456789012:role/loop
source_profile = nowhere
[profile half]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
[profile sso]
sso_session = work
sso_account_id = 123456789012
sso_role_name = reader
[sso-session work]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-west-1
[profile browser]
login_session = arn:aws:iam::123456789012:user/ann
"""


@pytest.fixture
def profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Profiles of all kinds, and no credentials in the environment."""
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(CONFIG)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("", (
            'the AWS profile "default" needs an MFA code: export the credentials of a session '
            "(`aws sts get-session-token`), or use another profile"
        )),
        ("nested", (
            'the AWS profile "nested" needs an MFA code: export the credentials of a session '
            "(`aws sts get-session-token`), or use another profile"
        )),
        ("staging", (
            'the AWS profile "staging" is in no AWS configuration file: '
            "correct or unset AWS_PROFILE"
        )),
        ("loop", (
            'the AWS profile "loop" is broken (The source_profile "nowhere" referenced in the '
            'profile "loop" does not exist.): correct it, or unset AWS_PROFILE'
        )),
        ("half", (
            'the AWS profile "half" is broken (Partial credentials found in config-file, '
            "missing: aws_secret_access_key): correct it, or unset AWS_PROFILE"
        )),
        ("sso", (
            'the AWS profile "sso" is not signed in, or no longer: '
            "run `aws sso login`, or use another profile"
        )),
        ("browser", (
            'the AWS profile "browser" signs in by `aws login`, which needs botocore[crt]: '
            "install botocore[crt], or use another profile"
        )),
    ],
)  # fmt: skip
def test_a5_a_profile_that_cannot_be_used_is_named_and_nobody_is_asked_for_anything(
    profile: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    with aws(monkeypatch, holding(KEY)) as server:
        assert failure(AwsUnusable) == message
    assert server.requests == []
    assert [record.name for record in caplog.records if record.levelname != "DEBUG"] == []


def test_a_file_of_profiles_that_cannot_be_parsed_is_said() -> None:
    Path(os.environ["AWS_CONFIG_FILE"]).write_text("nonsense")
    said = failure(AwsUnusable)
    assert said.startswith("the AWS configuration cannot be used (Unable to parse config file: ")


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn", "aws-eusc"])
def test_an_arn_of_every_partition_is_taken(
    partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = f"arn:{partition}:secretsmanager:xx-new-1:123456789012:secret:a/b-AbCdEf"
    secret = Settings.load(environ={"RUNMETRICS_WANDB_SECRET": arn}, env_file=Path("none"))
    with aws(monkeypatch, holding(KEY)) as server:
        assert fetch(secret.wandb_secret) == KEY
    (request,) = server.requests
    assert "/xx-new-1/secretsmanager/" in request.headers["authorization"]
    assert json.loads(request.body) == {"SecretId": arn}


@pytest.mark.parametrize(
    ("rest", "text", "asked"),
    [
        (":THE_KEY::", json.dumps({"THE_KEY": KEY, "key": "other"}), {}),
        ("::AWSPREVIOUS:", KEY, {"VersionStage": "AWSPREVIOUS"}),
        ("::", KEY, {}),
        (f":key::{VERSION}", json.dumps({"key": KEY}), {"VersionId": VERSION}),
    ],
)
def test_what_ecs_lets_follow_an_arn_chooses_field_and_version(
    rest: str, text: str, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"RUNMETRICS_WANDB_SECRET": f"{ARN}{rest}"}
    secret = Settings.load(environ=environ, env_file=Path("none")).wandb_secret
    with aws(monkeypatch, holding(text)) as server:
        assert fetch(secret) == KEY
    assert json.loads(server.requests[0].body) == {"SecretId": ARN, **asked}


def test_a_field_that_is_not_in_the_secret_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with aws(monkeypatch, holding(json.dumps({"key": KEY})), holding(KEY)):
        assert failure(ConfigurationError, f"{ARN}:THE_KEY::") == (
            f"AWS secret {ARN}:THE_KEY:: is JSON without a text in THE_KEY: "
            "store the key as plain text, or as JSON under THE_KEY"
        )
        assert failure(ConfigurationError, f"{ARN}:THE_KEY::") == (
            f"AWS secret {ARN}:THE_KEY:: is no JSON object with THE_KEY: "
            "store the key as plain text, or as JSON under THE_KEY"
        )


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("eu-west-1", "aws")],
)
def test_a1_the_policy_names_the_partition_of_the_region(
    region: str, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    with aws(monkeypatch, refusal("AccessDeniedException", "no")):
        assert failure(CredentialRefused).endswith(
            f"on arn:{partition}:secretsmanager:{region}:*:secret:wandb/api-key-??????"
        )

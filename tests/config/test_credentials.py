"""Finding the keys: the order of the sources, and what each says when it has none."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runmetrics.config.credentials import ApiKey, find_datadog_key, find_wandb_key
from runmetrics.config.settings import Settings
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError, CredentialRefused, TemporaryError
from runmetrics.logs import redact
from runmetrics.sandbox.http import LoopbackServer, Response

KEY = "canary0123456789" * 3
OTHER_KEY = "other0123456789x" * 3


def secrets_manager(monkeypatch: pytest.MonkeyPatch, status: int, **answer: str) -> LoopbackServer:
    body = json.dumps(answer).encode()
    server = LoopbackServer(lambda _request: Response(status, body))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-aws-secret")
    return server


def value(key: ApiKey) -> str:
    return key.value.get_secret_value()


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


def test_the_environment_comes_first_and_nobody_else_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with secrets_manager(monkeypatch, 200, SecretString=OTHER_KEY) as aws:
        wandb = find_wandb_key(settings(wandb_api_key=KEY), Deadline(60))
        datadog = find_datadog_key(settings(dd_api_key=KEY), Deadline(60))

    assert (value(wandb), wandb.source, wandb.base_url) == (KEY, "WANDB_API_KEY", None)
    assert (value(datadog), datadog.source) == (KEY, "DD_API_KEY")
    assert aws.requests == []


def test_a_mounted_file_comes_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    with secrets_manager(monkeypatch, 200, SecretString=OTHER_KEY) as aws:
        key = find_datadog_key(settings(dd_api_key_file=file), Deadline(60))

    assert (value(key), key.source) == (KEY, "DD_API_KEY_FILE")
    assert aws.requests == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"\n", "is empty"),
        (b"\xff", "is not UTF-8 text"),
        (
            f"{KEY}\n{KEY}".encode(),
            ("holds white space, a line end or another character that no key has"),
        ),
    ],
)
def test_h9_a_mounted_file_without_a_key_is_a_fault(
    content: bytes | None, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        find_wandb_key(settings(wandb_api_key_file=file), Deadline(60))
    assert str(caught.value) == (
        f"WANDB_API_KEY_FILE: {file} {reason}: put the key alone into that file"
    )


def test_a_key_file_that_never_ends_is_refused_for_its_size() -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_wandb_key(settings(wandb_api_key_file=Path("/dev/zero")), Deadline(60))

    assert str(caught.value) == (
        "WANDB_API_KEY_FILE: /dev/zero cannot be read (it holds more than 65,536 bytes): "
        "put the key alone into that file"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f'"{KEY}"', "holds quotes around the key"),
        (f"'{KEY}'\n", "holds quotes around the key"),
        (f"DD_API_KEY={KEY}\n", "holds NAME=key, not the key alone"),
        (f"export DD_API_KEY={KEY}", "holds NAME=key, not the key alone"),
    ],
)
def test_h9_a_key_in_quotes_or_behind_its_name_is_said_to_be_so(
    content: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(ConfigurationError) as of_file:
        find_datadog_key(settings(dd_api_key_file=file), Deadline(60))
    with pytest.raises(ConfigurationError) as of_variable:
        Settings.load(environ={"DD_API_KEY": content}, env_file=tmp_path / "none")
    with (
        secrets_manager(monkeypatch, 200, SecretString=content),
        pytest.raises(ConfigurationError) as of_aws,
    ):
        find_datadog_key(settings(), Deadline(60))

    assert str(of_file.value) == (
        f"DD_API_KEY_FILE: {file} {reason}: put the key alone into that file"
    )
    assert of_variable.value.faults == (
        f"DD_API_KEY: {reason}: set it to the key alone, or unset it",
    )
    assert str(of_aws.value) == (
        f"AWS secret datadog/api-key {reason}: "
        "store the key as plain text, or as JSON under DD_API_KEY"
    )


def test_a_key_may_end_in_equals_signs() -> None:
    assert find_datadog_key(settings(dd_api_key="abc0123456=="), Deadline(60)).source


def loaded(tmp_path: Path, dotenv: str, **environ: str) -> Settings:
    file = tmp_path / ".env"
    file.write_text(dotenv)
    return Settings.load(environ=environ, env_file=file)


@pytest.mark.parametrize(
    ("host", "variable", "service"),
    [("WANDB_BASE_URL", "WANDB_API_KEY", "W&B"), ("DD_URL", "DD_API_KEY", "Datadog")],
)
def test_a_host_of_the_env_file_gets_no_key_but_one_from_there(
    host: str, variable: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = find_wandb_key if service == "W&B" else find_datadog_key
    dotenv = f"{host}=https://elsewhere.example\n"
    mounted = tmp_path / "mounted"
    mounted.write_text(OTHER_KEY)
    with secrets_manager(monkeypatch, 200, SecretString=OTHER_KEY) as aws:
        together = loaded(tmp_path, f"{dotenv}{variable}={KEY}\n")
        assert value(find(together, Deadline(60))) == KEY
        for alone in (
            loaded(tmp_path, dotenv, **{variable: OTHER_KEY}),
            loaded(tmp_path, dotenv, **{f"{variable}_FILE": str(mounted)}),
            loaded(tmp_path, f"{dotenv}{variable}_FILE={mounted}\n"),
            loaded(tmp_path, dotenv),
        ):
            with pytest.raises(ConfigurationError) as caught:
                find(alone, Deadline(60))
            assert caught.value.faults[0] == f"{host} in .env: gets no key from elsewhere"
            assert str(caught.value).startswith(f"no {service} API key found ({host} in .env: ")
            assert f"set {host} in the environment, or {variable} in .env too" in str(caught.value)
    assert aws.requests == []


def test_a_host_of_the_environment_gets_the_key_of_the_env_file(tmp_path: Path) -> None:
    both = loaded(tmp_path, f"DD_API_KEY={KEY}\n", DD_URL="https://proxy.example")
    assert value(find_datadog_key(both, Deadline(60))) == KEY


def test_an_aws_secret_comes_third_and_its_key_is_hidden_from_logs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with secrets_manager(monkeypatch, 200, SecretString=json.dumps({"DD_API_KEY": KEY})):
        key = find_datadog_key(settings(datadog_secret="prod/dd"), Deadline(60))

    assert (value(key), key.source) == (KEY, "AWS secret prod/dd")
    assert KEY not in repr(key)
    assert redact(f"sent {KEY}") == "sent ***"


def test_a_rotated_secret_is_found_by_asking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with secrets_manager(monkeypatch, 200, SecretString=OTHER_KEY) as aws:
        first = find_datadog_key(settings(), Deadline(60))
        aws.handler = lambda _request: Response(body=json.dumps({"SecretString": KEY}).encode())
        second = find_datadog_key(settings(), Deadline(60))
    assert (value(first), value(second)) == (OTHER_KEY, KEY)


def test_a5_a_profile_that_cannot_be_used_is_passed_over_unless_aws_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "staging")
    with pytest.raises(ConfigurationError) as by_default:
        find_datadog_key(settings(), Deadline(60))
    with pytest.raises(ConfigurationError) as asked_for:
        find_datadog_key(settings(datadog_secret="prod/dd"), Deadline(60))

    staging = 'the AWS profile "staging" is in no AWS configuration file'
    assert by_default.value.faults[-1] == f"AWS secret datadog/api-key: {staging}"
    assert [record.message for record in caplog.records] == [
        (
            f"AWS secret datadog/api-key was not asked for DD_API_KEY: {staging}: "
            "correct or unset AWS_PROFILE"
        )
    ]
    assert str(asked_for.value) == f"{staging}: correct or unset AWS_PROFILE"


def test_a1_a_refusal_of_aws_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"__type": "AccessDeniedException", "Message": "no"}
    log_in(KEY)
    with secrets_manager(monkeypatch, 400, **said), pytest.raises(CredentialRefused):
        find_wandb_key(settings(), Deadline(60))


def test_a3_a_spent_deadline_is_temporary(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        secrets_manager(monkeypatch, 200, SecretString=KEY),
        pytest.raises(TemporaryError, match=r"^AWS Secrets Manager did not answer within 0 s: "),
    ):
        find_datadog_key(settings(), Deadline(0))


def test_a2_no_datadog_key_anywhere_lists_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"__type": "ResourceNotFoundException", "Message": "no"}
    with secrets_manager(monkeypatch, 400, **missing), pytest.raises(ConfigurationError) as caught:
        find_datadog_key(settings(), Deadline(60))

    assert str(caught.value) == (
        "no Datadog API key found (DD_API_KEY: is not set; DD_API_KEY_FILE: is not set; "
        "AWS secret datadog/api-key: there is no such secret in us-east-1): "
        "set DD_API_KEY, or store the key as the AWS secret datadog/api-key"
    )
    assert caught.value.faults == (
        "DD_API_KEY: is not set",
        "DD_API_KEY_FILE: is not set",
        "AWS secret datadog/api-key: there is no such secret in us-east-1",
    )


# What `wandb login` leaves is written and read by the official client itself, in processes of
# their own: it keeps what it has read for the rest of a process.


def log_in(key: str, **host: str) -> None:
    silent = "import os; os.environ['WANDB_SILENT'] = 'true'"  # else it asks the server who we are
    run(f"{silent}; import wandb; wandb.login(key={key!r}, relogin=True, verify=False, **{host!r})")


def run(program: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=os.environ["HOME"],
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert KEY not in result.stderr
    return result.stdout


def found(before: str = "", **values: str) -> dict[str, Any]:
    """What `find_wandb_key` finds in a new process, or what it says."""
    return found_by(f"Settings.model_validate({values!r})", before)


def found_with_env_file() -> dict[str, Any]:
    return found_by("Settings.load()")


def found_by(settings: str, before: str = "") -> dict[str, Any]:
    program = f"""
import json, sys
{before}
from runmetrics.config.credentials import find_wandb_key
from runmetrics.deadline import Deadline
from runmetrics.errors import ConfigurationError
from runmetrics.config.settings import Settings
try:
    key = find_wandb_key({settings}, Deadline(60))
    print(json.dumps({{"key": key.value.get_secret_value(), "source": key.source,
                       "base_url": key.base_url}}))
except ConfigurationError as error:
    print(json.dumps({{"error": str(error), "faults": error.faults}}))
"""
    answer: dict[str, Any] = json.loads(run(program))
    return answer


def test_wandb_login_comes_last_with_the_host_it_recorded() -> None:
    log_in(KEY, host="http://localhost:8123")
    assert found() == {"key": KEY, "source": "wandb login", "base_url": "http://localhost:8123"}


def test_a5_wandb_login_is_asked_though_the_aws_profile_cannot_be_used() -> None:
    log_in(KEY)
    nobody = "import os; os.environ['AWS_PROFILE'] = 'staging'"
    assert found(nobody)["source"] == "wandb login"


def test_wandb_login_without_a_host_is_the_default_of_the_client() -> None:
    log_in(KEY)
    default = run("import wandb; print(wandb.Settings().base_url)").strip()
    assert found() == {"key": KEY, "source": "wandb login", "base_url": default}


def test_a_login_of_an_older_client_keeps_its_own_host() -> None:
    log_in(KEY, host="https://api.wandb.ai")
    (Path(os.environ["WANDB_CONFIG_DIR"]) / "settings").unlink(missing_ok=True)
    assert found() == {"key": KEY, "source": "wandb login", "base_url": "https://api.wandb.ai"}


def test_a_chosen_host_gets_the_key_recorded_for_it_and_no_other() -> None:
    log_in(OTHER_KEY, host="http://localhost:8123")
    log_in(KEY, host="http://localhost:8124")

    assert found(base_url="http://localhost:8123")["key"] == OTHER_KEY
    assert found(base_url="http://localhost:8125")["faults"][-1] == (
        "wandb login: no key recorded for http://localhost:8125"
    )


def test_a_host_of_the_env_file_gets_the_key_that_was_recorded_for_it() -> None:
    log_in(KEY, host="http://localhost:8123")
    Path(os.environ["HOME"], ".env").write_text("WANDB_BASE_URL=http://localhost:8123\n")
    assert found_with_env_file()["key"] == KEY
    Path(os.environ["HOME"], ".env").write_text("WANDB_BASE_URL=http://localhost:8124\n")
    assert found_with_env_file()["faults"] == [
        "WANDB_BASE_URL in .env: gets no key from elsewhere",
        "wandb login: no key recorded for http://localhost:8124",
    ]


def test_a_recorded_host_must_not_be_plain_http_elsewhere() -> None:
    log_in(KEY, host="http://wandb.lan")
    assert found() == {
        "error": "what `wandb login` recorded would send the key to wandb.lan unencrypted: "
        "use https, or set RUNMETRICS_ALLOW_INSECURE_HTTP=true: log in again",
        "faults": [],
    }
    assert found(allow_insecure_http="true")["base_url"] == "http://wandb.lan"


def test_a2_a5_no_wandb_key_anywhere_lists_what_was_tried() -> None:
    assert found(base_url="https://wandb.example") == {
        "error": "no W&B API key found (WANDB_API_KEY: is not set; WANDB_API_KEY_FILE: is not set; "
        "AWS secret wandb/api-key: no AWS credentials; "
        "wandb login: no key recorded for https://wandb.example): "
        "set WANDB_API_KEY, or store the key as the AWS secret wandb/api-key, or run `wandb login`",
        "faults": [
            "WANDB_API_KEY: is not set",
            "WANDB_API_KEY_FILE: is not set",
            "AWS secret wandb/api-key: no AWS credentials",
            "wandb login: no key recorded for https://wandb.example",
        ],
    }


def test_both_names_of_the_hosted_service_were_looked_up() -> None:
    assert found()["faults"][-1] == (
        "wandb login: no key recorded for https://api.wandb.ai or https://api.forge.coreweave.com"
    )


def test_a_netrc_that_cannot_be_parsed_is_said_without_quoting_it() -> None:
    Path(os.environ["NETRC"]).write_text(f"machine api.wandb.ai\n  {KEY}\n")
    answer = found(base_url="https://api.wandb.ai")
    assert answer["faults"][-1] == (
        "wandb login: no key recorded for https://api.wandb.ai "
        "(the client could not read all that it recorded)"
    )
    assert KEY not in str(answer)


def test_h2_without_a_home_or_a_name_there_is_no_login_and_no_traceback() -> None:
    nobody = """
import os, pwd
for name in ("HOME", "NETRC", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
    os.environ.pop(name, None)
def no_entry(_uid):
    raise KeyError("getpwuid(): uid not found")
pwd.getpwuid = no_entry
"""
    answer = found(nobody, base_url="https://wandb.example")
    assert (
        answer["faults"][-1] == "wandb login: cannot be read (Could not determine home directory.)"
    )


def test_reading_the_login_leaves_nothing_behind() -> None:
    found(base_url="https://wandb.example")
    home = Path(os.environ["HOME"])
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_the_official_client_and_botocore_are_imported_only_where_they_are_asked() -> None:
    program = f"""
import sys
from runmetrics.config.credentials import find_wandb_key
from runmetrics.deadline import Deadline
from runmetrics.config.settings import Settings
find_wandb_key(Settings(wandb_api_key={KEY!r}), Deadline(60))
print({{"wandb", "boto3", "botocore"}} & set(sys.modules))
"""
    assert run(program) == "set()\n"

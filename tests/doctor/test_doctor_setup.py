"""The doctor names the cause where the configuration or the way to AWS is broken."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from runmetrics.sandbox.http import LoopbackServer, Request, Response

from .case import AWS_KEY, DATADOG_KEY, OF_PROJECTS, World, line, lines, steps, world

EVERY_STEP = [
    *("W&B key", "W&B server", "clocks", "W&B account"),
    *(*OF_PROJECTS, "Datadog key", "Datadog"),
]
ROLE = "arn:aws:sts::123456789012:assumed-role/collector/pod"
IN_AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "canary-aws-secret",
}


# Configuration


def test_every_fault_of_a_file_and_of_the_settings_at_once(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "packs: [helth]\nmetrics:\n  - name: wandb.mine\n    count: runs\n    wndow: 7d\n"
    )
    with world() as here:
        ended = here.doctor("--config", file, DD_SITE="datadog.example")

    assert ended.out.splitlines() == [
        line(
            *("broken", "configuration"),
            f'{file}:1: packs[0]: "helth" is not a pack: did you mean "health"?',
        ),
        line(
            *("broken", "configuration"),
            f'{file}:5: wandb.mine: wndow: unknown key: did you mean "window"?',
        ),
        line(
            *("broken", "configuration"),
            'DD_SITE: "datadog.example" is not a Datadog site: it can be datadoghq.com, '
            "us3.datadoghq.com, us5.datadoghq.com, ap1.datadoghq.com, ap2.datadoghq.com, "
            "uk1.datadoghq.com, datadoghq.eu, ddog-gov.com, us2.ddog-gov.com",
        ),
        *(line("not asked", step, "first fix: configuration") for step in EVERY_STEP),
    ]
    assert ended.code == 78
    assert here.wandb.documents == []


@pytest.mark.parametrize(
    ("text", "variables", "says", "fix"),
    [
        (
            *("packs: [helth]", {}),
            *('1: packs[0]: "helth" is not a pack', 'did you mean "health"?'),
        ),
        (
            "metrics: [{count: runs}]",
            {},
            "1: metrics[0]: name: is missing",
            "write name: wandb.runs.mine",
        ),
        (
            *("monitors: {runs_failing: {notify: ml}}", {}),
            '1: monitors.runs_failing.notify: "ml" is nobody that Datadog can tell',
            'write "@slack-ml", or a list of such',
        ),
        (
            *("", {"RUNMETRICS_LOSS_KEY": "summary.loss"}),
            'RUNMETRICS_LOSS_KEY: "summary.loss" is not a summary key',
            "write loss: the key alone",
        ),
        ("", {"DD_ENV": "a\nb"}, "DD_ENV: is not one line of text", "write a name"),
        (
            "",
            {"HTTPS_PROXY": "nowhere:x"},
            "HTTPS_PROXY: is not an http proxy",
            "write http://HOST:PORT or unset it",
        ),
    ],
)
def test_json_tells_what_is_wrong_with_a_setting_from_what_would_be_right(
    text: str, variables: Mapping[str, str], says: str, fix: str, tmp_path: Path
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with world() as here:
        ended = here.doctor("--json", "--config", file, **variables)

    found = ended.json["findings"][0]
    assert found["says"] == (f"{file}:{says}" if text else says)
    assert found["fix"] == fix


def test_a_site_that_datadog_does_not_have() -> None:
    with world() as here:
        ended = here.doctor(DD_URL="", DD_SITE="datadoghq.comm")

    assert lines(ended) == [
        line(
            *("broken", "configuration"),
            'DD_SITE: "datadoghq.comm" is not a Datadog site: did you mean datadoghq.com?',
        )
    ]
    assert ended.code == 78


def test_defaults_and_misspelt_variables_are_warnings() -> None:
    with world() as here:
        ended = here.doctor(WANDB_ENTITY="", WANDB_PROJECT="p", WANDB_ENTITTY="e")

    assert lines(ended, "warning")[:2] == [
        line(
            *("warning", "configuration"), "WANDB_ENTITTY is not read: did you mean WANDB_ENTITY?"
        ),
        line(
            *("warning", "configuration"), "WANDB_ENTITY is not set: the default pufferai is read"
        ),
    ]
    assert ended.err == ""


def test_a_file_that_is_not_there() -> None:
    with world() as here:
        ended = here.doctor("--config", "nonesuch.yaml")

    assert lines(ended) == [
        line(
            *("broken", "configuration"),
            "nonesuch.yaml: there is no such file: fix the path after --config",
        )
    ]
    assert ended.code == 78


def test_a_file_that_replaces_a_built_in_metric_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("metrics: [{name: wandb.runs.active, count: runs, state: pending}]\n")
    with world() as here:
        ended = here.doctor("--config", file)

    assert lines(ended) == [
        line(
            *("warning", "configuration"),
            f"{file} replaces the built-in wandb.runs.active",
        )
    ]
    assert ended.code == 0


def test_monitors_that_could_not_be_pushed_are_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("monitors: {gpus_idel: off}\n")
    with world() as here:
        ended = here.doctor("--config", file)

    assert lines(ended) == [
        line(
            *("warning", "configuration"),
            f'{file}:1: monitors.gpus_idel: is no monitor and no metric: did you mean "gpus_idle"?',
        )
    ]
    assert ended.code == 0


@pytest.mark.parametrize(
    ("metrics", "site", "broken"),
    [
        ("[{name: wandb.mine, count: runs, wndow: 7d}]", "datadoghq.eu", 1),
        ("[]", "datadog.example", 1),
        ("[{name: wandb.mine, count: runs, wndow: 7d}]", "datadog.example", 2),
    ],
)
def test_wrong_monitors_are_found_in_one_round_with_every_other_fault(
    metrics: str, site: str, broken: int, tmp_path: Path
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(f"metrics: {metrics}\nmonitors: {{gpus_idel: off}}\n")
    with world() as here:
        ended = here.doctor("--config", file, DD_SITE=site)

    assert len(lines(ended, "broken")) == broken
    assert lines(ended, "warning") == [
        line(
            *("warning", "configuration"),
            f'{file}:2: monitors.gpus_idel: is no monitor and no metric: did you mean "gpus_idle"?',
        )
    ]
    assert ended.code == 78


# AWS


@contextmanager
def aws(
    here: World, secret: Response, identity: Response | None = None
) -> Iterator[Mapping[str, str]]:
    """The environment of a Datadog key in AWS, where these are the answers."""
    caller = f"<GetCallerIdentityResult><Arn>{ROLE}</Arn></GetCallerIdentityResult>"
    whole = f"<GetCallerIdentityResponse>{caller}</GetCallerIdentityResponse>"
    known = identity or Response(200, whole.encode(), content_type="text/xml")

    def answer(request: Request) -> Response:
        return secret if "x-amz-target" in request.headers else known

    with LoopbackServer(answer) as server:
        yield {**IN_AWS, "AWS_ENDPOINT_URL": server.url}


def secrets_manager(status: int, **body: str) -> Response:
    return Response(status, json.dumps(body).encode(), content_type="application/x-amz-json-1.1")


def test_a_role_that_may_not_read_the_secret_gets_the_policy_line() -> None:
    denied = secrets_manager(
        *(400,),
        __type="AccessDeniedException",
        Message=f"User: {ROLE} is not authorized to perform: secretsmanager:GetSecretValue "
        "on resource: datadog/api-key because no identity-based policy allows it",
    )
    with world() as here, aws(here, denied) as environment:
        ended = here.doctor(datadog_key=None, **environment)

    assert line("ok", "AWS identity", ROLE) in ended.out.splitlines()
    assert lines(ended) == [
        line(
            *("broken", "Datadog key"),
            f"AWS refused to let {ROLE} read the secret datadog/api-key (AccessDeniedException): "
            'add to its policy {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", '
            '"Resource": "arn:aws:secretsmanager:us-east-1:123456789012:secret:'
            'datadog/api-key-??????"}',
        )
    ]
    assert steps(ended, "not asked") == ["Datadog"]
    assert ended.code == 77


def test_a_secret_without_the_field() -> None:
    other = secrets_manager(200, SecretString=json.dumps({"token": AWS_KEY}))
    with world() as here, aws(here, other) as environment:
        ended = here.doctor(datadog_key=None, **environment)

    assert lines(ended) == [
        line(
            *("broken", "Datadog key"),
            "AWS secret datadog/api-key is JSON without a text in "
            "DD_API_KEY, api_key, key or value: "
            "store the key as plain text, or as JSON under DD_API_KEY",
        )
    ]
    assert ended.code == 78


def test_not_to_learn_the_identity_is_no_fault_where_the_secret_can_be_read() -> None:
    error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    refused = Response(
        403, f"<ErrorResponse>{error}</ErrorResponse>".encode(), content_type="text/xml"
    )
    found = secrets_manager(200, SecretString=DATADOG_KEY)
    with world() as here, aws(here, found, refused) as environment:
        ended = here.doctor(datadog_key=None, **environment)

    assert lines(ended) == [
        line(
            *("warning", "AWS identity"),
            "AWS refused GetCallerIdentity (AccessDenied): "
            "check the role's ARN and its trust policy, and that the token is fresh",
        )
    ]
    assert line("ok", "Datadog key", "from AWS secret datadog/api-key") in ended.out.splitlines()
    assert ended.code == 0


def test_something_else_that_answers_for_aws_is_no_bug_of_ours() -> None:
    found = secrets_manager(200, SecretString=DATADOG_KEY)
    page = Response(200, b"Please log in", content_type="text/html")
    with world() as here, aws(here, found, page) as environment:
        ended = here.doctor(datadog_key=None, **environment)

    (warned,) = lines(ended)
    assert warned.startswith(
        line("warning", "AWS identity", "AWS cannot be reached (Unable to parse response ")
    )
    assert warned.endswith(
        "check the network, AWS_ENDPOINT_URL and the proxy; the next run may succeed"
    )
    assert ended.code == 0

"""One clear line with the fix, the right exit code, no traceback and no secret."""

import json

import pytest

from runmetrics.sandbox.http import LoopbackServer, Request, Response
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.store import Store
from runmetrics.sandbox.wandb_server import WandbSandbox
from tests.cli.child import DATADOG_KEY, MODULE, Child, delivered, run, surroundings
from tests.cli.conftest import VALUES

NO_SERVER = "http://127.0.0.1:9"


def test_w1_a_key_that_wandb_does_not_know_is_77_after_one_request(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    ended = run("--push", wandb=wandb, intake=intake, WANDB_API_KEY=DATADOG_KEY)

    assert ended.code == 77
    assert ended.out.startswith("datadog accepted 6 about this run (1 request, ")
    assert ended.said() == [
        (
            f"W&B at {wandb.url} refused the API key (it knows nobody by that key) from "
            f"WANDB_API_KEY: make a new one at {wandb.url}/authorize and put it in the same place"
        )
    ]
    assert len(wandb.documents) == 1
    itself = {point.name: point.value for point in intake.points}
    assert (itself["runmetrics.up"], itself["runmetrics.runs_read"]) == (0, 0)
    assert delivered(intake) == {}


def test_w12_a_project_that_is_not_there_is_78_with_near_names(
    wandb: WandbSandbox, store: Store
) -> None:
    store.project("e", "metta-train")

    near = run(wandb=wandb, WANDB_PROJECT="meta-train")
    far = run(wandb=wandb, WANDB_PROJECT="zzz")
    nobody = run(wandb=wandb, WANDB_ENTITY="nobody")

    none = "W&B has no project {}, or this key has no access to it: check {}"
    assert [ended.said() for ended in (near, far, nobody)] == [
        [none.format("e/meta-train", "WANDB_PROJECT; did you mean metta-train?")],
        [none.format("e/zzz", "WANDB_PROJECT; e has metta-train, p")],
        [none.format("nobody/p", "WANDB_ENTITY; this key sees no projects of 'nobody'")],
    ]
    assert (near.code, far.code, nobody.code) == (78, 78, 78)
    assert near.out == ""


def test_w6_a_server_that_is_not_there_is_75() -> None:
    ended = run("--timeout", "20", wandb=NO_SERVER)

    assert (ended.code, ended.out) == (75, "")
    (message,) = ended.said()
    assert message.startswith(f"W&B at {NO_SERVER} cannot be reached, the connection is refused (")
    assert message.endswith("): check WANDB_BASE_URL, the network policy and the proxy settings")


def test_a1_aws_that_denies_access_is_77_and_wandb_is_not_asked(wandb: WandbSandbox) -> None:
    def deny(_request: Request) -> Response:
        body = {"__type": "AccessDeniedException", "Message": "User is not authorized"}
        return Response(400, json.dumps(body).encode())

    with LoopbackServer(deny) as aws:
        ended = run(
            wandb=wandb,
            WANDB_API_KEY="",
            AWS_ENDPOINT_URL=aws.url,
            AWS_ACCESS_KEY_ID="some-id",
            AWS_SECRET_ACCESS_KEY=DATADOG_KEY,
        )

    assert ended.code == 77
    (message,) = ended.said()
    assert message.startswith("AWS ")
    assert "secretsmanager:GetSecretValue" in message
    assert wandb.server.requests == []


def test_a2_no_key_anywhere_is_78_and_lists_every_source_that_was_tried(
    wandb: WandbSandbox,
) -> None:
    ended = run(wandb=wandb, WANDB_API_KEY="")

    assert (ended.code, ended.out) == (78, "")
    assert ended.said() == [
        (
            "no W&B API key found (WANDB_API_KEY: is not set; WANDB_API_KEY_FILE: is not set; "
            "AWS secret wandb/api-key: no AWS credentials; "
            f"wandb login: no key recorded for {wandb.url}): "
            "set WANDB_API_KEY, or store the key as the AWS secret wandb/api-key, "
            "or run `wandb login`"
        )
    ]
    assert wandb.server.requests == []


def test_no_datadog_key_matters_only_with_push(wandb: WandbSandbox, intake: DatadogIntake) -> None:
    dry = run(wandb=wandb, intake=intake, DD_API_KEY="")
    pushed = run("--push", wandb=wandb, intake=intake, DD_API_KEY="")

    assert (dry.code, dry.err) == (0, "")
    assert pushed.code == 78
    assert pushed.said() == [
        (
            "no Datadog API key found (DD_API_KEY: is not set; DD_API_KEY_FILE: is not set; "
            "AWS secret datadog/api-key: no AWS credentials): "
            "set DD_API_KEY, or store the key as the AWS secret datadog/api-key"
        )
    ]
    assert "datadog accepted 0 of 10 samples" in pushed.out
    assert intake.server.requests == []


def test_d4_a_key_that_datadog_refuses_is_77_and_the_numbers_are_still_printed(
    wandb: WandbSandbox, intake: DatadogIntake
) -> None:
    intake.keys = {"another"}

    ended = run("--push", "--json", wandb=wandb, intake=intake)

    assert (ended.code, ended.values) == (77, VALUES)
    assert ended.said() == [
        (
            f"Datadog refused the API key (403) at {intake.url}: "
            "check DD_API_KEY, and that DD_URL is the intake of your organisation"
        )
    ]
    assert intake.points == []


def test_h9_all_wrong_settings_are_named_at_once_before_any_request(wandb: WandbSandbox) -> None:
    ended = run(
        "--push",
        wandb=wandb,
        WANDB_API_KEY=" ",
        DD_API_KEY="two\nlines",
        DD_SITE="foo",
        DD_URL="ftp://x",
    )

    assert (ended.code, ended.out) == (78, "")
    assert ended.said() == [
        "WANDB_API_KEY: is empty: set it to the key alone, or unset it",
        (
            "DD_API_KEY: holds white space, a line end or another character that no key has: "
            "set it to the key alone, or unset it"
        ),
        (
            'DD_SITE: "foo" is not a Datadog site: it can be datadoghq.com, us3.datadoghq.com, '
            "us5.datadoghq.com, ap1.datadoghq.com, ap2.datadoghq.com, uk1.datadoghq.com, "
            "datadoghq.eu, ddog-gov.com, us2.ddog-gov.com"
        ),
        'DD_URL: "ftp://x" is not an https URL: write https://HOST',
        "4 settings are wrong",
    ]
    assert ended.contacts == frozenset()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["wandb", "--bogus"], "No such option: --bogus"),
        (["wandb", "--timeout", "soon"], "Invalid value for '--timeout'"),
        (["wandb", "--timeout", "-1"], "Invalid value for '--timeout'"),
        ([], "Missing argument"),
    ],
)
def test_usage_errors_are_2(arguments: list[str], said: str) -> None:
    child = Child(arguments, surroundings(NO_SERVER), entry=MODULE, collector=())
    ended = child.end()

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.contacts == frozenset()


def test_a_collector_that_is_not_installed_is_2_and_those_that_are_get_named() -> None:
    ended = Child(["nope"], surroundings(NO_SERVER), entry=MODULE, collector=()).end()

    assert ended.code == 2
    assert ended.said() == ["there is no collector 'nope': installed are: wandb"]

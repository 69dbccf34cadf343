"""Every line that the README shows of the doctor is one that the doctor says."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from runmetrics.sandbox.http import Fault, LoopbackServer, Response
from tests.collectors.wandb.collecting import ago, run
from tests.doctor.case import NOWHERE, OTHER_KEY, World, healthy_runs, world

README = Path(__file__).parents[2] / "README.md"
ROLE = "arn:aws:sts::123456789012:assumed-role/collector/pod"


def shown() -> list[str]:
    """The doctor's lines in the README's section."""
    section = README.read_text(encoding="utf-8").partition("\n## Troubleshooting\n")[2]
    section = section.partition("\n## ")[0]
    return re.findall(r"^    ((?:ok|warning|broken|not asked) .*)$", section, re.MULTILINE)


def project_misspelt(here: World) -> str:
    return here.doctor(WANDB_ENTITY="your-team", WANDB_PROJECT="mettta").out


def server_unreachable(here: World) -> str:
    out = here.doctor(WANDB_BASE_URL=NOWHERE).out
    return out.replace(NOWHERE, "https://api.wandb.ai")


def nothing_alive(here: World) -> str:
    for index in range(411):
        here.wandb.store.add("your-team", "metta", run(f"old{index}", beat=ago(days=40)))
    here.wandb.store.add("your-team", "metta", run("nightly-7", beat=ago(days=23, hours=1)))
    return here.doctor(WANDB_ENTITY="your-team", WANDB_PROJECT="metta").out


def other_keys(here: World) -> str:
    for index in range(40):
        logged = {"val/accuracy": 0.5, "loss": 0.25}
        here.wandb.store.add("e", "p", run(f"r{index}", summary=logged))
    for healthy in healthy_runs():
        here.wandb.store.remove("e", "p", healthy.id)
    return here.doctor().out


def key_refused(here: World) -> str:
    here.wandb.server.fault_for = lambda _request: Fault(response=Response(401))
    url = here.wandb.url
    out = here.doctor().out.replace(
        f"{url}/authorize", "https://forge.coreweave.com/wandb/authorize"
    )
    return out.replace(url, "https://api.wandb.ai")


def datadog_key_refused(here: World) -> str:
    out = here.doctor(datadog_key=OTHER_KEY).out.replace(
        here.intake.url, "https://api.datadoghq.com"
    )
    return out.replace("DD_URL is the intake", "DD_SITE is the site")


def aws_refused(here: World) -> str:
    said = f"User: {ROLE} is not authorized to perform: secretsmanager:GetSecretValue"
    denied = json.dumps({"__type": "AccessDeniedException", "Message": said}).encode()
    with LoopbackServer(lambda _request: Response(400, denied)) as server:
        return here.doctor(
            datadog_key=None,
            AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
            AWS_SECRET_ACCESS_KEY="canary-aws-secret",
            AWS_ENDPOINT_URL=server.url,
        ).out


CAUSES: list[Callable[[World], str]] = [
    *(project_misspelt, server_unreachable, nothing_alive, other_keys),
    *(key_refused, datadog_key_refused, aws_refused),
]


def test_every_shown_line_has_its_cause_here() -> None:
    assert len(shown()) == len(CAUSES)


@pytest.mark.parametrize("cause", CAUSES)
def test_the_doctor_says_it(cause: Callable[[World], str]) -> None:
    line = shown()[CAUSES.index(cause)]
    with world() as here:
        here.wandb.store.project("your-team", "metta")
        assert line in cause(here).splitlines()

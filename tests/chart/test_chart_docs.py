"""docs/DEPLOYMENT.md says what the chart does, and its commands work."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runmetrics.config.settings import Settings
from tests.docs.pages import writer

from .helm_chart import CHART, NAME, REPOSITORY, Chart, container, only
from .validity import KUBERNETES, validate

PAGE = (REPOSITORY / "docs/DEPLOYMENT.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def helm_commands() -> list[list[str]]:
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("helm upgrade --install")]


def paths(values: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(values, dict) and values:
        for name, value in values.items():
            yield from paths(value, f"{prefix}.{name}" if prefix else name)
    else:
        yield prefix


def test_every_value_is_described() -> None:
    text = (CHART / "values.yaml").read_text()
    described = [path for path, _ in writer()["described_values"](text)]

    undescribed = [
        path
        for path in paths(yaml.safe_load(text))
        if not any(path == known or path.startswith(f"{known}.") for known in described)
    ]

    assert undescribed == []


def test_values_and_schema_name_the_same_things() -> None:
    """At every level down to where Kubernetes' own fields begin."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(schema_here: dict[str, Any], values_here: dict[str, Any], path: str) -> None:
        if "$ref" in schema_here:
            schema_here = schema["definitions"][schema_here["$ref"].rpartition("/")[2]]
        allowed = set(schema_here["properties"])
        assert allowed == set(values_here), path
        for name, value in values_here.items():
            if isinstance(value, dict) and value and name not in KUBERNETES_OWN:
                compare(schema_here["properties"][name], value, f"{path}.{name}")

    for helms_own in ("global", "enabled"):
        schema["properties"].pop(helms_own)
    compare(schema, values, "")


KUBERNETES_OWN = {"resources", "podSecurityContext", "securityContext"}


@pytest.mark.parametrize("command", helm_commands(), ids=" ".join)
def test_a_documented_helm_command_renders(
    chart: Chart, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "my-values.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "runmetrics.yaml").write_text("packs: [health]\n")
    (tmp_path / "devops").symlink_to(REPOSITORY / "devops")

    done = chart.run("template", *command[3:], directory=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "kind: CronJob" in done.stdout


VALUES_FILES = [block for block in blocks("yaml") if not block.startswith("# Chart.yaml")]


@pytest.mark.parametrize("values", VALUES_FILES)
def test_a_documented_values_file_renders(chart: Chart, tmp_path: Path, values: str) -> None:
    (tmp_path / "values.yaml").write_text(values)

    for kube in KUBERNETES:
        for manifest in chart.render("--values", tmp_path / "values.yaml", kube=kube):
            validate(manifest, kube)


def test_the_documented_old_command_is_what_the_pod_runs(chart: Chart, tmp_path: Path) -> None:
    (setting,) = [
        command[command.index("--set-json") + 1]
        for command in helm_commands()
        if "--set-json" in command
    ]

    assert container(chart.render_file("minimal", "--set-json", setting))["command"] == [
        *("uv", "run", "python", "devops/datadog/scripts/run_collector.py", "wandb", "--push")
    ]


def notes_after(chart: Chart, *settings: str) -> str:
    """What helm says when the chart is installed with these values."""
    given = ",".join(["image.repository=YOUR/runmetrics", *settings])
    done = chart.run(
        *("install", "wandb-collector", CHART, "--namespace", "monitoring"),
        *("--dry-run=client", "--set", given),
    )
    return done.stdout.partition("NOTES:\n")[2]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((), True),
        (("wandb.project=p",), False),
        (("config.entity=my-team",), False),
        (("extraEnvFrom[0].configMapRef.name=settings",), False),
    ],
)
def test_the_notes_say_what_to_set_where_nothing_names_a_project(
    chart: Chart, settings: tuple[str, ...], said: bool
) -> None:
    line = "No project is named, so it reads pufferai/metta: set wandb.entity and wandb.project."

    assert (line in notes_after(chart, *settings)) == said


def test_the_notes_name_the_first_job_and_its_log(chart: Chart) -> None:
    notes = notes_after(chart)
    for line in (
        f"kubectl -n monitoring create job {NAME}-first --from=cronjob/{NAME}",
        f"kubectl -n monitoring logs --follow job/{NAME}-first --pod-running-timeout=2m",
    ):
        assert line in notes
        assert line in PAGE


# AWS


def policy(name: str) -> dict[str, Any]:
    document = json.loads((REPOSITORY / "devops/aws" / f"{name}.json").read_text())
    (statement,) = document["Statement"]
    allowed: dict[str, Any] = statement
    return allowed


def _default(setting: str) -> str:
    return str(Settings.model_fields[setting].default)


def test_the_role_may_read_the_two_secrets_and_nothing_else() -> None:
    """AWS ends a secret's ARN in six characters of its own choice."""
    statement = policy("secrets-policy")

    assert statement["Action"] == "secretsmanager:GetSecretValue"
    assert statement["Resource"] == [
        f"arn:PARTITION:secretsmanager:REGION:ACCOUNT_ID:secret:{name}-??????"
        for name in (_default("wandb_secret"), _default("datadog_secret"))
    ]


def test_a_key_of_your_own_is_used_through_secrets_manager_only() -> None:
    statement = policy("kms-policy")

    assert statement["Action"] == "kms:Decrypt"
    assert statement["Resource"] == "arn:PARTITION:kms:REGION:ACCOUNT_ID:key/KEY_ID"
    # The domain at its end is another one in China and in sovereign clouds.
    assert statement["Condition"] == {"StringLike": {"kms:ViaService": "secretsmanager.REGION.*"}}


def test_no_policy_names_the_commercial_partition() -> None:
    policies = [path.read_text() for path in (REPOSITORY / "devops/aws").glob("*.json")]

    assert len(policies) == 3
    assert not any("arn:aws" in text for text in policies)


def test_only_the_documented_releases_service_account_may_take_the_role(chart: Chart) -> None:
    (command,) = [c for c in helm_commands() if "datadog.service=wandb-collector" in c]
    account = only(chart.render(*command[command.index("--set") :]), "ServiceAccount")

    subject = policy("trust-policy")["Condition"]["StringEquals"]["OIDC_PROVIDER:sub"]

    name = account["metadata"]["name"]
    assert subject == f"system:serviceaccount:{command[command.index('--namespace') + 1]}:{name}"

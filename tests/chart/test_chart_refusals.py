"""What the chart refuses, and what it says."""

import json

import pytest

from runmetrics.config.rules import DATADOG_SITES

from .helm_chart import CHART, Chart, container

SCHEMA = "values don't meet the specifications of the schema(s)"


def test_the_images_place_is_the_one_thing_demanded(chart: Chart) -> None:
    done = chart.template()

    assert done.returncode == 1
    assert (
        "image.repository is not set: push the image somewhere (docs/DEPLOYMENT.md, section 1) "
        "and name that place"
    ) in done.stderr


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("shedule=* * * * *", "at '': additional properties 'shedule' not allowed"),
        ("datadog.team=x", "at '/datadog': additional properties 'team' not allowed"),
        ("securityContext.runAsUSer=1", "at '/securityContext': additional properties"),
        ("mode=job", "at '/mode': value must be one of 'cronjob', 'deployment'"),
        ("image.pullPolicy=Sometimes", "at '/image/pullPolicy': value must be one of 'Always'"),
        ("image.digest=sha256:12", "at '/image/digest': 'sha256:12' does not match pattern"),
        ("image.repository=a/b:1.0", "at '/image/repository': 'a/b:1.0' does not match pattern"),
        ("schedule=every day", "at '/schedule': 'every day' does not match pattern"),
        ("schedule=0 0 * * * *", "at '/schedule': '0 0 * * * *' does not match pattern"),
        ("schedule=@every 5m", "at '/schedule': '@every 5m' does not match pattern"),
        ("timeZone=Local", "at '/timeZone': 'not' failed"),
        ("timeZone=+01:00", "at '/timeZone': '+01:00' does not match pattern"),
        ("shards=0", "at '/shards': minimum: got 0, want 1"),
        ("shards=many", "at '/shards': got string, want null or integer"),
        ("job.backoffLimit=-1", "at '/job/backoffLimit': minimum: got -1, want 0"),
        ("job.startingDeadlineSeconds=9", "minimum: got 9, want 10"),
        ("wandb.projects={metta}", "at '/wandb/projects/0': 'metta' does not match pattern"),
        ("datadog.site=foo", "at '/datadog/site': value must be one of '', 'datadoghq.com'"),
        ("datadog.version=2", "at '/datadog/version': got number, want null or string"),
        ("aws.roleArn=collector", "at '/aws/roleArn': 'collector' does not match pattern"),
        ("externalSecrets.storeKind=Vault", "value must be one of 'ClusterSecretStore'"),
        ("persistence.accessModes={Many}", "value must be one of 'ReadWriteOnce'"),
        ("tolerations[0].effect=Never", "value must be one of 'NoSchedule'"),
        ("serve.interval=30", "at '/serve/interval': got number, want null or string"),
        ("extraVolumes[0].name=x,extraVolumes[0].hostPath.path=/", "'not' failed"),
        ("fullnameOverride=" + "a" * 53, "at '/fullnameOverride': maxLength: got 53, want 52"),
        ("fullnameOverride=7b", "at '/fullnameOverride': '7b' does not match pattern"),
        ("wandb.baseUrl=https://u:p@x", "at '/wandb/baseUrl': 'https://u:p@x' does not match"),
    ],
)
def test_the_schema_refuses(chart: Chart, value: str, message: str) -> None:
    refusal = chart.refusal("--set", value)

    assert SCHEMA in refusal
    assert message in refusal


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("60 * * * *", 'the minute is "60"; it may be 0-59, *, a list, a range or a step'),
        ("*/0 * * * *", 'the minute is "*/0"; it may be 0-59'),
        ("0 24 * * *", 'the hour is "24"; it may be 0-23'),
        ("0 0 0 * *", 'the day of the month is "0"; it may be 1-31'),
        ("0 0 * 13 *", 'the month is "13"; it may be 1-12 or jan-dec'),
        ("0 0 * * 7", 'the day of the week is "7"; it may be 0-6 or sun-sat'),
        ("0 0 * * monday", 'the day of the week is "monday"; it may be 0-6 or sun-sat'),
        ("0,,5 * * * *", 'the minute is "0,,5"; it may be 0-59'),
        ("30-10 * * * *", 'the minute "30-10" runs backwards; write it as two ranges'),
        ("0 9 * * fri-mon", 'the day of the week "fri-mon" runs backwards'),
        ("0 9 * * 5-MON", 'the day of the week "5-MON" runs backwards'),
        ("0 9 * nov-feb *", 'the month "nov-feb" runs backwards'),
    ],
)
def test_a_bad_cron_line_is_refused_with_the_field_at_fault(
    chart: Chart, schedule: str, message: str
) -> None:
    refusal = chart.refusal("--set-json", f"schedule={json.dumps(schedule)}")

    assert f'schedule "{schedule}": {message}' in refusal


@pytest.mark.parametrize(
    "schedule",
    [
        "0,30 8-18 * * MON-FRI",
        "5/15 * ? jan,jul *",
        "59 23 31 12 6",
        "10-50/20 */6 1 * sun",
        "@daily",
        "0 9 * * fri-sat,sun-mon",
        "0 9 * jan-dec sun-6",
    ],
)
def test_a_cron_line_that_kubernetes_knows_is_accepted(chart: Chart, schedule: str) -> None:
    manifests = chart.render_file("minimal", "--set-json", f"schedule={json.dumps(schedule)}")

    assert manifests[-1]["spec"]["schedule"] == schedule


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            "job.activeDeadlineSeconds=90",
            (
                "job.activeDeadlineSeconds is 90, not above the program's own timeout (90 s): "
                "Kubernetes would kill it before it delivers what it knows"
            ),
        ),
        (
            "schedule=*/5 * * * *",
            (
                "job.activeDeadlineSeconds is 540, not under the schedule's interval (300 s): "
                "a hanging run would swallow the next one"
            ),
        ),
        (
            "schedule=* * * * *,job.activeDeadlineSeconds=100",
            (
                "job.activeDeadlineSeconds is 100, not under the schedule's interval (60 s): "
                "a hanging run would swallow the next one"
            ),
        ),
        ("shards=2,mode=deployment", "shards need mode cronjob: a Deployment is one process"),
        (
            "shards=2,args={collect,wandb}",
            (
                "shards is 2 but your command has no --shard: "
                "add --shard=$(JOB_COMPLETION_INDEX)/2, or every pod reads every project"
            ),
        ),
        (
            "shards=2,persistence.enabled=true",
            "several shards mount one claim: set persistence.accessModes to [ReadWriteMany]",
        ),
        (
            "serviceMonitor.enabled=true",
            "serviceMonitor needs mode deployment: a CronJob's pod is gone before it is scraped",
        ),
        (
            "externalSecrets.enabled=true",
            "externalSecrets.storeName is empty: name the store to read",
        ),
        (
            "externalSecrets.enabled=true,keys.existingSecret=a",
            (
                "keys.existingSecret and externalSecrets.enabled are both set: "
                "choose one place for the keys"
            ),
        ),
        (
            "extraEnv[0].name=DD_API_KEY,extraEnv[0].value=x",
            (
                "extraEnv: DD_API_KEY as a plain value would be readable in the release: "
                "use keys.existingSecret or valueFrom"
            ),
        ),
    ],
)
def test_values_that_contradict_one_another_are_refused(
    chart: Chart, values: str, message: str
) -> None:
    refusal = chart.refusal("--set", values)

    assert refusal.splitlines()[0].endswith(f": {message}")


def test_the_schema_takes_the_sites_that_the_program_takes() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    sites = schema["properties"]["datadog"]["properties"]["site"]["enum"]

    assert set(sites) == {"", None, *DATADOG_SITES}


def test_set_refuses_a_json_list_and_set_json_takes_it(chart: Chart) -> None:
    """The old instructions' `--set command='["uv","run"]'` never reached a cluster."""
    refusal = chart.refusal("--set", 'command=["uv","run"]')
    manifests = chart.render_file("minimal", "--set-json", 'command=["uv","run"]')

    assert 'failed parsing --set data: key "\\"run\\"]" has no value' in refusal
    assert container(manifests)["command"] == ["uv", "run"]


def test_set_refuses_even_a_list_of_one_word(chart: Chart) -> None:
    refusal = chart.refusal("--set", 'command=["runmetrics"]')

    assert "at '/command': got string, want null or array" in refusal

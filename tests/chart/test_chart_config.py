"""Values and the configuration file: what the values leave open is the file's to say."""

import pytest

from .helm_chart import Chart, container, environment


def test_a_file_that_names_its_project_is_not_overruled(chart: Chart) -> None:
    manifests = chart.render_file(
        "minimal", "--set", "config.entity=my-team,config.project=p,config.timeout_seconds=300"
    )

    assert list(environment(manifests)) == ["RUNMETRICS_CONFIG"]
    assert container(manifests)["args"] == ["collect", "wandb", "--push"]


def test_what_a_config_map_says_is_not_overruled(chart: Chart) -> None:
    """env beats envFrom, so a default rendered as env would hide the ConfigMap's entry."""
    manifests = chart.render_file("minimal", "--set", "extraEnvFrom[0].configMapRef.name=settings")

    assert environment(manifests) == {}
    assert container(manifests)["envFrom"] == [{"configMapRef": {"name": "settings"}}]


def test_nothing_set_is_nothing_rendered(chart: Chart) -> None:
    assert environment(chart.render_file("minimal")) == {}


def test_the_timeout_is_passed_on_in_both_modes(chart: Chart) -> None:
    for mode in ("cronjob", "deployment"):
        manifests = chart.render_file("minimal", "--set", f"mode={mode},timeoutSeconds=300")

        assert container(manifests)["args"][-1] == "--timeout=300"


def test_values_and_file_may_say_the_same(chart: Chart) -> None:
    manifests = chart.render_file(
        *("minimal", "--set", "wandb.entity=a,config.entity=a"),
        *("--set", "timeoutSeconds=300,config.timeout_seconds=300"),
        *("--set", "extraEnv[0].name=RUNMETRICS_LOSS_KEY,extraEnv[0].value=l,config.loss_key=l"),
    )

    assert environment(manifests)["WANDB_ENTITY"] == "a"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            "wandb.entity=a,config.entity=b",
            (
                'the values set WANDB_ENTITY to "a", and config says entity: b; '
                "the variable would win: set it in one of the two"
            ),
        ),
        (
            "wandb.project=a,config.project=b",
            (
                'the values set WANDB_PROJECT to "a", and config says project: b; '
                "the variable would win: set it in one of the two"
            ),
        ),
        (
            "extraEnv[0].name=RUNMETRICS_LOSS_KEY,extraEnv[0].value=a,config.loss_key=b",
            (
                'the values set RUNMETRICS_LOSS_KEY to "a", and config says loss_key: b; '
                "the variable would win: set it in one of the two"
            ),
        ),
        (
            "timeoutSeconds=60,config.timeout_seconds=300",
            (
                "timeoutSeconds is 60, and config says timeout_seconds: 300; "
                "the value would win: set it in one of the two"
            ),
        ),
        (
            "wandb.projects={a/b},config.projects={a/c}",
            (
                "the values list the projects a/b, and config lists projects too; "
                "the values would win: list them in one of the two"
            ),
        ),
        (
            "wandb.projects={a/b},config.entity=a",
            (
                "the values list the projects a/b, and config names an entity or a project; "
                "the list would win: name them in one of the two"
            ),
        ),
        (
            "wandb.project=a,config.projects={a/c}",
            (
                "the values name an entity or a project, and config lists projects; "
                "the list would win: name them in one of the two"
            ),
        ),
        (
            "config.timeout_seconds=600",
            (
                "job.activeDeadlineSeconds is 540, not above the program's own timeout (600 s): "
                "Kubernetes would kill it before it delivers what it knows"
            ),
        ),
        ("config=[", "config is not a YAML map: error converting YAML to JSON: yaml: line 1"),
    ],
)
def test_k1_values_and_a_file_that_disagree_are_refused(
    chart: Chart, values: str, message: str
) -> None:
    assert message in chart.refusal("--set", values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            "serviceAccount.create=false,aws.roleArn=arn:aws-us-gov:iam::111122223333:role/x",
            (
                "aws.roleArn is set, but serviceAccount.create is false: "
                "annotate the service account yourself, and leave it empty here"
            ),
        ),
        (
            "serviceAccount.create=false,serviceAccount.annotations.a=b",
            "serviceAccount.annotations is set, but serviceAccount.create is false",
        ),
        (
            "timeoutSeconds=60,args={collect,wandb}",
            (
                "timeoutSeconds is set, but a command or args of your own do not get it: "
                "write --timeout=60 into them"
            ),
        ),
        (
            "externalSecrets.storeName=vault",
            "externalSecrets.storeName is set, but externalSecrets.enabled is not true",
        ),
        (
            "persistence.existingClaim=spool",
            "persistence.existingClaim is set, but persistence.enabled is not true",
        ),
        (
            "serviceMonitor.labels.release=prometheus",
            "serviceMonitor.labels is set, but serviceMonitor.enabled is not true",
        ),
        (
            "keys.existingSecret=k,keys.wandbEntry=,keys.datadogEntry=",
            "the Secret k is to give no key: name keys.wandbEntry or keys.datadogEntry",
        ),
        ("enabled=false", "enabled is false, but the chart is rendered"),
    ],
)
def test_k1_a_value_that_would_be_ignored_in_silence_is_refused(
    chart: Chart, values: str, message: str
) -> None:
    assert message in chart.refusal("--set", values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WANDB_API_KEY", "x"),
        ("DD_APP_KEY", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_SESSION_TOKEN", "x"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=x"),
        ("HTTPS_PROXY", "http://user:password@proxy.example:3128"),
    ],
)
def test_k4_a_secret_as_a_plain_value_is_refused(chart: Chart, name: str, value: str) -> None:
    refusal = chart.refusal("--set", f"extraEnv[0].name={name},extraEnv[0].value={value}")

    assert (
        f"extraEnv: {name} as a plain value would be readable in the release: "
        "use keys.existingSecret or valueFrom"
    ) in refusal


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RUNMETRICS_ACCURACY_KEY", "val/acc"),
        ("HTTPS_PROXY", "http://proxy.example:3128"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token"),
    ],
)
def test_what_only_looks_like_a_secret_is_taken(chart: Chart, name: str, value: str) -> None:
    manifests = chart.render_file(
        "minimal", "--set", f"extraEnv[0].name={name},extraEnv[0].value={value}"
    )

    assert environment(manifests) == {name: value}


@pytest.mark.parametrize(
    "region", ["eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"]
)
def test_every_partition_has_regions(chart: Chart, region: str) -> None:
    manifests = chart.render_file("minimal", "--set", f"aws.region={region}")

    assert environment(manifests) == {"AWS_DEFAULT_REGION": region}

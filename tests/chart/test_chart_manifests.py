"""Keys, settings, the long-lived exporter and the network, as the manifests say them."""

from pathlib import Path

import yaml

from .helm_chart import NAME, Chart, Manifest, container, environment, only, pod_template

# Keys


KEY_FILES = "/var/run/secrets/runmetrics"


def keys_volume(manifests: list[Manifest]) -> Manifest:
    """The Secret that is mounted where the program looks for key files."""
    (mount,) = [m for m in container(manifests)["volumeMounts"] if m["mountPath"] == KEY_FILES]
    (volume,) = [
        v for v in pod_template(manifests)["spec"]["volumes"] if v["name"] == mount["name"]
    ]
    secret: Manifest = volume["secret"]
    return secret


def test_k5_the_keys_of_an_existing_secret_are_files_which_a_rotation_reaches(chart: Chart) -> None:
    manifests = chart.render_file("existing-secret")

    env = environment(manifests)
    assert env["WANDB_API_KEY_FILE"] == f"{KEY_FILES}/WANDB_API_KEY"
    assert env["DD_API_KEY_FILE"] == f"{KEY_FILES}/DD_API_KEY"
    assert not env.keys() & {"WANDB_API_KEY", "DD_API_KEY"}
    assert keys_volume(manifests) == {
        "secretName": "collector-keys",
        "defaultMode": 0o444,
        "items": [
            {"key": "wandb", "path": "WANDB_API_KEY"},
            {"key": "datadog", "path": "DD_API_KEY"},
        ],
    }


def test_a_key_that_is_not_in_the_secret_is_left_to_aws(chart: Chart) -> None:
    manifests = chart.render_file("existing-secret", "--set", "keys.datadogEntry=")

    assert "DD_API_KEY_FILE" not in environment(manifests)
    assert [item["path"] for item in keys_volume(manifests)["items"]] == ["WANDB_API_KEY"]


def test_a_role_annotates_the_service_account_and_mounts_no_token(chart: Chart) -> None:
    manifests = chart.render_file("aws-role")

    account = only(manifests, "ServiceAccount")
    assert account["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/wandb-collector"
    }
    assert account["automountServiceAccountToken"] is False
    assert pod_template(manifests)["spec"]["serviceAccountName"] == account["metadata"]["name"]
    env = environment(manifests)
    assert "WANDB_API_KEY_FILE" not in env
    assert env["RUNMETRICS_WANDB_SECRET"] == "ml/wandb"
    assert env["AWS_DEFAULT_REGION"] == "us-west-2"


def test_external_secrets_fill_the_secret_that_the_pod_reads(chart: Chart) -> None:
    manifests = chart.render_file("external-secrets")

    external = only(manifests, "ExternalSecret")
    assert external["apiVersion"] == "external-secrets.io/v1"
    assert external["spec"] == {
        "refreshInterval": "15m",
        "secretStoreRef": {"name": "vault", "kind": "SecretStore"},
        "target": {"name": NAME, "creationPolicy": "Owner"},
        "data": [
            {
                "secretKey": "WANDB_API_KEY",
                "remoteRef": {"key": "ml/wandb", "property": "api_key"},
            },
            {"secretKey": "DD_API_KEY", "remoteRef": {"key": "datadog/api-key"}},
        ],
    }
    assert keys_volume(manifests)["secretName"] == NAME
    for name in ("WANDB_API_KEY", "DD_API_KEY"):
        assert {"key": name, "path": name} in keys_volume(manifests)["items"]


def test_without_a_service_account_of_its_own_the_pod_takes_the_default_one(chart: Chart) -> None:
    manifests = chart.render_file("minimal", "--set", "serviceAccount.create=false")

    assert [manifest["kind"] for manifest in manifests] == ["CronJob"]
    assert pod_template(manifests)["spec"]["serviceAccountName"] == "default"


# What to read


def test_several_projects_take_the_place_of_the_one(chart: Chart) -> None:
    env = environment(chart.render_file("sharded"))

    assert env["RUNMETRICS_PROJECTS"] == "vision/*,speech/asr"
    assert "WANDB_ENTITY" not in env
    assert "WANDB_PROJECT" not in env


def test_a_configuration_is_mounted_where_the_program_is_told(chart: Chart) -> None:
    manifests = chart.render_file("everything")

    text = only(manifests, "ConfigMap")["data"]["runmetrics.yaml"]
    assert yaml.safe_load(text)["metrics"][0]["where"] == {"display_name": {"$regex": "^nightly-"}}
    assert environment(manifests)["RUNMETRICS_CONFIG"] == "/etc/runmetrics/runmetrics.yaml"
    mounts = {mount["name"]: mount["mountPath"] for mount in container(manifests)["volumeMounts"]}
    assert mounts["config"] == "/etc/runmetrics"


def test_a_configuration_file_is_taken_as_it_is(chart: Chart, tmp_path: Path) -> None:
    text = "# indented and commented\n\npacks: [health]\n"
    (tmp_path / "runmetrics.yaml").write_text(text)

    manifests = chart.render_file("minimal", "--set-file", f"config={tmp_path}/runmetrics.yaml")

    assert only(manifests, "ConfigMap")["data"] == {"runmetrics.yaml": text}


def test_an_extra_variable_replaces_the_charts_own(chart: Chart) -> None:
    env = environment(chart.render_file("everything"))

    assert env["WANDB_BASE_URL"] == "https://other.example"
    assert env["RUNMETRICS_ACCURACY_KEY"] == "val/acc"
    assert env["DD_API_KEY"] == {"secretKeyRef": {"name": "datadog", "key": "api-key"}}


# The long-lived exporter


def test_a_deployment_serves_and_is_probed_where_it_listens(chart: Chart) -> None:
    manifests = chart.render_file("deployment")

    deployment = only(manifests, "Deployment")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    labels = pod_template(manifests)["metadata"]["labels"]
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    collector = container(manifests)
    assert collector["args"] == [*("serve", "--push", "--host=::", "--port=9900", "--interval=10m")]
    assert collector["ports"] == [{"name": "http", "containerPort": 9900}]
    assert collector["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert collector["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    service = only(manifests, "Service")
    assert service["spec"] == {
        "selector": selector,
        "ports": [{"name": "http", "port": 9900, "targetPort": "http"}],
    }


def test_prometheus_finds_the_service_by_its_labels(chart: Chart) -> None:
    manifests = chart.render_file("deployment")

    monitor = only(manifests, "ServiceMonitor")
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["endpoints"] == [{"port": "http", "path": "/metrics", "interval": "60s"}]
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= only(manifests, "Service")["metadata"]["labels"].items()


def test_the_default_port_of_the_exporter_is_9464(chart: Chart) -> None:
    manifests = chart.render_file("minimal", "--set", "mode=deployment")

    assert container(manifests)["args"] == ["serve", "--push", "--host=::", "--port=9464"]


# Network


def test_a_network_policy_lets_out_dns_and_https_and_nothing_in(chart: Chart) -> None:
    policy = only(
        chart.render_file("minimal", "--set", "networkPolicy.enabled=true"), "NetworkPolicy"
    )

    assert policy["spec"] == {
        "podSelector": {
            "matchLabels": {
                "app.kubernetes.io/name": "dashboard-cronjob",
                "app.kubernetes.io/instance": "wandb-collector",
            }
        },
        "policyTypes": ["Ingress", "Egress"],
        "egress": [
            {
                "ports": [
                    {"protocol": protocol, "port": port}
                    for port in (53, 5353)  # the second is OpenShift's
                    for protocol in ("UDP", "TCP")
                ]
            },
            {"ports": [{"protocol": "TCP", "port": 443}]},
        ],
    }


def test_a_deployment_behind_a_network_policy_can_be_scraped(chart: Chart) -> None:
    policy = only(chart.render_file("deployment"), "NetworkPolicy")

    assert policy["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": "http"}]}]

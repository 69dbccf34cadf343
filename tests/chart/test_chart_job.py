"""What the CronJob says, beyond being valid."""

import json
from typing import Any

import pytest

from .helm_chart import NAME, Chart, container, environment, only, pod_template

OUR_COMMAND = ["collect", "wandb", "--push"]


def job_spec(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = only(manifests, "CronJob")["spec"]["jobTemplate"]["spec"]
    return spec


# The documented command


def test_two_settings_deploy_the_collector_every_30_minutes(chart: Chart) -> None:
    manifests = chart.render(
        *("--set", "image.repository=YOUR/runmetrics", "--set", "datadog.service=wandb-collector")
    )

    assert [manifest["kind"] for manifest in manifests] == ["ServiceAccount", "CronJob"]
    cronjob = only(manifests, "CronJob")
    assert cronjob["metadata"]["name"] == NAME
    spec = {key: value for key, value in cronjob["spec"].items() if key != "jobTemplate"}
    assert spec == {
        "schedule": "*/30 * * * *",
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 200,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
    }
    assert container(manifests)["image"] == "YOUR/runmetrics:0.1.0"
    assert container(manifests)["command"] == ["runmetrics"]
    assert container(manifests)["args"] == OUR_COMMAND
    assert environment(manifests) == {
        "DD_SERVICE": {"fieldRef": {"fieldPath": "metadata.labels['tags.datadoghq.com/service']"}},
    }


def test_the_jobs_deadline_lies_between_the_programs_and_the_interval(chart: Chart) -> None:
    spec = job_spec(chart.render_file("minimal"))

    assert 90 < spec["activeDeadlineSeconds"] < 1800
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


# Exit codes


@pytest.mark.parametrize("kube", ["1.29", "1.30"])
def test_without_pod_failure_policies_every_failure_is_retried(chart: Chart, kube: str) -> None:
    spec = job_spec(chart.render_file("minimal", kube=kube))

    assert "podFailurePolicy" not in spec
    assert spec["backoffLimit"] == 1


@pytest.mark.parametrize("kube", ["1.31", "1.37"])
def test_usage_partial_refused_and_configuration_are_not_retried(chart: Chart, kube: str) -> None:
    spec = job_spec(chart.render_file("minimal", kube=kube))

    assert spec["backoffLimit"] == 1
    assert spec["podFailurePolicy"]["rules"] == [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {
            "action": "FailJob",
            "onExitCodes": {
                "containerName": "collector",
                "operator": "In",
                "values": [2, 76, 77, 78],
            },
        },
    ]


# Zeros and large numbers


def test_zeros_are_kept(chart: Chart) -> None:
    manifests = chart.render(
        *("--set", "image.repository=a/b", "--set", "job.backoffLimit=0"),
        *("--set", "job.ttlSecondsAfterFinished=0"),
        *("--set", "job.successfulJobsHistoryLimit=0,job.failedJobsHistoryLimit=0"),
    )

    assert job_spec(manifests)["backoffLimit"] == 0
    assert job_spec(manifests)["ttlSecondsAfterFinished"] == 0
    assert only(manifests, "CronJob")["spec"]["successfulJobsHistoryLimit"] == 0
    assert only(manifests, "CronJob")["spec"]["failedJobsHistoryLimit"] == 0


def test_a_million_seconds_are_an_integer(chart: Chart) -> None:
    spec = job_spec(chart.render_file("everything"))

    assert spec["activeDeadlineSeconds"] == 1_000_000
    assert type(spec["ttlSecondsAfterFinished"]) is int


# Labels


@pytest.mark.parametrize("mode", ["cronjob", "deployment"])
def test_unified_service_tags_are_on_the_workload_and_on_the_pod(chart: Chart, mode: str) -> None:
    manifests = chart.render_file("existing-secret", "--set", f"mode={mode}")

    workload = only(manifests, "CronJob" if mode == "cronjob" else "Deployment")
    for labels in (
        workload["metadata"]["labels"],
        pod_template(manifests)["metadata"]["labels"],
    ):
        assert labels["tags.datadoghq.com/env"] == "prod"
        assert labels["tags.datadoghq.com/service"] == "wandb-collector"
        assert labels["tags.datadoghq.com/version"] == "1.10"
    for name in ("env", "service", "version"):
        assert environment(manifests)[f"DD_{name.upper()}"] == {
            "fieldRef": {"fieldPath": f"metadata.labels['tags.datadoghq.com/{name}']"}
        }
    assert environment(manifests)["DD_SITE"] == "datadoghq.eu"


def test_pod_labels_are_added_but_never_replace_the_selector(chart: Chart) -> None:
    template = pod_template(chart.render_file("everything"))

    assert template["metadata"]["labels"] == {
        "app.kubernetes.io/name": "collector",
        "app.kubernetes.io/instance": "wandb-collector",
        "team": "ml-platform",
        "tags.datadoghq.com/env": "prod",
        "tags.datadoghq.com/service": "wandb-collector",
        "tags.datadoghq.com/version": "abc123",
    }


# Image and command


def test_a_digest_wins_over_the_tag(chart: Chart) -> None:
    image = container(chart.render_file("aws-role", "--set", "image.tag=x"))["image"]

    assert image == (
        "111122223333.dkr.ecr.us-west-2.amazonaws.com/runmetrics@sha256:"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    )


def test_a_command_of_your_own_gets_no_arguments_of_ours(chart: Chart) -> None:
    command = ["uv", "run", "python", "devops/datadog/scripts/run_collector.py", "wandb", "--push"]

    collector = container(
        chart.render_file("minimal", "--set-json", f"command={json.dumps(command)}")
    )

    assert collector["command"] == command
    assert "args" not in collector


def test_arguments_of_your_own_keep_our_command(chart: Chart) -> None:
    collector = container(chart.render_file("minimal", "--set", "args={collect,wandb,--json}"))

    assert collector["command"] == ["runmetrics"]
    assert collector["args"] == ["collect", "wandb", "--json"]


# Shards


@pytest.mark.parametrize("kube", ["1.29", "1.37"])
def test_shards_make_an_indexed_job_whose_pods_fail_alone(chart: Chart, kube: str) -> None:
    manifests = chart.render_file("sharded", "--set", "job.backoffLimit=2", kube=kube)

    spec = job_spec(manifests)
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == 4
    assert spec["backoffLimitPerIndex"] == 2
    assert "backoffLimit" not in spec
    assert container(manifests)["args"] == [*OUR_COMMAND, "--shard=$(JOB_COMPLETION_INDEX)/4"]
    if kube == "1.37":
        assert spec["podFailurePolicy"]["rules"][1]["action"] == "FailIndex"


def test_one_shard_is_a_plain_job(chart: Chart) -> None:
    spec = job_spec(chart.render_file("minimal", "--set", "shards=1"))

    assert not spec.keys() & {"completionMode", "completions", "parallelism"}


def test_every_shard_has_a_spool_of_its_own(chart: Chart) -> None:
    manifests = chart.render_file("sharded")

    (mount,) = [m for m in container(manifests)["volumeMounts"] if m["name"] == "spool"]
    assert mount == {
        "name": "spool",
        "mountPath": "/var/lib/runmetrics",
        "subPathExpr": "shard-$(JOB_COMPLETION_INDEX)",
    }
    claim = only(manifests, "PersistentVolumeClaim")
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "efs",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    assert environment(manifests)["RUNMETRICS_SPOOL_DIR"] == "/var/lib/runmetrics"


def test_an_existing_claim_is_mounted_and_none_is_made(chart: Chart) -> None:
    manifests = chart.render_file(
        *("minimal", "--set", "persistence.enabled=true,persistence.existingClaim=spool")
    )

    assert [manifest["kind"] for manifest in manifests] == ["ServiceAccount", "CronJob"]
    assert pod_template(manifests)["spec"]["volumes"][1] == {
        "name": "spool",
        "persistentVolumeClaim": {"claimName": "spool"},
    }

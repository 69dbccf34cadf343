"""The doctor in this process, over real sockets, on a machine where all is well but one thing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runmetrics.sandbox.http import LoopbackServer
from runmetrics.sandbox.intake import DatadogIntake
from runmetrics.sandbox.resolvers import Viewer
from runmetrics.sandbox.store import StoredRun
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox
from tests.cli.metrics.case import Ended, command
from tests.collectors.wandb.collecting import run, sandbox_of

DATADOG_KEY = "datadog-canary-of-no-known-pattern"
OTHER_KEY = "wandb-canary-of-no-known-pattern"
AWS_KEY = "canary-of-aws-and-of-no-known-pattern"
SECRETS = (SANDBOX_KEY, DATADOG_KEY, OTHER_KEY, AWS_KEY)
OF_PROJECTS = [
    *("server fields", "project", "runs", "accuracy", "loss"),
    *("GPU count", "GPU utilization", "collecting"),
]
"""The steps that a W&B server and account come before."""

NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class World:
    """A W&B and a Datadog that answer."""

    wandb: WandbSandbox
    intake: DatadogIntake

    def doctor(
        self, *arguments: str | Path, datadog_key: str | None = DATADOG_KEY, **environment: str
    ) -> Ended:
        """Run it, with these variables over what makes it work; None sets no Datadog key."""
        variables = {"DD_URL": self.intake.url, **environment}
        if datadog_key is not None:
            variables["DD_API_KEY"] = datadog_key
        ended = command("doctor", *arguments, sandbox=self.wandb, **variables)
        assert not any(secret in ended.out + ended.err for secret in SECRETS)
        assert "Traceback" not in ended.err
        return ended


def healthy_runs(**changes: Any) -> list[StoredRun]:
    """Two runs of the last hour that hold everything the ten need."""
    whole = {
        "summary": {"accuracy": 0.5, "loss": 0.25},
        "gpu_count": 2,
        "system_metrics": {"system.gpu.0.gpu": 80, "system.gpu.1.gpu": 60},
        **changes,
    }
    return [run("done", **whole), run("live", "running", **whole)]


@contextmanager
def world(*runs: StoredRun, **options: Any) -> Iterator[World]:
    """Project e/p with these runs (healthy ones if none are given), and an intake."""
    options.setdefault("viewer", Viewer("ada", entity="ada", teams=("e", "acme")))
    with (
        sandbox_of(*(runs or healthy_runs()), **options) as wandb,
        DatadogIntake(keys=[DATADOG_KEY]) as intake,
    ):
        yield World(wandb, intake)


def lines(ended: Ended, *verdicts: str) -> list[str]:
    """Whole lines of these verdicts, in order; of all but the good ones when none are named."""
    wanted = verdicts or ("warning", "broken")
    return [line for line in ended.out.splitlines() if line.startswith(wanted)]


def steps(ended: Ended, verdict: str) -> list[str]:
    """The steps that were found so, in order."""
    return [line[11:28].split("  ")[0].strip() for line in lines(ended, verdict)]


def line(verdict: str, step: str, text: str) -> str:
    """A line as the doctor writes it."""
    return f"{verdict:<9}  {step:<15}  {text}"


def port_of(server: LoopbackServer | WandbSandbox) -> str:
    return server.url.rpartition(":")[2]

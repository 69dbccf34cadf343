"""A real Prometheus scrapes `runmetrics serve` and answers for the ten."""

from pathlib import Path

from runmetrics.sandbox.http import Fault, Response
from runmetrics.sandbox.wandb_server import WandbSandbox
from runmetrics.sinks.prometheus.names import family_name
from tests.cli.child import surroundings
from tests.cli.conftest import TEN
from tests.serve.prometheus import scraping
from tests.serve.serving import serving


def test_prometheus_answers_for_the_ten_and_sees_it_when_wandb_is_down(
    wandb: WandbSandbox, promtool: Path, tmp_path: Path
) -> None:
    with (
        serving(surroundings(wandb), tmp_path / "serve.log") as served,
        scraping(promtool.with_name("prometheus"), served.address, tmp_path) as prometheus,
    ):
        served.until(lambda: prometheus.ask("runmetrics_up == 1") != [])
        for metric, (value, unit, _) in TEN.items():
            name = family_name(metric, unit)
            ((labels, found),) = prometheus.ask(name.text)
            assert found == name.value(value)
            assert (labels["wandb_entity"], labels["wandb_project"]) == ("e", "p")
        ((_, age),) = prometheus.ask("runmetrics_data_age_seconds")
        assert 0 <= age < 5

        wandb.server.fault_for = lambda _request: Fault(response=Response(401, b"{}"))
        served.until(lambda: prometheus.ask("runmetrics_up == 0") != [])
        ((_, total),) = prometheus.ask("wandb_runs")

    assert total == 5

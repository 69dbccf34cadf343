"""Collectors and sinks of other packages: found, made, run, and kept from doing harm."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import runmetrics
from runmetrics import (
    Collection,
    ConfigurationError,
    Deadline,
    ExitCode,
    Sample,
    errors,
    model,
    pipeline,
)
from runmetrics.plugins import COLLECTORS, SINKS, find_collector, open_sinks
from runmetrics.sandbox.http import LoopbackServer, Response
from runmetrics.testing import CapturingSink, frozen_deadline, setup_with

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODULE = """
from pathlib import Path

from runmetrics import Collection, Delivery, Sample, Sink

class Mine:
    name = "mine"

    def __init__(self, setup):
        self.size = setup.environ["MINE_SIZE"]

    def collect(self, now, deadline):
        return Collection((Sample("mine.size", float(self.size), now, "byte"),))

class Kept(Sink):
    name = "kept"

    def __init__(self, setup):
        self.file = Path(setup.environ["MINE_FILE"])

    def deliver(self, samples, deadline):
        self.file.write_text(" ".join(sample.name for sample in samples))
        return Delivery(self.name, accepted=tuple(samples))
"""

Install = Callable[[str], None]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "mine_module.py").write_text(MODULE)
    return folder


@pytest.fixture
def install(site: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with the collector `mine`, for this process and its children."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.delitem(sys.modules, "mine_module", raising=False)

    def write(package: str) -> None:
        info = site / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[{COLLECTORS}]\nmine = mine_module:Mine\n[{SINKS}]\nkept = mine_module:Kept\n"
        )

    return write


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runmetrics", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def refusal(name: str) -> str:
    """Why there is no such collector."""
    with pytest.raises(ConfigurationError) as caught:
        find_collector(name)
    return str(caught.value)


def test_a_collector_of_another_package_runs_with_its_variables_and_without_a_key(
    install: Install, tmp_path: Path
) -> None:
    install("runmetrics-mine")
    (tmp_path / ".env").write_text("MINE_SIZE=7\n")

    ended = command("collect", "mine", "--json", folder=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    (found,) = json.loads(ended.stdout)["samples"]
    assert (found["name"], found["value"], found["unit"]) == ("mine.size", 7.0, "byte")


def test_a_sink_of_another_package_is_made_from_the_same_setup(
    install: Install, tmp_path: Path
) -> None:
    install("runmetrics-mine")
    (tmp_path / ".env").write_text("MINE_SIZE=7\nMINE_FILE=arrived\n")

    ended = command("collect", "mine", "--push", "--sink", "kept", folder=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "arrived").read_text().startswith("mine.size runmetrics.up ")


def test_opentelemetrys_variables_may_stand_in_the_env_file(
    install: Install, tmp_path: Path
) -> None:
    install("runmetrics-mine")
    with LoopbackServer(lambda _request: Response(content_type="application/x-protobuf")) as server:
        (tmp_path / ".env").write_text(
            f"MINE_SIZE=7\nOTEL_EXPORTER_OTLP_ENDPOINT={server.url}\n"
            "OTEL_EXPORTER_OTLP_HEADERS=api-key=k\nOTEL_SERVICE_NAME=mine\n"
        )

        ended = command("collect", "mine", "--push", "--sink", "otlp", folder=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    (request,) = server.requests
    assert request.headers["api-key"] == "k"
    assert b"mine.size" in request.body


def test_what_is_no_sink_is_refused(install: Install, site: Path) -> None:
    install("runmetrics-mine")
    (site / "mine_module.py").write_text(MODULE.replace("class Kept(Sink)", "class Kept"))

    with pytest.raises(ConfigurationError) as refused:
        open_sinks(["kept"], setup_with({"MINE_FILE": "x"}))

    assert str(refused.value) == (
        "the sink 'kept' opens mine_module.Kept, which is no sink: inherit from runmetrics.Sink"
    )


def test_collectors_and_sinks_are_listed_with_their_packages(
    install: Install, tmp_path: Path
) -> None:
    install("runmetrics-mine")

    ended = command("collectors", folder=tmp_path)

    assert ended.returncode == 0
    assert [line.split() for line in ended.stdout.splitlines()] == [
        ["collector", "mine", "runmetrics-mine", "1.0"],
        ["collector", "wandb", "runmetrics", runmetrics.__version__],
        ["sink", "datadog", "runmetrics", runmetrics.__version__],
        ["sink", "kept", "runmetrics-mine", "1.0"],
        ["sink", "otlp", "runmetrics", runmetrics.__version__],
        ["sink", "prometheus", "runmetrics", runmetrics.__version__],
    ]


def test_a_collector_that_is_not_there_is_refused(install: Install) -> None:
    install("runmetrics-mine")

    assert refusal("yours") == "there is no collector 'yours': installed are: mine, wandb"


def test_two_collectors_of_one_name_are_refused(install: Install) -> None:
    install("runmetrics-mine")
    install("other-mine")

    assert refusal("mine") == (
        "several packages install a collector 'mine': other-mine 1.0, runmetrics-mine 1.0: "
        "uninstall all of them but one"
    )


def test_a_collector_that_cannot_be_imported_is_a_matter_of_its_package(
    install: Install, site: Path
) -> None:
    install("runmetrics-mine")
    (site / "mine_module.py").write_text("import a_module_that_nobody_has\n")

    assert refusal("mine") == (
        "the collector 'mine' of runmetrics-mine 1.0 cannot be loaded (No module named "
        "'a_module_that_nobody_has'): install that package again, with what it needs"
    )


# what the pipeline makes of it


class Scripted:
    name = "mine"

    def __init__(self, act: Callable[[datetime], Collection]) -> None:
        self.act = act

    def collect(self, now: datetime, _deadline: Deadline) -> Collection:
        return self.act(now)


def test_a_bug_of_a_collector_is_its_own_and_shows_no_secret() -> None:
    def act(_now: datetime) -> Collection:
        raise KeyError("Bearer 0123456789abcdef0123456789abcdef")

    outcome = pipeline.run(Scripted(act), [], NOW, frozen_deadline())

    assert outcome.exit_code is ExitCode.BUG
    (problem,) = outcome.collection.problems
    assert str(problem) == (
        "a bug of the collector mine: KeyError: 'Bearer ***': please report it with the output of "
        "the same command with --verbose"
    )


def test_what_a_collector_gives_arrives_at_every_sink() -> None:
    sinks = [CapturingSink(), CapturingSink()]
    samples = tuple(Sample("mine.size", 7.0, NOW, tags={"path": path}) for path in ("/a", "/b"))

    outcome = pipeline.run(Scripted(lambda _: Collection(samples)), sinks, NOW, Deadline(60))

    assert outcome.exit_code is ExitCode.OK
    assert [sink.value("mine.size", path="/b") for sink in sinks] == [7.0, 7.0]
    assert sinks[0].value("mine.size", path="/c") is None
    with pytest.raises(AssertionError, match=r"^2 samples are called mine\.size and have these"):
        sinks[0].value("mine.size")


# the public surface


def public(module: object) -> set[str]:
    """Names of the classes that a module defines for others."""
    return {
        name
        for name, value in vars(module).items()
        if isinstance(value, type)
        and value.__module__ == getattr(module, "__name__", "")
        and not name.startswith("_")
    }


def test_everything_that_a_plugin_needs_is_exported() -> None:
    seams = {"Collector", "Setup", "Sink", "Deadline", "__version__"}

    assert set(runmetrics.__all__) == seams | public(model) | public(errors)
    assert runmetrics.__all__ == sorted(runmetrics.__all__)
    assert all(hasattr(runmetrics, name) for name in runmetrics.__all__)


def test_the_names_cost_no_heavy_import() -> None:
    heavy = "{'pydantic', 'httpx', 'wandb', 'typer', 'rich', 'asyncio', 'yaml'}"
    code = f"import sys, runmetrics; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"

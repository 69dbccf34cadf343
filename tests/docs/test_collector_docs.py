"""The pages for those who write collectors: true from the first command to the last."""

import dataclasses
import importlib
import os
import re
import site
import subprocess
import sysconfig
import venv
from datetime import UTC, datetime
from pathlib import Path

import pytest

import runmetrics
from runmetrics import ExitCode, Sample
from runmetrics.testing import frozen_deadline, setup_with
from tests.docs.pages import writer

REPOSITORY = Path(__file__).parents[2]
PLUGIN = REPOSITORY / "examples/collector-plugin"
GUIDE = REPOSITORY / "docs/ADDING_NEW_COLLECTOR.md"
ARCHITECTURE = REPOSITORY / "docs/COLLECTORS_ARCHITECTURE.md"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_every_module_says_what_it_is() -> None:
    rows = writer()["modules"]().splitlines()[2:]
    silent = [row for row in rows if not row.endswith((". |", "? |"))]

    assert silent == []


def test_every_file_of_the_example_is_in_the_guide() -> None:
    shown = {REPOSITORY / name for name in re.findall(r"<!-- begin: (\S+) -->", GUIDE.read_text())}
    files = {
        path
        for path in PLUGIN.rglob("*")
        if path.is_file() and path.stat().st_size and path.suffix in (".py", ".toml")
    }

    assert shown == files


@pytest.mark.parametrize("page", [GUIDE, ARCHITECTURE], ids=lambda page: page.name)
def test_links_and_names_of_files_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    modules = re.findall(r"`([\w/]+\.py)`", text.partition("<!-- begin: modules -->")[0])
    folders = (REPOSITORY / "src", REPOSITORY / "examples")
    files = [path.as_posix() for folder in folders for path in folder.rglob("*.py")]

    assert [link for link in links if not (page.parent / link).exists()] == []
    assert [each for each in modules if not any(file.endswith(f"/{each}") for file in files)] == []


# the guide, followed from top to bottom


@dataclasses.dataclass(frozen=True)
class Step:
    """A command of the guide, and what it printed."""

    command: str
    code: int
    out: str


def blocks(language: str) -> list[str]:
    text = GUIDE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Step]:
    """Every command of the guide in the order of the page, by what it begins with."""
    place = tmp_path_factory.mktemp("author")
    environment = author(place)
    package = place / "runmetrics-disk"
    done: dict[str, Step] = {}
    for command in blocks("sh"):
        ended = subprocess.run(
            ["bash", "-euc", command],
            cwd=package if package.exists() else place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        out = ended.stdout + (ended.stderr if ended.returncode else "")
        done[command.strip()] = Step(command, ended.returncode, out)
        if len(done) == 1:
            write_what_the_guide_shows(package)
    return done


def author(place: Path) -> dict[str, str]:
    """The environment of somebody with runmetrics, pytest and mypy installed, and no network."""
    home = place / "venv"
    venv.create(home, symlinks=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(home)})
    source = Path(runmetrics.__file__).parents[1]
    ours = [*site.getsitepackages(), str(source)]
    (Path(packages) / "ours.pth").write_text("\n".join(ours), encoding="utf-8")
    script = home / "bin/runmetrics"
    script.write_text(f"#!{home}/bin/python\nfrom runmetrics.cli.main import main\n\nmain()\n")
    script.chmod(0o755)
    settings = place / "uv.toml"
    settings.write_text("[pip]\nno-deps = true\nno-build-isolation = true\n")
    known = ("PATH", "LANG", "LC_ALL")
    return {
        **{name: os.environ[name] for name in known if name in os.environ},
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "HOME": str(place),
        "VIRTUAL_ENV": str(home),
        "UV_CONFIG_FILE": str(settings),
        "UV_OFFLINE": "1",
        "MYPY_CACHE_DIR": str(REPOSITORY / ".cache/mypy-plugin"),
        "PYTHONIOENCODING": "utf-8",
    }


def write_what_the_guide_shows(package: Path) -> None:
    parts = r"<!-- begin: examples/collector-plugin/(\S+) -->\n```\w+\n(.*?)```\n<!-- end"
    for name, text in re.findall(parts, GUIDE.read_text(encoding="utf-8"), re.DOTALL):
        (package / name).write_text(text, encoding="utf-8")


def step(steps: dict[str, Step], beginning: str) -> Step:
    (found,) = [step for command, step in steps.items() if beginning in command]
    return found


def shape(text: str) -> list[str]:
    """What was printed, without the width of columns and with every number as 0."""
    lines = [re.sub(r"─+", "-", " ".join(line.split())) for line in text.splitlines()]
    return [re.sub(r"\d[\d,.]*", "0", line) for line in lines if line]


def test_every_command_of_the_guide_works(steps: dict[str, Step]) -> None:
    assert [(s.command, s.out) for s in steps.values() if s.code] == []
    assert len(steps) == 6


def test_the_plugin_is_listed_as_shown(steps: dict[str, Step]) -> None:
    assert step(steps, "runmetrics collectors").out == blocks("text")[0]


def test_the_plugin_prints_what_is_shown(steps: dict[str, Step]) -> None:
    assert shape(step(steps, "collect disk").out) == shape(blocks("text")[1])


def test_the_plugin_passes_the_contract(steps: dict[str, Step]) -> None:
    assert "14 passed" in step(steps, "pytest").out


def test_the_plugin_is_well_typed(steps: dict[str, Step]) -> None:
    assert step(steps, "mypy").out == "Success: no issues found in 2 source files\n"


# the examples, in process


PUBLIC = {"runmetrics", "runmetrics.testing", "runmetrics_disk"}


@pytest.mark.parametrize("file", sorted((REPOSITORY / "examples").rglob("*.py")), ids=str)
def test_the_examples_use_public_names_only(file: Path) -> None:
    found = re.findall(r"^\s*(?:from|import) (runmetrics[\w.]*)", file.read_text(), re.MULTILINE)

    assert set(found) <= PUBLIC


def test_the_example_collector_has_no_time_to_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN / "src"))
    disk = importlib.import_module("runmetrics_disk")

    collected = disk.DiskCollector(setup_with({"DISK_PATHS": "/"})).collect(NOW, frozen_deadline(0))

    assert [str(problem) for problem in collected.problems] == [
        "/ was not reached in time: raise --timeout"
    ]
    assert collected.samples == ()


def test_the_example_sink_accounts_for_every_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "examples"))
    lines = importlib.import_module("lines_sink")

    sink = lines.LinesSink(setup_with({"LINES_FILE": str(tmp_path / "lines")}))
    sample = Sample("disk.free", 7.0, NOW, "byte", {"path": "/"})

    assert sink.deliver([sample], frozen_deadline()).accepted == (sample,)
    assert (tmp_path / "lines").read_text() == (
        '{"name": "disk.free", "value": 7.0, "unit": "byte", '
        '"time": "2026-03-01T12:00:00+00:00", "tags": {"path": "/"}}\n'
    )
    misled = lines.LinesSink(setup_with({"LINES_FILE": str(tmp_path)}))
    refused = misled.deliver([sample], frozen_deadline())
    assert (refused.undelivered, refused.code) == ((sample,), ExitCode.TEMPORARY)
    assert refused.error == (
        f"{tmp_path} cannot be written (Is a directory): look at its directory"
    )

"""The image holds what it needs, runs both commands, and neither fetches nor writes at start."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from .dockerfile import REPOSITORY, VENV, WORKSPACE, Image, Instruction, copied, environment, stages

OLD_COMMAND = ("uv", "run", "python", "devops/datadog/scripts/run_collector.py", "wandb")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image's content, built once by the Dockerfile's own lines."""
    made = Image(tmp_path_factory.mktemp("image"))
    made.build()
    return made


def final() -> list[Instruction]:
    return stages()[-1]


def text_of(word: str) -> str:
    (line,) = [line for line in final() if line.word == word]
    return line.text


# What the Dockerfile says


def test_both_stages_start_from_the_one_base_that_can_be_pinned_by_digest() -> None:
    assert [stage[0].text for stage in stages()] == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]


def test_the_user_is_a_number_above_10000() -> None:
    user, group = text_of("USER").split(":")

    assert int(user) > 10000
    assert int(group) > 10000
    assert f"useradd --uid {user} " in text_of("RUN")


def test_the_image_is_the_command() -> None:
    assert json.loads(text_of("ENTRYPOINT")) == ["runmetrics"]
    assert json.loads(text_of("CMD")) == ["--help"]
    assert text_of("WORKDIR") == WORKSPACE


def test_the_old_command_is_kept_from_the_network() -> None:
    told = environment(final())

    assert told["UV_PROJECT_ENVIRONMENT"] == VENV
    assert {told[name] for name in ("UV_OFFLINE", "UV_NO_SYNC", "UV_NO_CACHE")} == {"1"}


def test_the_base_images_own_installers_are_gone() -> None:
    assert "pip uninstall --yes --root-user-action=ignore pip setuptools wheel" in text_of("RUN")


def test_everything_copied_is_let_through_to_the_build() -> None:
    ignore = (REPOSITORY / ".dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!") for line in ignore if line.startswith("!")}

    wanted = {name.rstrip("/") for stage in stages() for name in copied(stage)}

    assert "*" in ignore
    assert wanted == let_through


def test_everything_that_goes_into_the_wheel_is_copied_to_the_build() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]

    copied_to_the_build = {name.rstrip("/") for name in copied(stages()[0])}

    assert {*wheel["force-include"], "src"} <= copied_to_the_build


@pytest.mark.parametrize("name", ["requirements.txt", "devops/image/build-requirements.txt"])
def test_every_requirement_is_pinned_by_hash_and_names_no_index(name: str) -> None:
    text = (REPOSITORY / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]

    assert lines
    for line in lines:
        assert re.match(r"[A-Za-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line


def test_the_build_requirements_pin_what_their_input_names() -> None:
    directory = REPOSITORY / "devops/image"
    pinned = (directory / "build-requirements.txt").read_text()

    lines = (directory / "build-requirements.in").read_text().splitlines()
    for name in [re.split("[>=<]", line)[0] for line in lines if not line.startswith("#")]:
        assert re.search(rf"^{name}==", pinned, re.MULTILINE)


# What its steps make


def test_the_command_runs(image: Image) -> None:
    done = image.run("runmetrics", "--help")

    assert done.returncode == 0, done.stderr
    assert "collect" in done.stdout


def test_the_old_command_runs_the_same_program(image: Image) -> None:
    new = image.run("runmetrics", "collect", "wandb", "--help")
    old = image.run(*OLD_COMMAND, "--help")

    assert new.returncode == old.returncode == 0, old.stderr
    assert "--push" in old.stdout


@pytest.mark.parametrize("command", [("runmetrics", "--help"), (*OLD_COMMAND, "--help")])
def test_a_start_writes_nothing_outside_tmp(image: Image, command: tuple[str, ...]) -> None:
    before = image.files()

    image.run(*command)

    assert image.files() == before


def test_every_module_is_compiled(image: Image) -> None:
    package = next(image.venv.rglob("site-packages/runmetrics"))

    for module in package.rglob("*.py"):
        compiled = module.parent / "__pycache__" / f"{module.stem}.cpython-311.pyc"
        assert compiled.exists(), module


def test_no_build_tools_are_left(image: Image) -> None:
    programs = {path.name for path in (image.venv / "bin").iterdir()}

    assert not programs & {"pip", "uv", "hatchling", "gcc"}
    assert not list(Path(image.venv).rglob("*.whl"))

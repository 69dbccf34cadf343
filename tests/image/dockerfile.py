"""The Dockerfile as its instructions, and its build stage run without a container engine."""

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = REPOSITORY / "Dockerfile"
VENV = "/opt/runmetrics"
WORKSPACE = "/workspace/metta"


@dataclass(frozen=True, slots=True)
class Instruction:
    word: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


def stages() -> list[list[Instruction]]:
    """The instructions of each stage, the FROM that opens it first."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: list[list[Instruction]] = []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append(Instruction(word, rest.strip()))
    return found


def environment(stage: list[Instruction]) -> dict[str, str]:
    """What the stage's ENV lines set."""
    pairs = [pair for line in stage if line.word == "ENV" for pair in line.words]
    return dict(pair.split("=", 1) for pair in pairs)


def copied(stage: list[Instruction]) -> list[str]:
    """What the stage takes from the repository."""
    lines = [line.words for line in stage if line.word == "COPY"]
    return [name for words in lines if "--from" not in words[0] for name in words[:-1]]


class Image:
    """The two stages, carried out under one directory by the Dockerfile's own lines.

    `/opt/runmetrics` and `/workspace/metta` become directories below it; everything else that the
    lines name is taken as it stands. `tools` stands for the base image: a Python with pip.
    """

    def __init__(self, root: Path) -> None:
        self.venv = root / "runmetrics"
        self.workspace = root / "workspace"
        self.writable = root / "tmp"
        self._tools = root / "tools"
        self._build_context = root / "build"
        self._build, self._final = stages()
        for directory in (self.workspace, self.writable, self._build_context):
            directory.mkdir()

    def build(self) -> None:
        self._copy(self._build, self._build_context)
        _run("uv", "venv", "--seed", "--python", "3.11", str(self._tools))
        environment_of_build = {
            **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
            **environment(self._build),
            "PATH": f"{self._tools}/bin:/usr/bin:/bin",
        }
        for line in self._build:
            if line.word == "RUN":
                command = line.text.replace(VENV, str(self.venv))
                _run(
                    *("sh", "-c", command),
                    directory=self._build_context,
                    environment=environment_of_build,
                )
        self._copy(self._final, self.workspace)

    def environment(self) -> dict[str, str]:
        """What a container sees: the image's ENV and nothing of this machine's, without network."""
        made = {
            name: value.replace(VENV, str(self.venv))
            for name, value in environment(self._final).items()
        }
        made["PATH"] = made["PATH"].replace("/usr/local/bin", f"{self._tools}/bin")
        closed = "http://127.0.0.1:9"
        return {
            **made,
            "HOME": str(self.writable),
            "TMPDIR": str(self.writable),
            "HTTP_PROXY": closed,
            "HTTPS_PROXY": closed,
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run `command` as the container would."""
        return subprocess.run(
            command,
            cwd=self.workspace,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def files(self) -> dict[Path, int]:
        """Everything in the image but /tmp, with the time of its last change in ns."""
        return {
            path: path.lstat().st_mtime_ns
            for directory in (self.venv, self.workspace)
            for path in [directory, *directory.rglob("*")]
        }

    def _copy(self, stage: list[Instruction], target: Path) -> None:
        for name in copied(stage):
            source = REPOSITORY / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, target / name, ignore=ignored, dirs_exist_ok=True)
            else:
                shutil.copy2(source, target / name)


def _run(
    *command: str, directory: Path | None = None, environment: dict[str, str] | None = None
) -> None:
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr

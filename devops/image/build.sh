#!/bin/sh
# Installs the pinned requirements and this package into a new virtual environment, compiled.
# Usage, in the repository's root: devops/image/build.sh VENV
# Needs uv and hatchling (devops/image/build-requirements.txt) on the PATH.
set -eu
venv=$1

uv venv --quiet --python "$(command -v python3)" "$venv"
uv pip install --quiet --python "$venv" --require-hashes --compile-bytecode --requirement requirements.txt
hatchling build --target wheel --directory "$venv/wheel"
uv pip install --quiet --python "$venv" --no-deps --compile-bytecode "$venv"/wheel/*.whl
rm -r "$venv/wheel"

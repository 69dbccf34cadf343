#!/usr/bin/env bash
# Writes the hash-pinned requirements from pyproject.toml; --check only says whether they are fresh.
# requirements.txt: the package with all extras (image, CI). requirements-dev.txt: that and the
# tools. Pins that are there stay as they are; delete a file, or a line, to renew it.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The dev group asks for the package itself, which no registry has.
grep -v '"runmetrics\[' pyproject.toml > "$work/pyproject.toml"
cp requirements.txt requirements-dev.txt "$work/" 2>/dev/null || true

pins() { # FILE [OPTION ...]
    uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --all-extras \
        "$work/pyproject.toml" --output-file "$work/$1" "${@:2}" > /dev/null
}
pins requirements.txt
pins requirements-dev.txt --constraint "$work/requirements.txt" --group "$work/pyproject.toml:dev"

for file in requirements.txt requirements-dev.txt; do
    if [ "${1:-}" = --check ]; then
        cmp --silent "$file" "$work/$file" || { echo "$file is stale: run devops/pins.sh" >&2; exit 1; }
    else
        cp "$work/$file" "$file"
    fi
done

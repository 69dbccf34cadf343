#!/usr/bin/env bash
# Builds wheel, sdist, chart and SBOM (CycloneDX, of the pinned requirements). Equal sources give
# equal bytes of wheel and sdist. Usage, in the repository's root: devops/release/build.sh DIRECTORY
# Needs helm, and the environment of .ci/run.
set -euo pipefail
export UV_NO_SYNC=1
uv run hatchling build --target wheel --target sdist --directory "$1"
helm package devops/charts/dashboard-cronjob --destination "$1" > /dev/null
uv tool run --from 'cyclonedx-bom>=7,<8' cyclonedx-py requirements requirements.txt \
    --output-reproducible --output-file "$1/runmetrics.cdx.json"

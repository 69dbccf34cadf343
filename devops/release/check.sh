#!/usr/bin/env bash
# Says whether a release may be made: the tag is the version, which the changelog has a heading for,
# and the package's addresses are those of this repository.
# Usage, in the repository's root: devops/release/check.sh TAG OWNER/REPOSITORY REGISTRY
set -euo pipefail
tag=$1 repository=$2 registry=$3
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)

fail() { echo "$1" >&2; exit 1; }

[ "$tag" = "v$version" ] || fail "the tag is $tag, the version v$version: change pyproject.toml"
grep -q "^## $version\b" CHANGELOG.md || fail "CHANGELOG.md has no heading \"## $version\""
! grep -q "github.com/OWNER/" pyproject.toml || fail "write $repository under [project.urls]"
grep -q "github.com/$repository\"" pyproject.toml || fail "[project.urls] is not about $repository"
[[ $registry == */* ]] || fail "REGISTRY is $registry: write HOST/PATH"

# See it work, without an account.
demo:
    uv run runmetrics demo

# Run tests: just test tests/test_text.py
test *arguments:
    uv run --group dev pytest {{arguments}}

# Format, fix what the linter can, write the generated docs.
fix:
    uv run --group dev ruff format .
    uv run --group dev ruff check --fix .
    uv run python devops/docs/write_docs.py

# All checks but the tests.
check:
    uv run --group dev ruff format --check .
    uv run --group dev ruff check .
    uv run --group dev mypy
    uv run python devops/docs/write_docs.py --check

# What CI runs.
ci:
    .ci/run

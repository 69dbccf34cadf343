"""Answers each project path on stdin with all its runs as wandb.Api reads them, a line of JSON."""

import json
import sys

import wandb


def main() -> None:
    """Serve until stdin ends."""
    api = wandb.Api()
    for line in sys.stdin:
        runs = [
            {
                "id": run.id,
                "state": run.state,
                "created_at": run.created_at,
                "heartbeat_at": run.heartbeat_at,
                "summary": run.summary_metrics,
                "system": run.system_metrics,
            }
            for run in api.runs(line.strip(), per_page=100, lazy=False)
        ]
        print(json.dumps(runs), flush=True)  # noqa: T201 - the answer to the test


if __name__ == "__main__":
    main()

"""`python -m runmetrics.sandbox`: the sandbox as a process of its own."""

import argparse

from runmetrics.sandbox.serve import serve


def main() -> None:
    """Read the options and serve."""
    options = argparse.ArgumentParser(prog="python -m runmetrics.sandbox", description=__doc__)
    options.add_argument("--runs", type=int, default=26_000, help="runs in the project's history")
    options.add_argument("--in-window", type=int, default=2_000, help="of them in the last 7 days")
    options.add_argument("--seed", type=int, default=0, help="equal seeds give equal runs")
    options.add_argument("--latency-ms", type=float, default=0.0, help="added to every answer")
    options.add_argument("--port", type=int, default=0, help="0 takes a free one")
    serve(**vars(options.parse_args()))


if __name__ == "__main__":
    main()

"""The sandbox as a process of its own: `runmetrics sandbox`."""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from runmetrics.sandbox.history import fill, live_on
from runmetrics.sandbox.http import Handler, Request, Response
from runmetrics.sandbox.intake import INTAKE_KEY, DatadogIntake
from runmetrics.sandbox.resolvers import Viewer
from runmetrics.sandbox.store import Project, Store
from runmetrics.sandbox.wandb_server import SANDBOX_KEY, WandbSandbox
from runmetrics.text import counted, one_line, show_value, typed

ENTITY = "pufferai"
PROJECT = "metta"
MOST_SERIES = 30
"""Of a push, each on a line of its own."""
_BEAT_SECONDS = 30
"""Between two heartbeats, as of the official client."""


def serve(*, runs: int, in_window: int, seed: int, latency_ms: float, port: int) -> None:
    """Serve a year of runs, and a Datadog intake, until SIGTERM or SIGINT.

    Stdout says where: to a person as the variables to set, and then what the intake receives, to
    a program as one JSON line. `port` is the W&B server's.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    store = Store()
    now = datetime.now(UTC).replace(microsecond=0)
    fill(store, ENTITY, PROJECT, runs=runs, in_window=in_window, now=now, seed=seed)
    latency = latency_ms / 1000
    with (
        WandbSandbox(
            store=store, viewer=Viewer(teams=(ENTITY,)), latency_seconds=latency, port=port
        ) as sandbox,
        DatadogIntake(latency_seconds=latency) as intake,
    ):
        sandbox.before_request = beating(store.project(ENTITY, PROJECT), time.time)
        where = sandbox.url, intake.url
        if sys.stdout.isatty():
            _print(_for_a_person(*where))
            intake.server.handler = _printing(intake.server.handler)
        else:
            _print(_for_a_program(*where))
        stopped.wait()


def beating(project: Project, clock: Callable[[], float]) -> Callable[[int], None]:
    """Return what lets the runs that are running by now train on, called before each request."""
    running = [run for run in project.runs.values() if run.state == "running"]
    last = clock()

    def beat(_request: int) -> None:
        nonlocal last
        seconds = (clock() - last) // _BEAT_SECONDS * _BEAT_SECONDS
        if seconds > 0:
            live_on(running, seconds)
            last += seconds

    return beat


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is all that the command shows


def _printing(handler: Handler) -> Handler:
    """Return the handler, which from now on prints what it receives."""

    def answer(request: Request) -> Response:
        response = handler(request)
        _print(told(request, response, datetime.now()))  # noqa: DTZ005 - as the person's clock
        return response

    return answer


def told(request: Request, response: Response, now: datetime) -> str:
    """Return a line for the request and its answer, and one for each series that it brought."""
    path = request.path.partition("?")[0]
    line = f"{now:%H:%M:%S}  {response.status}  {request.method} {path}"
    if response.status >= 400:
        return f"{line}: {one_line(response.body.decode())}"
    if path != "/api/v2/series":
        return line
    series = json.loads(request.body)["series"]
    size = f"{request.body_bytes_on_the_wire:,} bytes"
    return "\n".join(
        [f"{line}: {counted(len(series), 'series', 'series')}, {size}", *_listed(series)]
    )


def _listed(series: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each series; the tags that all have are said once."""
    shared = set.intersection(*(set(one["tags"]) for one in series))
    yield f"          all are tagged {', '.join(sorted(shared))}"
    shown = series[:MOST_SERIES]
    width = max(len(one["metric"]) for one in shown)
    for one in shown:
        value = show_value(one["points"][-1]["value"], one.get("unit", ""))
        own = "  ".join(sorted(set(one["tags"]) - shared))
        yield f"          {one['metric']:{width}}  {value}  {own}".rstrip()
    if more := len(series) - len(shown):
        yield f"          and {more} more"


def _for_a_program(url: str, intake_url: str) -> str:
    where = {"url": url, "key": SANDBOX_KEY, "entity": ENTITY, "project": PROJECT}
    return json.dumps({**where, "intake_url": intake_url, "intake_key": INTAKE_KEY})


def _for_a_person(url: str, intake_url: str) -> str:
    return f"""\
# A W&B server and a Datadog intake with made-up runs; Ctrl-C ends them. What the intake
# receives is shown here. In another terminal:
export WANDB_BASE_URL={url}
export WANDB_API_KEY={SANDBOX_KEY}
export WANDB_ENTITY={ENTITY}
export WANDB_PROJECT={PROJECT}
export DD_URL={intake_url}
export DD_API_KEY={INTAKE_KEY}
export DD_APP_KEY={INTAKE_KEY}
{typed("collect wandb --push")}"""

"""The page for people: one HTML document with everything in it, as of the last collection."""

import base64
import functools
import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from xml.etree.ElementTree import Element

from runmetrics.logs import redact
from runmetrics.model import Problem, project_of
from runmetrics.report import delivered
from runmetrics.serve.loop import Loop
from runmetrics.serve.markup import Child, document, el
from runmetrics.serve.snapshot import Entry, Snapshot
from runmetrics.serve.tiles import tiles
from runmetrics.text import counted, one_line, rough_length, some

_RENEWED_SECONDS, _RENEWED_WHILE_COLLECTING = 15, 2
_MOST_CONCERNED = 12
_ICON = "M2 12h4l3-8 4 14 3-9 2 3h4"


def html(loop: Loop) -> bytes:
    """Return the page as of now."""
    snapshot = loop.snapshot
    title = _title(snapshot)
    renewed = _RENEWED_WHILE_COLLECTING if loop.collecting else _RENEWED_SECONDS
    head = [
        el("meta", {"charset": "utf-8"}),
        el("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        el("title", "", f"{_state(snapshot)[1]} - {title}"),
        el("link", {"rel": "icon", "href": _icon()}),
        el("style"),
        el("script"),
    ]
    head[-2].text, head[-1].text = map(_part, ("page.css", "page.js"))
    lost = "runmetrics does not answer: these are the last values that this page got."
    body = el(
        "body",
        {"data-renew": str(renewed)},
        el("p", {"class": "lost bad", "role": "alert"}, lost),
        _header(loop, snapshot, title),
        _main(loop, snapshot),
        _footer(),
    )
    return document(head, body)


@functools.cache
def policy() -> str:
    """Return the Content-Security-Policy: what is in the page and nothing from anywhere else."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash('page.css')}'",
            f"script-src '{_hash('page.js')}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


@functools.cache
def _part(name: str) -> str:
    return (files("runmetrics.serve") / name).read_text(encoding="utf-8")


def _hash(name: str) -> str:
    digest = hashlib.sha256(_part(name).encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _icon() -> str:
    return (
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' "
        "fill='none' stroke='%235577ee' stroke-width='2.5' stroke-linecap='round' "
        f"stroke-linejoin='round'%3E%3Cpath d='{_ICON}'/%3E%3C/svg%3E"
    )


def _title(snapshot: Snapshot | None) -> str:
    if snapshot is None:
        return "First collection"
    collection = snapshot.outcome.collection
    told: tuple[Entry | Problem, ...] = (
        *snapshot.values,
        *collection.missing,
        *collection.problems,
    )
    projects = sorted({project_of(each.tags) for each in told} - {""})
    if len(projects) > 3:
        return f"{len(projects)} projects"
    return ", ".join(projects) or snapshot.outcome.collector


def _state(snapshot: Snapshot | None) -> tuple[str, str]:
    """Return the colour and the words for how things stand."""
    if snapshot is None:
        return "warn", "Starting"
    collection = snapshot.outcome.collection
    troubles = len(collection.problems)
    troubles += sum(bool(delivery.error) for delivery in snapshot.outcome.deliveries)
    if not collection.samples and not collection.missing:
        return "bad", "Nothing could be read"
    if troubles:
        return "warn", counted(troubles, "problem")
    return "good", "All is known"


def _header(loop: Loop, snapshot: Snapshot | None, title: str) -> Element:
    logo = el("svg", {"viewBox": "0 0 24 24", "aria-hidden": "true"}, el("path", {"d": _ICON}))
    colour, words = _state(snapshot)
    state = el("div", "state", el("span", f"pill {colour}", words))
    clock = loop.clock()
    if snapshot and (age := snapshot.age_seconds(clock)) is not None:
        time = f"{snapshot.outcome.time:%Y-%m-%d %H:%M:%S} UTC"
        shown = el("b", {"title": f"last collection: {time}"}, f"{rough_length(age)} old")
        state.append(el("span", "", "data ", shown))
    if loop.collecting:
        state.append(el("span", "", "collecting now"))
    else:
        wait = el("b", "", rough_length(max(0.0, loop.next_at - clock)))
        state.append(el("span", "", "next collection in ", wait))
    name = el("div", "", el("div", "brand", logo, "runmetrics"), el("h1", "", title))
    return el("header", "", name, state)


def _main(loop: Loop, snapshot: Snapshot | None) -> Element:
    if snapshot is None:
        bound = f"It ends within {rough_length(loop.timeout)}."
        return el(
            "main", "", el("p", "first", el("strong", "", "Reading for the first time"), bound)
        )
    main = el("main", "")
    if problems := [*_problems(snapshot)]:
        main.append(el("ul", "problems", *problems))
    main.extend(tiles(snapshot, loop.clock()))
    main.append(el("div", "foot", *_sections(loop, snapshot)))
    return main


def _problems(snapshot: Snapshot) -> Iterator[Element]:
    problems = snapshot.outcome.collection.problems
    several = len({project_of(problem.tags) for problem in problems}) > 1
    for problem in problems:
        where = f"{project_of(problem.tags)}: " if several else ""
        item = el("li", "problem", el("p", "cause", where, _safe(problem.cause)))
        if problem.fix:
            item.append(el("p", "fix", _safe(problem.fix)))
        if problem.metrics:
            item.append(el("p", "concerned mono", some(problem.metrics, _MOST_CONCERNED)))
        yield item
    for delivery in snapshot.outcome.deliveries:
        if delivery.error:
            yield el("li", "problem", el("p", "cause", _safe(delivery.error)))


def _sections(loop: Loop, snapshot: Snapshot) -> Iterator[Element]:
    outcome = snapshot.outcome
    notices = [*outcome.collection.notices, *outcome.notices, *snapshot.unshown]
    notices += [text for delivery in outcome.deliveries for text in delivery.notices]
    if notices:
        yield _section("Notices", el("ul", "notices", *(el("li", "", _safe(x)) for x in notices)))
    if outcome.deliveries:
        lines = (el("li", "", _safe(delivered(delivery))) for delivery in outcome.deliveries)
        yield _section("Deliveries", el("ul", "", *lines))
    cost = outcome.collection.cost
    runs = "" if cost.runs_read is None else f"{cost.runs_read:,} runs, "
    facts = {
        "took": f"{outcome.seconds:.1f} s, {cost.requests} requests",
        "read": f"{runs}{cost.bytes_received / 1024:,.0f} KiB",
        "every": rough_length(loop.interval),
    }
    pairs = ((el("dt", "", name), el("dd", "", text)) for name, text in facts.items())
    yield _section("Last collection", el("dl", "", *(each for pair in pairs for each in pair)))


def _section(title: str, *children: Child) -> Element:
    return el("section", "", el("h2", "", title), *children)


def _footer() -> Element:
    return el(
        "footer",
        "",
        el("span", "", f"runmetrics {version('runmetrics')}"),
        el("a", {"href": "/metrics"}, "/metrics"),
        el("a", {"href": "/healthz"}, "/healthz"),
        el("a", {"href": "/readyz"}, "/readyz"),
    )


def _safe(text: str) -> str:
    """Return what others said as the log would show it."""
    return redact(one_line(text))

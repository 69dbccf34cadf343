"""HTML elements that cannot be broken out of: the standard library's trees escape all text."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, tostring

from runmetrics.text import one_line, rough_length, show_value

Child = Element | str


def el(tag: str, attributes: Mapping[str, str] | str = "", *children: Child) -> Element:
    """Return an element; a string in the place of the attributes is its class."""
    found = {"class": attributes} if isinstance(attributes, str) and attributes else attributes
    element = Element(tag, {key: one_line(text) for key, text in dict(found or {}).items()})
    for child in children:
        if isinstance(child, str):
            _append(element, one_line(child))
        else:
            element.append(child)
    return element


def link(url: str, *children: Child) -> Element:
    """Return a link to another site; a span where `url` is no web address (javascript: ...)."""
    if urlsplit(url).scheme not in ("http", "https"):
        return el("span", "", *children)
    return el("a", {"href": url, "rel": "noreferrer"}, *children)


def quantity(tag: str, value: float, unit: str) -> Element:
    """Return a number as people read it, its unit smaller, and all its digits as the title."""
    number, _, word = show_value(value, unit).partition(" ")
    shown = el(tag, {"class": "value", "title": f"{value!r} {unit}".strip()}, number)
    if word:
        shown.append(el("small", "", word))
    return shown


def held_badge(seconds: float, why: str) -> Element:
    """Return the mark of a value that was not learned again for so long."""
    return el("span", {"class": "badge bad", "title": why}, f"{rough_length(seconds)} old")


def bar(parts: Sequence[tuple[str, float]], label: str = "") -> Element:
    """Return a bar of parts, each a class and a share of 1; an image where it has a label.

    It is drawn as SVG: the page's policy forbids styles in attributes.
    """
    said = {"role": "img", "aria-label": label} if label else {"aria-hidden": "true"}
    svg = el("svg", {"class": "bar", "viewBox": "0 0 100 1", "preserveAspectRatio": "none", **said})
    start = 0.0
    for css, share in parts:
        place = {"x": f"{start:.3f}", "width": f"{100 * share:.3f}", "height": "1"}
        svg.append(el("rect", {"class": css, **place}))
        start += 100 * share
    return svg


def document(head: list[Element], body: Element) -> bytes:
    """Return a whole HTML page."""
    whole = el("html", {"lang": "en"}, el("head", "", *head), body)
    return b"<!doctype html>\n" + tostring(whole, encoding="unicode", method="html").encode()


def _append(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text

"""HTML elements that cannot be broken out of: the standard library's trees escape all text."""

from collections.abc import Mapping
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from runmetrics.text import one_line

Child = Element | str
Attributes = Mapping[str, str]


def el(tag: str, attributes: Attributes | str = "", *children: Child) -> Element:
    """An element; a string in the place of the attributes is its class."""
    found = {"class": attributes} if isinstance(attributes, str) and attributes else attributes
    element = Element(tag, {key: one_line(text) for key, text in dict(found or {}).items()})
    for child in children:
        if isinstance(child, str):
            _append(element, one_line(child))
        else:
            element.append(child)
    return element


def link(url: str, *children: Child) -> Element:
    """A link to another site; a span where `url` is no web address (javascript: and the like)."""
    if urlsplit(url).scheme not in ("http", "https"):
        return el("span", "", *children)
    return el("a", {"href": url, "rel": "noreferrer"}, *children)


def document(head: list[Element], body: Element) -> bytes:
    """A whole HTML page."""
    whole = Element("html", {"lang": "en"})
    SubElement(whole, "head").extend(head)
    whole.append(body)
    return b"<!doctype html>\n" + tostring(whole, encoding="unicode", method="html").encode()


def _append(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text

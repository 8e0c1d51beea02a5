"""Reading a report as a browser would, without one."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """The elements of a page; checks that each that opens is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def attributes(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def headings(self) -> list[str]:
        return [a["id"] for t, a in self.elements if t == "h2"]


def addresses(page: Page) -> list[str]:
    """Everything that a browser would fetch or follow, but within the page."""
    found = []
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "data", "srcset", "poster", "xlink:href"):
            value = attributes.get(name, "")
            if value and not value.startswith(("#", "data:image/")):
                found.append(value)
    return found


def graph_of(text: str) -> ET.Element:
    """The picture of the graph, read as XML."""
    match = re.search(r'<svg [^>]*class="graph".*?</svg>', text, re.DOTALL)
    assert match is not None
    return ET.fromstring(match[0])

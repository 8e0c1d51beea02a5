"""A page of a browser that is watched: requests, the console, faults that a reader sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe import violations
from playwright.sync_api import Browser, ConsoleMessage, Page, Request
from playwright.sync_api import TimeoutError as NotInTime

FAULTS = (Path(__file__).parent / "faults.js").read_text()


@dataclass
class Watched:
    """A page, and what went wrong on it."""

    page: Page
    home: str
    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def faults(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate(FAULTS)
        return found

    def written(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console.append(f"{message.text} ({message.location.get('url', '')})")

    def requested(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.foreign.append(request.url)


@contextmanager
def watched(browser: Browser, home: str, width: int = 1100) -> Iterator[Watched]:
    page = browser.new_page(viewport={"width": width, "height": 1600})
    watch = Watched(page, home)
    page.on("request", watch.requested)
    page.on("pageerror", lambda error: watch.console.append(str(error)))
    page.on("console", watch.written)
    try:
        yield watch
    finally:
        page.close()


def without_fault(watch: Watched, outputs: int, dark: bool) -> None:
    found = watch.faults()
    assert found["outputs"] == outputs, "an output is missing"
    assert found["empty"] == [], "an output shows nothing"
    assert found["broken"] == [], "an image is broken"
    assert found["cut"] == [], "text is cut off"
    assert found["faint"] == [], "text has too little contrast"
    assert found["dark"] is dark
    assert watch.console == []
    assert watch.foreign == []


def run_first_cell(page: Page, output: str) -> None:
    """Run the first cell of a notebook in JupyterLab, until an output is there.

    A page asks for a kernel when it is ready; what is run before that is lost.
    """
    view = page.locator(output)
    for _ in range(12):
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        try:
            view.first.wait_for(timeout=10_000)
        except NotInTime:
            continue
        return
    pytest.fail("the cell did not run")


def painted(page: Page) -> None:
    """Wait until what was asked for is painted: pages collect changes and paint once a frame."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def accessible(watch: Watched, *, trusted: bool = True) -> None:
    """Check the outputs of cells by axe-core.

    Left out is what is not ours: areas of outputs, which JupyterLab and nbconvert let scroll
    without making them reachable by the keyboard, and images of figures, which they write without
    an alternative text. Of an untrusted notebook JupyterLab also removes our attributes that make
    what scrolls reachable.
    """
    rules = violations(watch.page, ".jp-OutputArea-output")
    scrolling = rules.pop("scrollable-region-focusable", [])
    ours = [html for html in scrolling if not re.match(r'<[a-z]+ [^>]*class="[^"]*\bjp-', html)]
    if ours and trusted:
        rules["scrollable-region-focusable"] = ours
    rules.pop("image-alt", None)
    assert rules == {}

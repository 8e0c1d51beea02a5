"""Reports in a real browser, opened from the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from test_saved_picture import GRAPH, INPUT, chain, faulty, hostile

import nnefkit as nk

pytestmark = pytest.mark.browser


@contextmanager
def opened(browser: Browser, path: Path, width: int = 1280, theme: str = "light") -> Iterator[Page]:
    """Open a page; fail if it says anything on the console, or asks for anything."""
    page = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
    )
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    try:
        yield page
    finally:
        page.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def overlaps(page: Page) -> list[tuple[str, str]]:
    """Boxes of the same level that cover each other, panels included."""
    rows = page.evaluate(
        """() => [...document.querySelectorAll(".level")].map((level) =>
        [...level.children].filter((e) => e.matches(".box, .inside")
            && e.getAttribute("display") !== "none" && e.getBoundingClientRect().width).map((e) => {
          const r = e.querySelector("rect").getBoundingClientRect();
          return [e.dataset.key || e.dataset.for || "", r.left, r.top, r.right, r.bottom];
        }))"""
    )
    return [
        (a[0], b[0])
        for level in rows
        for a, b in combinations(level, 2)
        if a[1] < b[3] - 1 and b[1] < a[3] - 1 and a[2] < b[4] - 1 and b[2] < a[4] - 1
    ]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    suspect = faulty()
    comparison = nk.compare(nk.trace(GRAPH, INPUT), nk.trace(suspect, INPUT))
    nk.report([chain(60)], path.with_name("chain.html"))
    nk.report([hostile()], path.with_name("hostile.html"))
    nk.report([GRAPH, comparison, nk.blame(GRAPH, INPUT, suspect=suspect)], path)
    return path


@pytest.mark.parametrize("name", ["report", "chain", "hostile"])
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (800, "dark")])
def test_a_page_opens_and_folds(
    browser: Browser, report: Path, name: str, width: int, theme: str
) -> None:
    with opened(browser, report.with_name(f"{name}.html"), width, theme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        before = page.locator("svg.graph").bounding_box()
        page.get_by_role("button", name="open all").click()
        assert overlaps(page) == []
        page.get_by_role("button", name="fold all").click()
        assert page.locator("svg.graph").bounding_box() == before
        assert overlaps(page) == []


def test_a_block_opens_by_click_and_key(browser: Browser, report: Path) -> None:
    with opened(browser, report.with_name("chain.html")) as page:
        box = page.locator(".opens").first
        height = page.locator("svg.graph").bounding_box()["height"]  # type: ignore[index]
        box.click()
        assert box.get_attribute("aria-expanded") == "true"
        assert page.locator("svg.graph").bounding_box()["height"] > height  # type: ignore[index]
        assert page.locator(".inside[display=inline]").count() == 1
        box.focus()
        page.keyboard.press("Enter")
        assert box.get_attribute("aria-expanded") == "false"
        assert page.locator("svg.graph").bounding_box()["height"] == height  # type: ignore[index]


def test_a_page_zooms(browser: Browser, report: Path) -> None:
    with opened(browser, report) as page:
        width = page.locator("svg.graph").bounding_box()["width"]  # type: ignore[index]
        page.get_by_role("button", name="zoom in").click()
        assert page.locator("svg.graph").bounding_box()["width"] == pytest.approx(  # type: ignore[index]
            1.25 * width, rel=0.01
        )
        page.locator(".canvas").press("0")
        assert page.locator("svg.graph").bounding_box()["width"] == pytest.approx(width, rel=0.01)  # type: ignore[index]


def test_the_overlay_is_chosen_in_the_page(browser: Browser, report: Path) -> None:
    with opened(browser, report) as page:
        assert page.locator("select").input_value() == "error"
        page.select_option("select", "macs")
        assert any("55.3 k" in text for text in page.locator(".value").all_text_contents())
        page.select_option("select", "none")
        assert not any(page.locator(".value").all_text_contents())
        assert page.locator(".legend:visible").count() == 1


def test_a_page_without_scripts_shows_the_folded_graph(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.with_name("chain.html").as_uri())
    assert page.locator(".box").first.is_visible()
    assert not page.locator(".tools").is_visible()
    assert page.locator(".inside").first.is_hidden()
    context.close()

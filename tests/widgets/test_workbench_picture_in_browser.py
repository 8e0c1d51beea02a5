"""The picture of the workbench as a file, and the map in its corner, in a browser."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from drawn_graphs import compared, image, long_graph
from PIL import Image
from playwright.sync_api import Browser
from workbench_page import WorkbenchPage, pixels, workbench_page

import nnefkit as nk

pytestmark = pytest.mark.browser

GRAPH, COMPARISON = compared()
TRACE = nk.trace(GRAPH, image())


def stage(shown: WorkbenchPage) -> None:
    shown.page.locator(".nk-stage").focus()


def saved(shown: WorkbenchPage, act: Callable[[], None]) -> str:
    """The SVG file that the page saves."""
    with shown.page.expect_download() as download:
        act()
    assert download.value.suggested_filename == f"{shown.view.graph.name}.svg"
    return Path(download.value.path()).read_text("utf-8")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_saved_picture_is_the_one_that_is_seen(browser: Browser, dark: bool) -> None:
    view = nk.view(GRAPH, comparison=COMPARISON)
    with workbench_page(browser, view, dark=dark) as shown:
        stage(shown)
        shown.press("e", "u", "+", "-")
        svg = saved(shown, lambda: shown.page.keyboard.press("s"))
        button = shown.page.get_by_role("button", name="save this picture as an SVG file")
        by_button = saved(shown, button.click)
        # With the focus, the outline of the selection is thicker, the only difference.
        assert len(by_button) < len(svg) + 8
        assert by_button.split('stroke-width="')[:-1] == svg.split('stroke-width="')[:-1]
        texts = {element.text for element in ET.fromstring(svg).iter()}
        assert {"graph residual", "pooled", "flat", shown.text(".nk-side .nk-name")} <= texts
        seen = pixels(shown).astype(int)[..., :3]
        height, width = seen.shape[:2]
        drawing = browser.new_page(viewport={"width": width, "height": height})
        drawing.set_content(f"<style>body {{ margin: 0 }}</style>{svg}")
        picture = Image.open(io.BytesIO(drawing.screenshot())).convert("RGB")
        drawing.close()
        apart = np.abs(np.asarray(picture).astype(int) - seen).sum(axis=-1)
        # Only the edges of letters and lines differ, and the outline of the focus.
        assert (apart > 120).mean() < 0.01
        assert np.abs(np.roll(seen, 12, axis=1) - seen).sum(axis=-1).mean() > 4 * apart.mean()
        assert shown.faults == []


def test_keys_of_the_notebook_are_off_wherever_the_focus_is(browser: Browser) -> None:
    """Notebook 7 looks at the element with the focus before those around it."""
    view = nk.view(GRAPH, comparison=COMPARISON)
    view.select("pooled")
    with workbench_page(browser, view) as shown:
        found = shown.page.evaluate(
            """() => [...document.querySelectorAll(".nk-workbench *")]
              .filter((e) => e.tabIndex >= 0 || e.hasAttribute("tabindex"))
              .filter((e) => !e.hasAttribute("data-lm-suppress-shortcuts"))
              .map((e) => e.outerHTML)"""
        )
        assert found == []
        assert shown.page.locator("[data-lm-suppress-shortcuts]").count() > 20


def test_names_in_the_saved_picture_are_text(browser: Browser) -> None:
    hostile = "<script>window.harmed=1</script>"
    graph = replace(GRAPH, name=f"../{hostile}")
    with workbench_page(browser, nk.view(graph, trace=TRACE)) as shown:
        stage(shown)
        with shown.page.expect_download() as download:
            shown.page.keyboard.press("s")
        assert re.fullmatch(r"[\w.-]+\.svg", download.value.suggested_filename)
        root = ET.parse(download.value.path()).getroot()
        assert not [element for element in root.iter() if element.tag.endswith("script")]
        assert hostile in (root[0].text or "")


def test_the_saved_picture_from_afar_holds_what_is_seen(browser: Browser) -> None:
    with workbench_page(browser, nk.view(long_graph(2_000), detail="operations")) as shown:
        stage(shown)
        shown.press("0")
        svg = saved(shown, lambda: shown.page.keyboard.press("s"))
        assert svg.count("data:image/png;base64,") >= 1
        assert len(svg) < 300_000


def test_the_map_covers_no_box_before_the_picture_is_moved(browser: Browser) -> None:
    with workbench_page(browser, nk.view(long_graph(200)), height=700) as shown:
        stage(shown)
        shown.press("u")
        assert shown.page.locator(".nk-map").is_visible()
        map_box, corner = areas(shown)
        left, top = map_box["x"] - corner["x"], map_box["y"] - corner["y"]
        part = pixels(shown)[
            int(top) : int(top + map_box["height"]), int(left) : int(left + map_box["width"])
        ]
        families = {(58, 132, 201), (146, 114, 196), (47, 143, 139), (184, 122, 20)}
        assert not families & {tuple(color) for color in part[..., :3].reshape(-1, 3).tolist()}
        shown.press("0")
        assert shown.page.locator(".nk-map").is_hidden()


def test_the_map_gives_way_to_the_selection(browser: Browser) -> None:
    with workbench_page(browser, nk.view(long_graph(400), detail="operations")) as shown:
        stage(shown)
        shown.press("+")
        for _ in range(6):
            shown.press("ArrowRight", "ArrowDown")
            assert shown.page.locator(".nk-map").is_visible()
            assert not covers_selection(shown)


def areas(shown: WorkbenchPage) -> tuple[Any, Any]:
    map_box = shown.page.locator(".nk-map").bounding_box()
    corner = shown.page.locator(".nk-canvas").bounding_box()
    assert map_box is not None
    assert corner is not None
    return map_box, corner


def covers_selection(shown: WorkbenchPage) -> bool:
    """Whether the outline of the selected box goes under the map."""
    map_box, corner = areas(shown)
    left, top = int(map_box["x"] - corner["x"]), int(map_box["y"] - corner["y"])
    part = pixels(shown)[top : top + int(map_box["height"]), left : left + int(map_box["width"])]
    return bool((np.abs(part[..., :3].astype(int) - [179, 89, 0]).sum(axis=-1) < 30).any())

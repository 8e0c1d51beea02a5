"""The module of the workbench in a browser, with a model that answers from this process."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn_graphs import compared, image, long_graph, residual
from playwright.sync_api import Browser, expect
from timing import least_seconds
from workbench_page import WorkbenchPage, pixels, workbench_page

import nnefkit as nk

pytestmark = pytest.mark.browser

GRAPH, COMPARISON = compared()
TRACE = nk.trace(GRAPH, image())


def title(shown: WorkbenchPage) -> str:
    return shown.text(".nk-side .nk-name")


def boxes(shown: WorkbenchPage) -> int:
    found = re.search(r"([\d,]+) box", shown.text(".nk-counts"))
    assert found is not None
    return int(found[1].replace(",", ""))


def stage(shown: WorkbenchPage) -> None:
    shown.page.locator(".nk-stage").focus()


def test_keys_walk_open_and_fold(browser: Browser) -> None:
    with workbench_page(browser, nk.view(long_graph(200))) as shown:
        stage(shown)
        shown.press("ArrowRight")
        assert title(shown) == "x"
        shown.press("ArrowRight")
        before = boxes(shown)
        shown.press("Enter")
        assert boxes(shown) > before
        inside = boxes(shown)
        shown.press("ArrowRight")
        assert shown.page.locator(".nk-crumbs button").count() == 1
        shown.press("Backspace", "Enter")
        assert boxes(shown) == before
        shown.press("u")
        assert boxes(shown) >= inside
        shown.press("f")
        assert boxes(shown) == before
        shown.press("End")
        assert title(shown) == "y"
        assert shown.faults == []


def test_a_double_click_opens_a_block_where_it_is(browser: Browser) -> None:
    with workbench_page(browser, nk.view(long_graph(200))) as shown:
        stage(shown)
        shown.press("Home", "ArrowRight")
        area = shown.page.evaluate("window.sent.filter((m) => m.ask === 'path').at(-1).key")
        assert area
        before = boxes(shown)
        place = box_center(shown)
        shown.page.mouse.dblclick(*place)
        shown.settle()
        assert boxes(shown) > before
        assert shown.faults == []


def box_center(shown: WorkbenchPage) -> tuple[float, float]:
    """The middle of the outline around the selected box, on the page."""
    image = pixels(shown).astype(int)
    wanted = shown.page.evaluate(
        "getComputedStyle(document.querySelector('.nk-workbench')).getPropertyValue('--nk-select')"
    )
    color = np.array([int(wanted.strip()[i : i + 2], 16) for i in (1, 3, 5)])
    near = np.abs(image[..., :3] - color).sum(axis=-1) < 30
    rows, columns = np.nonzero(near)
    corner = shown.page.locator(".nk-canvas").bounding_box()
    assert corner is not None
    return corner["x"] + columns.mean(), corner["y"] + rows.mean()


def test_search_lists_and_steps_through(browser: Browser) -> None:
    with workbench_page(browser, nk.view(GRAPH, trace=TRACE)) as shown:
        stage(shown)
        shown.press("/")
        shown.page.keyboard.type("conv")
        expect(shown.page.locator(".nk-found [role=option]")).to_have_count(4)
        names = shown.page.locator(".nk-found strong").all_inner_texts()
        shown.press("Enter")
        assert title(shown) == names[0]
        shown.press("Enter")
        assert title(shown) == names[1]
        assert shown.text(".nk-count") == "2 of 4"
        shown.press("Shift+Enter")
        assert title(shown) == names[0]
        assert shown.view.selection == names[0]
        shown.press("Escape", "Escape")
        assert shown.page.evaluate("document.activeElement.className") == "nk-stage"
        shown.press("/")
        shown.page.keyboard.type("nothing like that")
        expect(shown.page.locator(".nk-found")).to_have_text("nothing found")
        assert shown.faults == []


def test_the_inspector_shows_both_sides_and_jumps(browser: Browser) -> None:
    with workbench_page(browser, nk.view(GRAPH, comparison=COMPARISON)) as shown:
        stage(shown)
        shown.press("e")
        assert title(shown) == COMPARISON.introducing[0].name
        assert "introduces" in shown.text(".nk-verdict")
        expect(shown.page.locator(".nk-panel img")).to_have_count(3)
        for tab in ("heat map", "histogram"):
            shown.page.locator(".nk-tabs button", has_text=tab).click()
            shown.settle()
            expect(shown.page.locator(".nk-panel img")).to_have_count(3)
        shown.page.locator(".nk-tabs button", has_text="values").click()
        shown.settle()
        expect(shown.page.locator(".nk-panel table")).to_have_count(3)
        shown.page.keyboard.press("ArrowLeft")
        shown.settle()
        assert shown.page.evaluate("document.activeElement.textContent") == "histogram"
        shown.page.locator(".nk-jump").first.click()
        shown.settle()
        assert shown.view.selection in GRAPH.tensors or "_" in shown.view.selection
        assert shown.faults == []


def test_pages_of_channels_and_slices(browser: Browser) -> None:
    values = np.arange(2 * 30 * 40 * 16, dtype=np.float32).reshape(2, 30, 40, 16)
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [2, 30, 40, 16]); y = neg(x); }"
    )
    view = nk.view(graph, trace=nk.trace(graph, values))
    view.select("y")
    with workbench_page(browser, view) as shown:
        assert "channels 0–11 of 30" in shown.text(".nk-controls")
        stage(shown)
        shown.press("]")
        assert "channels 12–23 of 30" in shown.text(".nk-controls")
        shown.press("[", "[")
        assert "channels 0–11 of 30" in shown.text(".nk-controls")
        shown.page.locator(".nk-tabs button", has_text="values").click()
        shown.settle()
        shown.page.locator("[data-name='axis 0']").fill("1")
        shown.page.keyboard.press("Enter")
        shown.page.locator("[data-name='axis 1']").focus()
        shown.settle()
        assert shown.text(".nk-values td") == "-19,200"
        shown.page.locator("[data-name='rows-after']").click()
        shown.settle()
        assert shown.text(".nk-values td") == "-19,392"
        assert shown.faults == []


def test_python_moves_the_page(browser: Browser) -> None:
    view = nk.view(GRAPH, trace=TRACE)
    with workbench_page(browser, view) as shown:
        for message in view.answer({"ask": "select", "tensor": "pooled"}):
            shown.page.evaluate("(message) => window.pass(JSON.stringify(message))", message)
        shown.settle()
        assert title(shown) == "pooled"


def test_overlays_are_chosen_by_keyboard(browser: Browser) -> None:
    view = nk.view(GRAPH, trace=TRACE)
    with workbench_page(browser, view) as shown:
        stage(shown)
        shown.press("o")
        assert shown.page.evaluate("document.activeElement.getAttribute('aria-label')")
        shown.page.locator("select").first.select_option("macs")
        shown.settle()
        assert view.overlay == "macs"
        assert "MACs" in shown.text(".nk-legend")
        assert "blocks: sum" in shown.text(".nk-legend")


def test_the_strip_selects_and_follows(browser: Browser) -> None:
    with workbench_page(browser, nk.view(GRAPH, comparison=COMPARISON)) as shown:
        strip = shown.page.locator(".nk-strip")
        before = pixels(shown, ".nk-strip")
        box = strip.bounding_box()
        assert box is not None
        strip.click(position={"x": box["width"] - 130, "y": 30})
        shown.settle()
        assert shown.view.selection == "output"
        assert not np.array_equal(before, pixels(shown, ".nk-strip"))


def test_an_edge_names_its_tensor(browser: Browser) -> None:
    graph = nk.parse(
        "version 1.0; graph g(x) -> (z) { x = external(shape = [1, 3, 5]); some_name = exp(x);"
        " z = log(some_name); }"
    )
    with workbench_page(browser, nk.view(graph, detail="operations")) as shown:
        box = shown.page.locator(".nk-stage").bounding_box()
        assert box is not None
        places = ((x, y) for y in range(30, 110, 7) for x in range(0, int(box["width"]), 12))
        words = set()
        while "some_name · 1×3×5" not in words:
            place = next(places, None)
            assert place is not None, words
            shown.page.mouse.move(box["x"] + place[0], box["y"] + place[1])
            if shown.page.locator(".nk-tip").is_visible():
                words.add(shown.text(".nk-tip"))


def test_hostile_names_are_text(browser: Browser) -> None:
    """Nothing that a graph is called becomes an element of the page."""
    hostile = "<img src=x onerror=window.harmed=1><script>window.harmed=1</script>"
    tensors = dict(GRAPH.tensors)
    tensors["pooled"] = replace(tensors["pooled"], origin=hostile, label=hostile)
    graph = replace(GRAPH, tensors=tensors, name=hostile)
    view = nk.view(graph, trace=TRACE)
    view.select("pooled")
    view.overlay = pd.Series({"pooled": 1.0}, name=hostile)
    with workbench_page(browser, view) as shown:
        stage(shown)
        shown.press("/")
        shown.page.keyboard.type("<img")
        shown.settle()
        assert hostile in shown.page.locator(".nk-side").inner_text()
        assert shown.page.evaluate("window.harmed") is None
        assert shown.page.locator("script").count() == 1
        assert shown.faults == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_nothing_is_cut_off_and_words_are_legible(browser: Browser, width: int, dark: bool) -> None:
    view = nk.view(GRAPH, comparison=COMPARISON)
    with workbench_page(browser, view, width=width, height=1300, dark=dark) as shown:
        stage(shown)
        shown.press("e")
        assert shown.page.locator(".nk-workbench").get_attribute("data-theme") == (
            "dark" if dark else "light"
        )
        faults = shown.page.evaluate(FAULTS)
        assert faults == {"cut": [], "faint": [], "wide": False, "unnamed": []}


FAULTS = """() => {
  const shown = (e) => { const b = e.getBoundingClientRect(); return b.width > 1 && b.height > 1; };
  const all = [...document.querySelectorAll(".nk-workbench *")].filter(shown);
  const say = (e) => `${e.className}: ${(e.textContent || e.outerHTML).slice(0, 60)}`;
  const numbers = (color) => (color.match(/[\\d.]+/g) || []).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const back = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const contrast = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const own = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  return {
    cut: all.filter((e) => {
      const style = getComputedStyle(e);
      if (e.classList.contains("nk-unseen")) return false;
      return style.overflowX === "hidden" && e.scrollWidth > e.clientWidth + 1 && e.clientWidth;
    }).map(say),
    faint: all.filter((e) => own(e) && !e.disabled
      && contrast(getComputedStyle(e).color, back(e)) < 4.5).map(say),
    wide: document.documentElement.scrollWidth > innerWidth,
    unnamed: all.filter((e) => e.matches("button, input, select, [role=tab]")
      && !(e.textContent.trim() || e.getAttribute("aria-label") || e.closest("label"))).map(say),
  };
}"""


def test_a_screen_reader_hears_what_is_selected(browser: Browser) -> None:
    with workbench_page(browser, nk.view(GRAPH, comparison=COMPARISON)) as shown:
        stage(shown)
        shown.press("e")
        spoken = shown.page.locator(".nk-unseen[aria-live=polite]").text_content() or ""
        assert title(shown) in spoken
        assert "introduces a difference" in spoken
        label = shown.page.locator(".nk-stage").get_attribute("aria-label") or ""
        assert label.startswith("graph residual, 13 operations")


def test_help_lists_the_keys_and_keeps_to_itself(browser: Browser) -> None:
    with workbench_page(browser, nk.view(GRAPH)) as shown:
        stage(shown)
        shown.press("?")
        expect(shown.page.locator(".nk-help")).to_be_visible()
        assert "next, previous error" in shown.text(".nk-help")
        shown.press("Escape")
        expect(shown.page.locator(".nk-help")).to_be_hidden()
        shown.press("ArrowRight", "Escape")
        assert shown.view.selection == ""


def test_what_was_stored_is_drawn_without_a_kernel(browser: Browser) -> None:
    view = nk.view(GRAPH)
    with workbench_page(browser, view) as shown:
        drawn = pixels(shown)
        shown.page.evaluate("window.answer = async () => []")
        shown.page.evaluate("document.getElementById('host').firstChild.remove()")
        shown.page.evaluate("window.remove()")
        shown.page.reload()
        shown.settle()
        assert np.array_equal(pixels(shown), drawn)
        assert len(np.unique(drawn.reshape(-1, 4), axis=0)) > 20


def test_a_closed_view_leaves_nothing_behind(browser: Browser) -> None:
    with workbench_page(browser, nk.view(GRAPH)) as shown:
        shown.page.evaluate("window.remove()")
        assert shown.page.locator("#host").inner_html() == ""
        assert shown.faults == []


# -- large graphs ---------------------------------------------------------------------------------


def measured(shown: WorkbenchPage, act: Any) -> tuple[list[float], list[int]]:
    """Milliseconds of each frame, and sizes of messages from Python, while something is done."""
    shown.page.evaluate("() => { window.frames.length = 0; window.received.length = 0; }")
    act()
    shown.settle()
    return shown.page.evaluate("[window.frames, window.received]")


def drag(shown: WorkbenchPage) -> None:
    box = shown.page.locator(".nk-stage").bounding_box()
    assert box is not None
    x, y = box["x"] + 600, box["y"] + 300
    shown.page.mouse.move(x, y)
    shown.page.mouse.down()
    for step in range(30):
        shown.page.mouse.move(x - 14 * step, y - 6 * step)
    shown.page.mouse.up()


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


@pytest.mark.slow
def test_ten_thousand_operations_are_drawn_and_moved_without_delay(browser: Browser) -> None:
    graph = long_graph(10_000)
    view = nk.view(graph)
    with workbench_page(browser, view) as shown:
        assert shown.page.evaluate("window.first") < 1000
        # What a selection needs is computed while nobody waits for it.
        shown.page.wait_for_function("window.sent.some((message) => message.ask === 'prepare')")
        shown.settle()
        assert (
            least_seconds(lambda: view.answer({"ask": "select", "tensor": "t5000"}), tries=1) < 0.2
        )
        view.answer({"ask": "all", "open": False})
        stage(shown)
        shown.press("d")
        assert boxes(shown) > 9_000
        frames, sizes = measured(shown, lambda: drag(shown))
        assert median(frames) < 20
        assert max(sizes, default=0) < 200_000
        shown.press("0")
        frames, sizes = measured(shown, lambda: [shown.press("+") for _ in range(4)])
        frames_far, sizes_far = measured(shown, lambda: drag(shown))
        assert median(frames + frames_far) < 20
        assert max(sizes + sizes_far, default=0) < 200_000
        # From afar, too, a click selects what is there.
        before = shown.view.selection
        box = shown.page.locator(".nk-stage").bounding_box()
        assert box is not None
        for step in range(40):
            shown.page.mouse.click(box["x"] + 200 + 6 * step, box["y"] + 200 + 3 * step)
            shown.settle()
            if shown.view.selection != before:
                break
        assert shown.view.selection
        assert shown.faults == []


def test_two_graphs_are_shown_with_words(browser: Browser) -> None:
    other = residual(lambda values: values * 1.1)
    view = nk.view(GRAPH, other=other)
    with workbench_page(browser, view) as shown:
        assert "changed" in shown.text(".nk-counts")
        assert shown.text(".nk-legend") == "changed"
        stage(shown)
        shown.press("e")
        assert shown.text(".nk-verdict strong") == "changed"
        assert "weight filter differs" in shown.text(".nk-verdict")

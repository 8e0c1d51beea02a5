"""The browsers and the stepper in a real JupyterLab: clicked, by keyboard, light and dark, narrow.

One notebook has all of them, so that one page and one kernel serve all tests of a theme.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from axe import violations
from lab_server import environment, lab_server
from playwright.sync_api import Browser, Page, expect
from watched_page import Watched, run_first_cell, watched

pytestmark = pytest.mark.browser

SOURCES = (
    """import numpy as np, nnefkit as nk
lines = ["x = external(shape = [2, 30, 12, 12]);", "a0 = relu(x);"]
lines += [f"a{i} = {('tanh', 'sigmoid', 'exp')[i % 3]}(a{i - 1});" for i in range(1, 20)]
graph = nk.parse(f"version 1.0; graph g(x) -> (y) {{ {' '.join(lines)} y = log(a19); }}")
values = np.random.default_rng(0).normal(size=(2, 30, 12, 12)).astype(np.float32)
trace = nk.trace(graph, values)
other = dict(trace)
other["a7"] = other["a7"] + np.float32(1e-2)
steps = nk.widgets.stepper(graph, values)
steps""",
    "compared = nk.widgets.compare_browser(nk.compare(trace, other))\ncompared",
    "tensors = nk.widgets.tensor_browser(trace, 'a3')\ntensors",
    "print('python', *steps.steps.current.outputs, compared.name, tensors.name, tensors.index)",
)
THEMES = [
    pytest.param("JupyterLab Light", id="light"),
    pytest.param("JupyterLab Dark", id="dark", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=THEMES)
def live(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """A notebook with the three widgets, live in a JupyterLab of a theme."""
    folder: Path = tmp_path_factory.mktemp("widgets")
    cells = [nbformat.v4.new_code_cell(source) for source in SOURCES]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (folder / "notebooks").mkdir()
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, folder / "notebooks" / "live.ipynb")
    env = environment(folder / "jupyter", request.param)
    with (
        lab_server(folder / "notebooks", env) as home,
        watched(browser, home, width=1280) as watch,
    ):
        watch.page.goto(f"{home}/doc/tree/live.ipynb")
        run_first_cell(watch.page, ".jupyter-widgets .nnefkit-stepper")
        for number, widget in ((1, "comparison"), (2, "tensor")):
            watch.page.locator(".jp-CodeCell .cm-content").nth(number).click()
            watch.page.keyboard.press("Shift+Enter")
            watch.page.locator(f".jupyter-widgets .nnefkit-{widget}").wait_for(timeout=30_000)
        yield watch


def test_they_are_clicked_and_typed_in_and_python_follows(live: Watched) -> None:
    page = live.page
    stepper, compared, tensor = (
        page.locator(f".nnefkit-{name}") for name in ("stepper", "comparison", "tensor")
    )
    # By the mouse, and by the keyboard.
    step = page.get_by_role("button", name="Step")
    step.click()
    expect(stepper).to_contain_text("1 of 21 operations computed", timeout=20_000)
    step.press("Enter")
    expect(stepper).to_contain_text("2 of 21 operations computed", timeout=20_000)
    back = page.get_by_role("button", name="Back")
    expect(back).to_be_enabled(timeout=20_000)
    back.press("Space")
    expect(stepper).to_contain_text("1 of 21 operations computed", timeout=20_000)
    field = page.get_by_placeholder("name of a tensor")
    field.fill("a9")
    field.press("Enter")
    page.get_by_role("button", name="Run to it").click()
    expect(stepper).to_contain_text("10 of 21 operations computed", timeout=20_000)
    field.fill("nothing")
    field.press("Enter")
    page.get_by_role("button", name="Break at it").click()
    expect(page.locator("[role=alert]")).to_contain_text("nothing", timeout=20_000)

    # The worst tensor first; a click shows another one, the search picks some.
    expect(compared).to_contain_text("introduces a difference")
    names = page.locator(".widget-select select")
    names.select_option(index=1)
    expect(compared).not_to_contain_text("introduces a difference", timeout=20_000)
    # The keys of the list are the list's: JupyterLab stays where it is.
    names.focus()
    active = page.evaluate(ACTIVE)
    names.press("ArrowDown")
    expect(names).to_have_js_property("selectedIndex", 2, timeout=20_000)
    names.press("End")
    expect(names).not_to_have_js_property("selectedIndex", 2, timeout=20_000)
    assert page.evaluate(ACTIVE) == active
    page.get_by_placeholder("search: name, operation, verdict").fill("a7 sigmoid")
    expect(names.locator("option")).to_have_count(1, timeout=20_000)
    expect(compared).to_contain_text("a7 in a", timeout=20_000)

    # A search leaves some tensors, a slider goes through the channels by the keyboard.
    page.get_by_placeholder("search: name, operation, shape").fill("a19")
    expect(tensor).to_contain_text("a19[0, 0]", timeout=20_000)
    handle = page.locator(".widget-slider .noUi-handle").last
    handle.focus()
    for _ in range(3):
        handle.press("ArrowRight")
    expect(tensor).to_contain_text("a19[0, 3]", timeout=20_000)
    page.locator(".jp-CodeCell .cm-content").nth(3).click()
    page.keyboard.press("Shift+Enter")
    printed = page.locator(".jp-OutputArea-output pre", has_text="python")
    expect(printed).to_have_text("python a9 a7 a19 (0, 3)\n", timeout=20_000)
    assert live.console == []
    assert live.foreign == []


@pytest.mark.parametrize("width", [1280, 800])
def test_nothing_is_cut_off_and_everything_has_a_name(live: Watched, width: int) -> None:
    page = live.page
    page.set_viewport_size({"width": width, "height": 1600})
    page.wait_for_timeout(500)
    faults = live.faults()
    # Buttons that do nothing at present are faint.
    off = page.locator(".jupyter-widgets button:disabled").all_inner_texts()
    assert [text for text in faults["faint"] if text not in off] == []
    assert faults["broken"] == []
    assert [text for text in faults["cut"] if text.strip()] == []
    assert placeholders_cut(page) == []
    assert unnamed(page) == []
    middles = page.evaluate(MIDDLES)
    assert max(middles) - min(middles) < 4, "the check box is not in line with the buttons"
    rules = violations(page, ".jp-OutputArea-output")
    # The handles of sliders, which ipywidgets does not connect with the words before them.
    rules.pop("aria-input-field-name", None)
    assert rules == {}


ACTIVE = """() => {
  const cells = [...document.querySelectorAll('.jp-Cell')];
  return cells.findIndex((cell) => cell.classList.contains('jp-mod-active'));
}"""
MIDDLES = """() => {
  const check = document.querySelector('.jupyter-widgets input[type=checkbox]');
  const row = check.closest('.widget-hbox');
  return [...row.querySelectorAll('button, input')].map((element) => {
    const box = element.getBoundingClientRect();
    return box.top + box.height / 2;
  });
}"""


def placeholders_cut(page: Page) -> list[str]:
    """The placeholders that are wider than their fields."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('.jupyter-widgets [placeholder]')].filter((e) => {
          const context = document.createElement('canvas').getContext('2d');
          context.font = getComputedStyle(e).font;
          return context.measureText(e.placeholder).width + 16 > e.clientWidth;
        }).map((e) => e.placeholder)"""
    )
    return found


def unnamed(page: Page) -> list[str]:
    """The fields and buttons without a name for readers who cannot see them."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('.jupyter-widgets :is(button, input, select)')]
          .filter((e) => !(e.textContent.trim() && e.tagName === 'BUTTON') && !e.title
            && !e.getAttribute('aria-label') && !e.placeholder
            && !e.labels?.[0]?.textContent.trim())
          .map((e) => e.outerHTML.slice(0, 200))"""
    )
    return found

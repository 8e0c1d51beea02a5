"""The first notebook, executed, looked at in a real browser: JupyterLab and nbconvert's HTML."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from executing import NOTEBOOKS, execute
from lab_server import environment, lab_server
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, Page
from sampled import sampled
from traitlets.config import Config
from watched_page import Watched, accessible, run_first_cell, watched, without_fault

pytestmark = pytest.mark.browser

NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


WIDTHS = (1280, 800)
"""Of pages, in pixels."""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the first notebook, executed from a clean kernel, and its models."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    path = folder / "01_explore_a_model.ipynb"
    nbformat.write(execute(path), path)
    return path


def count_outputs(path: Path) -> int:
    cells = nbformat.read(path, as_version=4).cells
    return sum(1 for cell in cells if cell.cell_type == "code" for _ in cell.outputs)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_jupyterlab_shows_the_executed_notebook_without_fault(
    browser: Browser, executed: Path, tmp_path: Path, theme: str
) -> None:
    env = environment(tmp_path, theme)
    command = [sys.executable, "-m", "jupyter", "trust", str(executed)]
    with lab_server(executed.parent, env) as home, watched(browser, home) as watch:
        watch.page.set_viewport_size({"width": 800, "height": 1600})
        watch.page.goto(f"{home}/doc/tree/{executed.name}")
        shown_without_fault(watch, count_outputs(executed), "Dark" in theme, trusted=False)
        subprocess.run(command, env=env, check=True, capture_output=True)
        watch.page.set_viewport_size({"width": 1280, "height": 1600})
        watch.page.reload()
        shown_without_fault(watch, count_outputs(executed), "Dark" in theme, trusted=True)


def shown_without_fault(watch: Watched, outputs: int, dark: bool, *, trusted: bool) -> None:
    watch.page.wait_for_selector(".jp-OutputArea-output", timeout=60_000)
    watch.page.wait_for_function(
        "count => document.querySelectorAll('.jp-OutputArea-output').length >= count",
        arg=outputs,
        timeout=60_000,
    )
    watch.page.wait_for_load_state("networkidle")
    without_fault(watch, outputs, dark)
    accessible(watch, trusted=trusted)


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", sampled(NAMES, 4))
def test_nbconvert_html_shows_every_notebook_as_stored_without_fault(
    browser: Browser, tmp_path: Path, name: str, theme: str
) -> None:
    config = Config()
    config.HTMLExporter.theme = theme
    # The template's own scripts come from other hosts unless told otherwise.
    for script in ("require_js", "mathjax", "jquery"):
        config.HTMLExporter[f"{script}_url"] = ""
    config.HTMLExporter.mermaid_js_url = "data:text/javascript,"
    config.HTMLExporter.jupyter_widgets_base_url = "data:"
    html, _ = HTMLExporter(config=config).from_filename(str(NOTEBOOKS / name))
    path = tmp_path / "page.html"
    path.write_text(html, encoding="utf-8")
    page = path.as_uri()
    with watched(browser, page) as watch:
        watch.page.goto(page)
        watch.page.wait_for_load_state("networkidle")
        for width in WIDTHS:
            watch.page.set_viewport_size({"width": width, "height": 1600})
            without_fault(watch, count_outputs(NOTEBOOKS / name), theme == "dark")
        accessible(watch)


def test_the_tensor_browser_answers_in_a_live_notebook(browser: Browser, tmp_path: Path) -> None:
    """A moved slider of the widget in the page changes the picture."""
    folder = tmp_path / "live"
    folder.mkdir()
    source = (
        "import numpy as np, nnefkit as nk\n"
        "graph = nk.parse('''version 1.0; graph g(x) -> (y) {\n"
        "  x = external(shape = [1, 4, 8, 8]); y = relu(x); }''')\n"
        "values = np.arange(256, dtype=np.float32).reshape(1, 4, 8, 8)\n"
        "nk.widgets.tensor_browser(nk.trace(graph, {'x': values}))"
    )
    cells = [nbformat.v4.new_code_cell(source)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "live.ipynb")
    env = environment(tmp_path / "jupyter")
    settings = Path(env["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab" / "notebook-extension"
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))
    with lab_server(folder, env) as home, watched(browser, home) as watch:
        page = watch.page
        page.goto(f"{home}/doc/tree/live.ipynb")
        run_first_cell(page, ".jupyter-widgets .nnefkit-tensor")
        changes(page, "Arrow Down of the drop-down", lambda: _choose(page, "y"))
        changes(page, "the channel slider", lambda: _turn(page))
        assert watch.console == []
        assert watch.foreign == []


def _choose(page: Page, name: str) -> None:
    options = page.locator(".widget-dropdown select")
    labels = options.locator("option").all_text_contents()
    options.select_option(label=next(label for label in labels if label.split()[0] == name))


def _turn(page: Page) -> None:
    handle = page.locator(".widget-slider .noUi-handle").last
    handle.focus()
    page.keyboard.press("ArrowRight")


def changes(page: Page, what: str, act: Callable[[], None]) -> None:
    before = page.locator(".nnefkit-tensor").inner_html()
    act()
    page.wait_for_function(
        "before => document.querySelector('.nnefkit-tensor').innerHTML !== before",
        arg=before,
        timeout=20_000,
    )
    assert page.locator(".nnefkit-tensor").inner_html() != before, what

"""The workbench in a real JupyterLab: clicked, searched, opened, moved by mouse and keyboard."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from executing import WIDGET
from lab_server import environment, lab_server
from nbclient import NotebookClient
from playwright.sync_api import Browser, Page, expect
from watched_page import Watched, painted, run_first_cell, watched, without_fault

pytestmark = pytest.mark.browser

SOURCE = """import numpy as np, nnefkit as nk
lines = ["x = external(shape = [1, 4, 8, 8]);"]
last = "x"
for i in range(12):
    lines += [f"a{i} = relu({last});", f"b{i} = tanh(a{i});", f"c{i} = add(b{i}, {last});"]
    last = f"c{i}"
    if i == 5:
        lines.append("m = max_pool(c5, size = [1, 1, 2, 2], stride = [1, 1, 2, 2]);")
        last = "m"
graph = nk.parse(f"version 1.0; graph g(x) -> (y) {{ {' '.join(lines)} y = neg({last}); }}")
values = np.linspace(-1, 1, 256, dtype=np.float32).reshape(1, 4, 8, 8)
trace = nk.trace(graph, values)
view = nk.view(graph, trace=trace)
view"""
SEEN = "print('selected', view.selection, getattr(view.tensor, 'shape', None))"


def notebook(folder: Path) -> Path:
    """A notebook with a view, and a cell that says what is selected in it."""
    folder.mkdir()
    cells = [nbformat.v4.new_code_cell(source) for source in (SOURCE, SEEN)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = folder / "live.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


@contextmanager
def lab(
    browser: Browser, path: Path, theme: str = "JupyterLab Light", place: str = "doc/tree"
) -> Iterator[tuple[Watched, str]]:
    env = environment(path.parent.parent / "jupyter", theme)
    settings = Path(env["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab" / "notebook-extension"
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))
    with lab_server(path.parent, env) as home, watched(browser, home) as watch:
        watch.page.goto(f"{home}/{place}/{path.name}")
        yield watch, home


def expect_title(page: Page, title: str) -> None:
    expect(page.locator(".nk-side .nk-name")).to_have_text(title, timeout=20_000)


def zoom(page: Page) -> str:
    painted(page)
    return page.locator(".nk-zoom").inner_text()


def test_it_is_clicked_searched_and_opened_in_a_live_notebook(
    browser: Browser, tmp_path: Path
) -> None:
    with lab(browser, notebook(tmp_path / "live")) as (watch, _):
        page = watch.page
        run_first_cell(page, ".nk-workbench")
        stage = page.locator(".nk-stage")
        cells = page.locator(".jp-CodeCell").count()

        # Searched.
        page.locator(".nk-search").fill("max_pool")
        expect(page.locator(".nk-found [role=option]")).to_have_count(1, timeout=20_000)
        page.keyboard.press("Enter")
        expect_title(page, "m")
        expect(page.locator(".nk-panel img").first).to_be_visible(timeout=20_000)

        # Walked through with the keyboard; JupyterLab's own keys do nothing meanwhile.
        stage.focus()
        page.keyboard.press("Home")
        expect_title(page, "x")
        before = page.locator(".nk-counts").inner_text()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".nk-side .nk-name")).not_to_have_text("x", timeout=20_000)
        page.keyboard.press("Enter")
        expect(page.locator(".nk-counts")).not_to_have_text(before, timeout=20_000)
        page.keyboard.press("f")
        expect(page.locator(".nk-counts")).to_have_text(before, timeout=20_000)
        for key in ("d", "d", "0", "0", "c", "b", "a", "m"):
            page.keyboard.press(key)
        painted(page)  # what a key does to JupyterLab may take a frame
        assert page.locator(".jp-CodeCell").count() == cells
        assert page.locator(".jp-MarkdownCell").count() == 0
        assert page.locator(".jp-Dialog").count() == 0

        # Zoomed and moved.
        page.keyboard.press("0")
        shown = zoom(page)
        page.keyboard.press("+")
        expect(page.locator(".nk-zoom")).not_to_have_text(shown, timeout=20_000)
        box = stage.bounding_box()
        assert box is not None
        image = stage.screenshot()
        page.mouse.move(box["x"] + 300, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 200, box["y"] + 150, steps=4)
        page.mouse.up()
        painted(page)
        assert stage.screenshot() != image

        # Clicked: what Python sees follows.
        page.keyboard.press("d")
        page.locator(".nk-search").fill("b3")
        page.keyboard.press("Enter")
        expect_title(page, "b3")
        page.locator(".nk-jump", has_text="a3").click()
        expect_title(page, "a3")
        page.locator(".jp-CodeCell .cm-content").nth(1).click()
        page.keyboard.press("Shift+Enter")
        output = page.locator(".jp-OutputArea-output pre", has_text="selected")
        expect(output).to_have_text("selected a3 (1, 4, 8, 8)\n", timeout=20_000)

        # The help opens and closes.
        stage.focus()
        page.keyboard.press("?")
        expect(page.locator(".nk-help")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(".nk-help")).to_be_hidden()
        assert watch.console == []
        assert watch.foreign == []


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_has_the_colors_of_the_theme(browser: Browser, tmp_path: Path, theme: str) -> None:
    with lab(browser, notebook(tmp_path / "live"), theme) as (watch, _):
        run_first_cell(watch.page, ".nk-workbench")
        expected = "dark" if "Dark" in theme else "light"
        expect(watch.page.locator(".nk-workbench")).to_have_attribute("data-theme", expected)
        assert watch.console == []


@pytest.mark.slow
def test_it_answers_in_notebook_7(browser: Browser, tmp_path: Path) -> None:
    with lab(browser, notebook(tmp_path / "live"), place="notebooks") as (watch, _):
        page = watch.page
        page.locator(".jp-CodeCell .cm-content").first.wait_for(timeout=60_000)
        page.wait_for_load_state("networkidle")
        own = [*watch.console]  # what Notebook itself reports while it starts
        run_first_cell(page, ".nk-workbench")
        page.locator(".nk-search").fill("max_pool")
        expect(page.locator(".nk-found [role=option]")).to_have_count(1, timeout=20_000)
        page.keyboard.press("Enter")
        expect_title(page, "m")
        page.locator(".nk-stage").focus()
        page.keyboard.press("ArrowLeft")
        expect_title(page, "relu block")
        page.locator(".nk-search").fill("c5")
        page.keyboard.press("Enter")
        expect_title(page, "c5")
        page.locator(".jp-CodeCell .cm-content").nth(1).click()
        page.keyboard.press("Shift+Enter")
        output = page.locator(".jp-OutputArea-output pre", has_text="selected")
        expect(output).to_have_text("selected c5 (1, 4, 8, 8)\n", timeout=20_000)
        assert watch.console == own
        assert watch.foreign == []


def stored(path: Path, *, state: bool) -> None:
    """Execute a notebook and save it as JupyterLab does: the output has the widget and the card."""
    read = nbformat.read(path, as_version=4)
    NotebookClient(read, timeout=120, store_widget_state=state).execute()
    assert WIDGET in read.cells[0].outputs[0].data
    nbformat.write(read, path)


@pytest.mark.slow
@pytest.mark.parametrize("state", [True, False], ids=["state", "no-state"])
def test_a_stored_notebook_shows_the_static_card(
    browser: Browser, tmp_path: Path, state: bool
) -> None:
    path = notebook(tmp_path / "live")
    stored(path, state=state)
    with lab(browser, path) as (watch, _):
        shows_what_was_stored(watch, is_live=False)
        command = [sys.executable, "-m", "jupyter", "trust", str(path)]
        env = environment(tmp_path / "jupyter")
        subprocess.run(command, env=env, check=True, capture_output=True)
        watch.page.reload()
        shows_what_was_stored(watch, is_live=state)
        assert [text for text in watch.console if "widget model not found" not in text] == []
        assert watch.foreign == []


def shows_what_was_stored(watch: Watched, *, is_live: bool) -> None:
    page = watch.page
    live = page.locator(".nk-workbench")
    card = page.locator(".jp-OutputArea-output img").first
    if is_live:
        expect(live).to_be_visible(timeout=60_000)
        expect(card).to_be_hidden()
    else:
        expect(card).to_be_visible(timeout=60_000)
        page.wait_for_timeout(4_000)  # The widget manager gives up on the model.
        expect(card).to_be_visible()
        expect(live).to_have_count(0)
    assert "Error displaying" not in page.locator(".jp-OutputArea").first.inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_exported_page_shows_the_static_card(
    browser: Browser, tmp_path: Path, theme: str
) -> None:
    path = notebook(tmp_path / "live")
    stored(path, state=False)
    local = [f"--HTMLExporter.{name}_url=" for name in ("require_js", "mathjax", "jquery")]
    command = [
        *(sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", str(path), *local),
        *(f"--HTMLExporter.theme={theme}", "--HTMLExporter.mermaid_js_url=data:text/javascript,"),
        *("--HTMLExporter.jupyter_widgets_base_url=data:", f"--output-dir={tmp_path}"),
    ]
    subprocess.run(command, env=environment(tmp_path / "jupyter"), check=True, capture_output=True)
    page = (tmp_path / "live.html").as_uri()
    with watched(browser, page) as watch:
        watch.page.goto(page)
        watch.page.wait_for_load_state("networkidle")
        without_fault(watch, 3, theme == "dark")
        expect(watch.page.locator(".nk-stored img").first).to_be_visible()

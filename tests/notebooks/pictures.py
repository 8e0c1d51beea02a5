"""Pictures of the notebooks: the workbench for the eighth, and one of each for the indexes.

``python tests/notebooks/pictures.py`` draws them again: those of the indexes from stored outputs,
those of the workbench from the views that the code of the notebook makes.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import nbformat
from executing import NOTEBOOKS
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = NOTEBOOKS.parent
INDEX = ROOT / "docs" / "images"
WIDTH, HEIGHT = 720, 360
LARGEST = 100 * 1024
"""Size of a picture in bytes, at most."""

SHOWN = {
    "01_explore_a_model": "cell-03",
    "02_validate": "cell-03",
    "03_inference": "cell-07",
    "04_export_from_pytorch": "cell-04",
    "05_from_onnx_and_back": "cell-10",
    "06_find_the_fault": "cell-14",
    "07_write_nnef_by_hand": "cell-14",
    "09_from_tflite_to_device_and_back": "cell-22",
    "10_a_model_from_2016": "cell-10",
}
"""Notebook -> the cell whose last output is its picture."""
VIEWS = {
    "view_transformer": ("nk.view(graph, trace=trace)", "block2_attention_softmax"),
    "view_comparison": (
        "nk.view(graph, comparison=comparison, height=760)",
        "block2_attention_softmax",
    ),
    "view_audio": ("nk.view(hearing, trace=heard, cost=profile)", ""),
}
"""Picture -> the view, in the variables of the eighth notebook, and what to search in it."""
PAGE = """<!doctype html><meta charset="utf-8"><style>
  body { margin: 0; background: #fff; font: 14px system-ui, sans-serif }
  main { box-sizing: border-box; width: %dpx; max-height: %dpx; padding: 14px;
         overflow: hidden;
         border: 1px solid #d0d7de; border-radius: 8px }
  main > img { display: block; width: 100%% }
</style><main>%s</main>"""


def stored(picture: bytes, path: Path) -> None:
    """Write a picture with as many colors as fit into the size."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colors in (256, 128, 64, 32):
        image.quantize(colors).save(path, optimize=True)
        if path.stat().st_size <= LARGEST:
            return
    raise ValueError(f"{path} is too large")


def draw_index(browser: Browser) -> None:
    """Draw the picture of each notebook for the indexes."""
    page = browser.new_page(
        viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", device_scale_factor=1
    )
    for name, cell_id in SHOWN.items():
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        cell = next(cell for cell in notebook.cells if cell.id == cell_id)
        data = cell.outputs[-1].data
        content = data.get("text/html")
        if "image/png" in data:
            content = f'<img src="data:image/png;base64,{data["image/png"]}">'
        page.set_content(PAGE % (WIDTH, HEIGHT, content))
        page.wait_for_load_state("networkidle")
        stored(page.locator("main").screenshot(), INDEX / f"{name}.png")


def draw_views(browser: Browser) -> None:
    """Draw the workbench as the eighth notebook shows it."""
    from workbench_page import workbench_page

    os.chdir(NOTEBOOKS)
    notebook = nbformat.read(NOTEBOOKS / "08_look_inside.ipynb", as_version=4)
    names: dict[str, Any] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), names)
    for picture, (code, searched) in VIEWS.items():
        view = eval(code, names)
        with workbench_page(browser, view, width=1200, height=view.height + 40) as shown:
            if searched:
                shown.page.locator("main > *").first.click(position={"x": 300, "y": 200})
                shown.press("/")
                shown.page.keyboard.type(searched)
                shown.press("Enter", "Escape")
            stored(shown.page.locator("main").screenshot(), NOTEBOOKS / "images" / f"{picture}.png")
    # One of them is also the picture of its notebook.
    shutil.copy(NOTEBOOKS / "images" / "view_transformer.png", INDEX / "08_look_inside.png")


def main() -> None:
    """Draw all of them."""
    mpl.use("agg")
    sys.path[:0] = [str(ROOT / "tests" / "widgets"), str(NOTEBOOKS)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        draw_views(browser)
        draw_index(browser)
        browser.close()


if __name__ == "__main__":
    main()

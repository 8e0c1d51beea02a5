"""The workbench looks as it did: pictures of it are compared with stored ones.

``python tests/widgets/test_workbench_pictures.py`` draws the stored ones again.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from drawn_graphs import long_graph, transformer
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from workbench_page import workbench_page

import nnefkit as nk
from nnefkit.widgets.workbench import View

pytestmark = pytest.mark.browser

STORED = Path(__file__).parent / "pictures"
MODELS = Path(__file__).parents[2] / "notebooks" / "models"
WIDTH, HEIGHT = 1280, 720
STEP = 4
"""Pixels of the page along each side of a pixel of a stored picture, which has their mean."""
APART = 12.0
"""Difference, of 255, from which on the mean color of 8 x 8 pixels of the page is another one."""
SHARE = 0.002
"""Share of these that may differ: a change of fonts moves the edges of letters."""
LARGEST = 60 * 1024
"""Size of a stored picture in bytes, at most."""


def blazeface() -> View:
    """A network with a comparison: rounded weights of one convolution."""
    graph = nk.load(MODELS / "blazeface_front.nnef")
    inputs = {"external1": np.load(MODELS / "blazeface_front.npz")["external1"]}
    weights = graph.tensor("variable15").data
    coarse = graph.with_data({"variable15": np.round(weights * 8) / 8})
    runs = [nk.trace(each, inputs, progress=False) for each in (graph, coarse)]
    view = nk.view(graph, comparison=nk.compare(*runs, labels=("fine", "coarse")))
    view.select("conv5")
    return view


def twelve_layers() -> View:
    """A transformer, with one of its layers open."""
    view = nk.view(transformer(12))
    view.select("attended_7")
    return view


def many_operations() -> View:
    """A graph of 10,000 operations, each with its own box."""
    return nk.view(long_graph(10_000), detail="operations")


VIEWS: Mapping[str, Callable[[], View]] = {
    "blazeface": blazeface,
    "transformer": twelve_layers,
    "many": many_operations,
}


def page_of(browser: Browser, name: str, view: View, *, dark: bool) -> Image.Image:
    """What the page of a view shows."""
    with workbench_page(browser, view, width=WIDTH, height=HEIGHT, dark=dark) as shown:
        if name == "many":
            shown.page.locator(".nk-stage").focus()
            shown.press("0")
        assert shown.faults == []
        return Image.open(io.BytesIO(shown.page.screenshot())).convert("RGB")


def small(page: Image.Image) -> Image.Image:
    """A picture of a page as it is stored."""
    return page.resize((page.width // STEP, page.height // STEP), Image.Resampling.BOX)


def differing(one: Image.Image, other: Image.Image) -> float:
    """The share of the parts of two small pictures whose colors differ."""
    assert one.size == other.size
    means = [
        np.asarray(each.resize((each.width // 2, each.height // 2), Image.Resampling.BOX), float)
        for each in (one, other)
    ]
    return float((np.abs(means[0] - means[1]).max(axis=-1) > APART).mean())


def path_of(name: str, *, dark: bool) -> Path:
    return STORED / f"{name}-{'dark' if dark else 'light'}.png"


def stored(name: str, *, dark: bool) -> Image.Image:
    return Image.open(path_of(name, dark=dark)).convert("RGB")


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("transformer", "many")]


@pytest.mark.parametrize("name", ["blazeface", *SLOW])
def test_it_looks_as_it_did(browser: Browser, name: str, tmp_path: Path) -> None:
    """A failure leaves the picture in the folder of the test."""
    view = VIEWS[name]()
    for dark in (False, True):
        seen = small(page_of(browser, name, view, dark=dark))
        seen.save(tmp_path / path_of(name, dark=dark).name)
        assert differing(seen, stored(name, dark=dark)) <= SHARE, f"{tmp_path}, dark: {dark}"


BOX = (328, 228, 452, 284)
"""A box in the picture of BlazeFace: left, top, right, bottom."""


def test_a_moved_box_is_a_difference() -> None:
    page = stored("blazeface", dark=False).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    moved = page.copy()
    moved.paste(page.getpixel((320, 222)), BOX)
    moved.paste(page.crop(BOX), (BOX[0] + 20, BOX[1] + 4))
    assert differing(small(page), small(page)) == 0
    assert differing(small(moved), small(page)) > SHARE


def test_another_color_of_a_box_is_a_difference() -> None:
    for dark in (False, True):
        page = stored("blazeface", dark=dark).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        values = np.array(page)
        area = values[BOX[1] : BOX[3], BOX[0] : BOX[2]]
        area[...] = area[..., ::-1]  # red becomes blue
        assert differing(small(Image.fromarray(values)), small(page)) > SHARE


def test_what_is_stored_is_small_and_another_theme_is_a_difference() -> None:
    for name in VIEWS:
        for dark in (False, True):
            assert path_of(name, dark=dark).stat().st_size <= LARGEST
        assert differing(stored(name, dark=False), stored(name, dark=True)) > 0.5
    assert differing(stored("blazeface", dark=False), stored("transformer", dark=False)) > 0.05


def main() -> None:
    """Draw the stored pictures again."""
    STORED.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, make in VIEWS.items():
            view = make()
            for dark in (False, True):
                picture = small(page_of(browser, name, view, dark=dark))
                picture.save(path_of(name, dark=dark), optimize=True)
        browser.close()


if __name__ == "__main__":
    main()

"""The tensor browser shows what is selected, and is never blank."""

from __future__ import annotations

import numpy as np
import pytest
from ipywidgets import IntSlider

from nnefkit.errors import InputError, UnknownNameError
from nnefkit.widgets import TensorBrowser, tensor_browser

TENSORS = {
    "image": np.linspace(-1, 1, 2 * 3 * 8 * 8, dtype=np.float32).reshape(2, 3, 8, 8),
    "volume": np.arange(2 * 5 * 3 * 4 * 4.0).reshape(2, 5, 3, 4, 4),
    "matrix": np.eye(4, dtype=np.float32),
    "vector": np.arange(7),
    "number": np.float32(3.5).reshape(()),
    "mask": np.array([[True, False]]),
}


def sliders(browser: TensorBrowser) -> tuple[IntSlider, ...]:
    """The sliders beside the drop-down."""
    controls = browser.children[0]
    return tuple(controls.children[1].children)


def test_begins_with_the_first_tensor_or_the_one_named() -> None:
    assert tensor_browser(TENSORS).name == "image"
    assert tensor_browser(TENSORS, "matrix").name == "matrix"


@pytest.mark.parametrize(
    ("name", "sliders"), [("image", 2), ("volume", 3), ("matrix", 0), ("vector", 0), ("number", 0)]
)
def test_there_is_a_slider_for_each_axis_before_the_last_two(name: str, sliders: int) -> None:
    assert len(tensor_browser(TENSORS, name).index) == sliders


@pytest.mark.parametrize("name", TENSORS)
def test_every_rank_is_shown(name: str) -> None:
    bundle = tensor_browser(TENSORS, name)._repr_mimebundle_()
    assert name in bundle["text/html"]
    assert name in bundle["text/plain"]


def test_the_view_follows_the_sliders() -> None:
    browser = tensor_browser(TENSORS)
    browser.index = (1, 2)
    html = browser._repr_mimebundle_()["text/html"]
    assert "image[1, 2]" in html
    # The slice's own numbers: the last of the tensor's maps ends at its maximum.
    browser.index = (0, 0)
    assert browser._repr_mimebundle_()["text/html"] != html


def test_another_tensor_keeps_the_index_where_possible() -> None:
    browser = tensor_browser(TENSORS, "volume")
    browser.index = (1, 4, 2)
    browser.name = "image"
    assert browser.index == (1, 2)


def test_an_old_slider_no_longer_draws() -> None:
    browser = tensor_browser(TENSORS, "volume")
    old = sliders(browser)[1]
    browser.name = "matrix"
    old.value = 3
    assert "matrix" in browser._repr_mimebundle_()["text/html"]


def test_unknown_names_are_refused_with_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="matrix"):
        tensor_browser(TENSORS, "matrixx")
    browser = tensor_browser(TENSORS)
    with pytest.raises(UnknownNameError, match="volume"):
        browser.name = "volum"


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(InputError, match="no tensor"):
        tensor_browser({})


def offered(browser: TensorBrowser) -> list[str]:
    return [name for _, name in browser.children[0].children[0].options]


def test_the_search_narrows_the_names() -> None:
    browser = tensor_browser(TENSORS)
    browser.search("ma")
    assert offered(browser) == ["image", "matrix", "mask"]
    browser.search("matr")
    assert browser.name == "matrix"
    browser.search("2×5")
    assert browser.name == "volume"
    browser.search("nothing like it")
    assert offered(browser) == list(TENSORS)
    browser.search("vec")
    browser.name = "image"
    assert browser.name == "image"
    assert offered(browser) == list(TENSORS)


def test_the_static_twin_follows_the_live_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    published = []
    monkeypatch.setattr("IPython.display.publish_display_data", published.append)
    browser = tensor_browser(TENSORS, "matrix")
    browser._ipython_display_()
    live, twin = published
    assert "application/vnd.jupyter.widget-view+json" in live
    assert "text/html" not in live
    assert f"nk-live-{browser.model_id}" in browser._dom_classes
    assert f"body:has(.nk-live-{browser.model_id})" in twin["text/html"]
    assert "matrix" in twin["text/html"]

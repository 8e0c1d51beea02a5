"""The browser of a comparison begins with the worst tensor, and shows both sides."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.widgets import CompareBrowser, compare_browser

MAPS = np.random.default_rng(0).normal(size=(1, 2, 8, 8))
A = {"conv1": MAPS, "relu1": np.maximum(MAPS, 0), "out": np.ones(3), "nhwc": MAPS}
B = {
    "conv1": MAPS * 1.01,
    "relu1": np.maximum(MAPS, 0) * 3,
    "out": np.ones(3),
    "nhwc": MAPS.transpose(0, 2, 3, 1) * 1.0,
}


@pytest.fixture
def browser() -> CompareBrowser:
    return compare_browser(nk.compare(A, B, axes="auto", labels=("float", "8 bit")))


def shown(browser: CompareBrowser) -> str:
    return str(browser._repr_mimebundle_()["text/html"])


def offered(browser: CompareBrowser) -> list[str]:
    return [name for _, name in browser._list.options]


def test_the_worst_is_first(browser: CompareBrowser) -> None:
    assert offered(browser)[:2] == ["relu1", "conv1"]
    assert browser.name == "relu1"
    assert "at relu1" in repr(browser)


def test_both_sides_and_the_difference_are_pictures(browser: CompareBrowser) -> None:
    page = shown(browser)
    for title in ("relu1 in float", "relu1 in 8 bit", "|float − 8 bit|"):
        assert title in page
    assert page.count("<img") >= 3
    browser.name = "nhwc"
    assert "nhwc in 8 bit" in shown(browser)


def test_the_search_narrows_the_list(browser: CompareBrowser) -> None:
    browser.search("relu")
    assert offered(browser) == ["relu1"]
    browser.search("nothing like it")
    assert browser.name is None
    assert "Nothing fits" in shown(browser)
    browser.name = "out"
    assert browser.name == "out"
    assert len(offered(browser)) == 4


def test_without_the_runs_the_distances_remain() -> None:
    comparison = nk.compare(A, B, axes="auto")
    object.__setattr__(comparison, "runs", None)
    page = shown(compare_browser(comparison))
    assert "relu1" in page
    assert "largest difference" in page


def test_what_cannot_be_browsed_is_refused(browser: CompareBrowser) -> None:
    with pytest.raises(nk.InputError, match="a comparison"):
        compare_browser(A)
    with pytest.raises(nk.UnknownNameError, match="Did you mean 'relu1'"):
        browser.name = "relu"

"""The picture of a graph as a browser draws it, in other fonts than it was measured with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from nnefkit.display.folding import Box, Edge, Picture
from nnefkit.display.svg import draw

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def picture() -> Picture:
    """Boxes with the longest words that occur, a fork, a merge, a skip, and several rows."""
    words = [
        ("residual block", ["conv 1×1 · 3×3 dw /2 · 1×1", "4 batch_norm · 3 relu · add"]),
        ("local_response_normalization", ["size 1×5×1×1"]),
        ("max_pool_with_index", ["3×3 stride 2 · pad · batch_norm · relu"]),
        ("MWMWMWMWMWMWMWMWMWMWMWMWMW", ["W" * 60]),
        ("名前の長い畳み込み層の名前", ["1280 → 1000"]),
    ]
    boxes = [Box("input", "a_rather_long_name_of_an_input", ["1×3×1024×1024"], "", ())]
    for i in range(14):
        title, lines = words[i % 5]
        boxes.append(Box("operation", title, lines, "conv", (i,), 1 + i % 3 * 111, i % 2 == 0))
    ahead = [(i, i + 1) for i in range(14)] + [(2, 5), (6, 9), (6, 8)]
    edges = [Edge(s, t, (f"t{s}",), ((1, 1024, 1024, 1024),), skips=t - s > 1) for s, t in ahead]
    return Picture(boxes, edges, 14, 3)


MEASURE = """() => {
    const frame = (e) => { const r = e.getBoundingClientRect();
                           return [r.left, r.top, r.right, r.bottom]; };
    const boxes = [...document.querySelectorAll('svg > g[transform]')];
    return {
        picture: frame(document.querySelector('svg')),
        boxes: boxes.map((g) => [frame(g.querySelector('rect')),
                                 [...g.querySelectorAll('text')].map(frame)]),
        labels: [...document.querySelectorAll('svg > g[font-size] text')].map(frame),
    };
}"""


@pytest.mark.parametrize("font", ["", "DejaVu Sans", "Liberation Sans"])
@pytest.mark.parametrize("width", [500, 980])
def test_no_text_leaves_its_box_or_covers_another(page: Page, font: str, width: int) -> None:
    svg = draw(picture(), width=width)
    if font:
        svg = svg.replace('font-family="', f"font-family=\"'{font}',", 1)
    page.set_content(svg)
    found = page.evaluate(MEASURE)
    assert len(found["boxes"]) == 15
    assert len(found["labels"]) >= 13
    for box, texts in found["boxes"]:
        for i, text in enumerate(texts):
            assert box[0] <= text[0]
            assert text[2] <= box[2] + 0.5
            assert box[1] - 0.5 <= text[1]
            assert text[3] <= box[3] + 0.5
            # Ascents and descents of lines may touch; their words must not.
            assert all(apart(text, other, 4) for other in texts[:i])
        assert all(apart(box, label, 1) for label in found["labels"])
        assert inside(box, found["picture"])
    for i, label in enumerate(found["labels"]):
        assert all(apart(label, other, 1) for other in found["labels"][:i])
        assert inside(label, found["picture"])


def apart(a: list[float], b: list[float], slack: float) -> bool:
    return (
        a[2] <= b[0] + slack or b[2] <= a[0] + slack or a[3] <= b[1] + slack or b[3] <= a[1] + slack
    )


def inside(a: list[float], b: list[float]) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2] and a[3] <= b[3]

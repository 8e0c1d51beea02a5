"""The picture of a graph is complete, self-contained, and nothing in it is cut off or covered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.ft2font import FT2Font, LoadFlags

from nnefkit.display.folding import Box, Edge, Picture, PlainOperation
from nnefkit.display.svg import draw, graph_picture
from nnefkit.display.svg.boxes import measure
from nnefkit.display.svg.text_width import fitted, text_width, wrapped
from nnefkit.display.svg.themes import EITHER
from nnefkit.display.vocabulary import VOCABULARY

NAMESPACE = "{http://www.w3.org/2000/svg}"
Rectangle = tuple[float, float, float, float]


def steps() -> list[PlainOperation]:
    return [
        PlainOperation("external", [], ["image"], [(1, 3, 32, 32)]),
        PlainOperation("variable", [], ["w"], [(8, 3, 3, 3)]),
        PlainOperation("conv", ["image", "w"], ["c"], [(1, 8, 32, 32)], (), "3×3"),
        PlainOperation("relu", ["c"], ["r"], [(1, 8, 32, 32)]),
        PlainOperation("max_pool", ["r"], ["p"], [(1, 8, 16, 16)], (), "2×2 stride 2"),
        PlainOperation("add", ["p", "p"], ["sum"], [(1, 8, 16, 16)]),
    ]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(NAMESPACE + "text")]


def rectangles(svg: str) -> list[Rectangle]:
    """The frames of the boxes, from left, top to right, bottom."""
    found = []
    for group in ET.fromstring(svg).iter(NAMESPACE + "g"):
        place = re.match(r"translate\((\S+) (\S+)\)", group.get("transform", ""))
        frame = group.find(NAMESPACE + "rect")
        if place and frame is not None:
            x, y = float(place[1]), float(place[2])
            found.append(
                (x, y, x + float(frame.get("width", 0)), y + float(frame.get("height", 0)))
            )
    return found


def labels(svg: str) -> list[Rectangle]:
    """The frames of the shapes next to edges."""
    root = ET.fromstring(svg)
    (group,) = [g for g in root.findall(NAMESPACE + "g") if g.get("font-size")]
    found = []
    for element in group:
        x, y = float(element.get("x", 0)), float(element.get("y", 0))
        width = text_width(element.text or "", float(group.get("font-size", 0)))
        found.append((x, y - 7, x + width, y))
    return found


def apart(a: Rectangle, b: Rectangle) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_a_picture_names_operations_shapes_inputs_and_outputs() -> None:
    svg = graph_picture(steps(), ["image"], ["sum"])
    for words in ("image", "1×3×32×32", "conv", "3×3 · relu", "max_pool", "sum", "8×32×32"):
        assert words in texts(svg), words
    label = ET.fromstring(svg).get("aria-label")
    assert label == "4 operations in 2 boxes"
    assert label in texts(svg)


ALLOWED = {"svg", "g", "path", "rect", "text", "title"}


def test_a_picture_is_self_contained() -> None:
    svg = graph_picture(steps(), ["image"], ["sum"])
    root = ET.fromstring(svg)
    assert {element.tag.removeprefix(NAMESPACE) for element in root.iter()} <= ALLOWED
    for element in root.iter():
        assert not {"style", "class", "id", "href", "onload"} & set(element.keys())
    assert "url(" not in svg
    assert "var(" not in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_names_are_written_as_they_are() -> None:
    name = "<script>&\"'</script>"
    graph = [
        PlainOperation("external", [], [name], [(1, 2)]),
        PlainOperation("a<b", [name], ["y&z"], [(1, 2)], (), "<&>"),
        PlainOperation("conv", ["y&z"], ["w"], [None]),
    ]
    svg = graph_picture(graph, [name], ["w"])
    assert {name, "a<b", "<&>"} <= set(texts(svg))


def test_an_empty_graph_has_an_empty_picture() -> None:
    assert texts(graph_picture([], [], [])) == []


def test_a_picture_that_shows_every_operation_has_no_caption() -> None:
    svg = graph_picture([PlainOperation("relu", ["x"], ["y"], [(1, 2)])], ["x"], ["y"])
    assert ET.fromstring(svg).get("aria-label") == "1 operation in 1 box"
    assert set(texts(svg)) == {"relu", "x", "y", "1×2"}


def test_repeats_have_a_badge_and_a_description() -> None:
    box = Box("operation", "conv", ["3×3"], "conv", (0,), 11, description="conv (3×3), 11 in a row")
    svg = draw(Picture([box], [], 11, 0))
    assert "× 11" in texts(svg)
    assert "conv (3×3), 11 in a row" in svg


# -- room -----------------------------------------------------------------------------------------


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Pictures with all sorts of boxes, forks, merges and skips."""
    count = draw(st.integers(2, 22))
    words = st.sampled_from(
        [
            "conv",
            "3×3 stride 2 · relu",
            "a" * 60,
            "局所応答正規化 · 畳み込み",
            "4 conv · 3 add · concat",
            "Ww",
        ]
    )
    boxes = []
    for i in range(count):
        kind = draw(st.sampled_from(["operation"] * 5 + ["input", "output"]))
        lines = draw(st.lists(words, max_size=3))
        times = draw(st.sampled_from([1, 1, 4, 1234]))
        title = draw(st.sampled_from(["conv", "residual block", "x" * 80, "relu"]))
        boxes.append(Box(kind, title, lines, "conv", (i,), times, draw(st.booleans()), "what"))
    edges = {}
    for target in range(1, count):
        for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
            reach = draw(st.sampled_from([1, 1, 3, count]))
            source = draw(st.integers(max(0, target - reach), target - 1))
            shape = draw(st.sampled_from([None, (1, 8, 112, 112), (7,), (), (1, 4096)]))
            skips = draw(st.booleans())
            edges[source, target] = Edge(source, target, (f"t{source}",), (shape,), skips)
    return Picture(boxes, list(edges.values()), count, 3)


@given(pictures(), st.sampled_from([None, 500, 920]))
@settings(max_examples=120, deadline=None)
def test_no_box_and_no_label_covers_another(picture: Picture, width: float | None) -> None:
    svg = draw(picture, width=width)
    boxes, shapes = rectangles(svg), labels(svg)
    assert len(boxes) == len(picture.boxes)
    everything = boxes + shapes
    for i, a in enumerate(everything):
        for b in everything[:i]:
            assert apart(a, b), (a, b)
    root = ET.fromstring(svg)
    for left, top, right, bottom in everything:
        assert left >= -6
        assert top >= -6
        assert right <= float(root.get("width", 0)) - 6
        assert bottom <= float(root.get("height", 0)) - 6


@given(pictures())
@settings(max_examples=60, deadline=None)
def test_texts_fit_into_their_boxes(picture: Picture) -> None:
    for box in picture.boxes:
        made = measure(box)
        room = made.width - 12
        badge = text_width(made.badge, 10.5, "bold")
        assert text_width(made.title, 12.5, "bold") + badge <= room
        assert all(text_width(line, 10.5) <= room for line in made.lines)
        assert len(made.lines) <= 3
        assert 28 + 14 * len(made.lines) <= made.height


@pytest.mark.parametrize(
    ("weight", "file"), [("regular", "DejaVuSans"), ("bold", "DejaVuSans-Bold")]
)
def test_text_widths_are_not_less_than_those_of_a_wide_font(weight: str, file: str) -> None:
    font = FT2Font(f"{mpl.get_data_path()}/fonts/ttf/{file}.ttf")
    font.set_size(1000, 72)
    for character in [*map(chr, range(32, 127)), *"×·…→−∥µéßЖλ"]:
        glyph = font.load_char(ord(character), flags=LoadFlags.NO_HINTING)
        real = glyph.linearHoriAdvance / 65536 / 1000
        assert text_width(character, 1, weight) >= real - 0.0015, character  # type: ignore[arg-type]


@given(st.text(max_size=60), st.floats(30, 200))
@settings(deadline=None)
def test_cut_texts_keep_their_ends(words: str, room: float) -> None:
    cut = fitted(words, room, 10)
    assert text_width(cut, 10) <= max(room, text_width("…", 10))
    if cut != words:
        start, _, end = cut.partition("…")
        assert words.startswith(start)
        assert words.endswith(cut[len(start) + 1 :])
        assert end is not None


@given(
    st.lists(st.sampled_from(["conv", "3×3", "batch_norm", "w" * 50]), min_size=1),
    st.floats(60, 200),
)
def test_wrapped_lines_keep_every_word_that_fits(words: Sequence[str], room: float) -> None:
    lines = wrapped(" · ".join(words), room, 10)
    assert all(text_width(line, 10) <= room for line in lines)
    kept = [word for line in lines for word in line.split(" · ")]
    assert len(kept) == len(words)
    for word, shown in zip(words, kept, strict=True):
        assert shown == word or "…" in shown


# -- colors, size ---------------------------------------------------------------------------------


def contrast(a: str, b: str) -> float:
    def luminance(color: str) -> float:
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


def tinted(page: str, color: str) -> str:
    """The fill of a box: a little of its color over the page."""
    mixed = [
        round(0.88 * int(page[i : i + 2], 16) + 0.12 * int(color[i : i + 2], 16)) for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_everything_can_be_seen_on_white_and_on_black(page: str) -> None:
    for color in {entry.family.color for entry in VOCABULARY.values()}:
        assert contrast(color, page) >= 3
        assert contrast(EITHER.ink, tinted(page, color)) >= 3
    assert contrast(EITHER.ink, page) >= 4
    assert contrast(EITHER.edge, page) >= 3


def test_the_largest_picture_is_small_enough_for_a_notebook() -> None:
    graph = [PlainOperation("external", [], ["x0"], [(1, 64, 112, 112)])]
    for i in range(5_000):
        sources = [f"x{i}", f"x{max(0, i - i % 7)}"]
        words = f"{i % 89}×{i % 97} stride 2"
        graph.append(PlainOperation("conv", sources, [f"x{i + 1}"], [(1, i, 112, 112)], (), words))
    assert len(graph_picture(graph, ["x0"], ["x5000"]).encode()) < 60 * 1024


def test_a_full_picture_is_small_enough_for_a_notebook() -> None:
    words = ["3×3 depthwise stride 2 · batch_norm · relu"]
    boxes = [Box("operation", "conv", words, "conv", (i,), 1 + i % 2) for i in range(120)]
    ahead = [(i, i + 1) for i in range(119)] + [(i, i + 4) for i in range(0, 116, 4)]
    edges = [Edge(s, t, ("t",), ((1, 64, 112, 112),), t - s > 1) for s, t in ahead]
    assert len(draw(Picture(boxes, edges, 120, 0)).encode()) < 60 * 1024


def test_guilty_operations_are_outlined_and_named():
    plain = graph_picture(steps(), ["image"], ["sum"])
    assert "guilty" not in plain
    numbers = {i: op.outputs[0] for i, op in enumerate(steps()) if op.name == "conv"}
    first, name = next(iter(numbers.items()))
    marked = graph_picture(steps(), ["image"], ["sum"], marks={first: name})
    assert marked.count('stroke-width="2"') == plain.count('stroke-width="2"') + 1
    assert f">guilty: {name}<" in marked
    label = re.search('aria-label="([^"]*)"', marked).group(1)
    assert f"guilty: {name}" in label

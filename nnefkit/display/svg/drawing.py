"""The SVG document of a graph, or of a picture of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from html import escape
from math import ceil
from typing import NamedTuple

from nnefkit.display.folding import BUDGET, Edge, Picture, PlainOperation, fold_graph
from nnefkit.display.layout import Layout, Point, lay_out
from nnefkit.display.numbers import plural
from nnefkit.display.svg.boxes import (
    LINE,
    MAX_LINES,
    STACK,
    MeasuredBox,
    draw_box,
    measure,
    number,
)
from nnefkit.display.svg.edges import paths, shape_label
from nnefkit.display.svg.text_width import text_width
from nnefkit.display.svg.themes import EITHER, Theme
from nnefkit.display.visible_text import visible

FONTS = "system-ui,'Segoe UI',Roboto,Helvetica,Arial,'DejaVu Sans',sans-serif"
LABEL = 9.5
"""Font size of shapes."""
MARGIN = 6.0
CAPTION = 22.0
"""Room for the line below the picture that states what is not drawn."""
ROOMY = 60
"""Number of boxes up to which each may have several lines, and a description."""
WIDTH = 980
"""Maximum width of a picture in pixels: about that of a notebook's outputs."""
GUILTY = "guilty: "
TANGLED = 2.5
"""Number of lines from row to row from which on a picture is easier to read from top to bottom."""


def graph_picture(
    operations: Iterable[PlainOperation],
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    marks: Mapping[int, str] | None = None,
    budget: int = BUDGET,
    width: int = WIDTH,
) -> str:
    """Draw a graph: fold it, lay it out, write it as SVG.

    Args:
        operations: All operations in a valid order, including ``external`` and ``variable``.
        inputs: Names of the input tensors of the graph.
        outputs: Names of its output tensors.
        marks: Numbers of operations -> names, for boxes that are outlined in red as guilty.
        budget: Maximum number of boxes.
        width: Maximum width in pixels; longer pictures continue in the next row.

    Returns:
        An SVG document in its natural size, to be shown directly or as data of an image. Its
        ``aria-label`` states what it shows and what it leaves out.
    """
    picture = fold_graph(operations, inputs, outputs, budget)
    return draw(_marked(picture, marks) if marks else picture, width=width)


def _marked(picture: Picture, marks: Mapping[int, str]) -> Picture:
    """Return a picture whose boxes of some operations are outlined."""
    boxes = []
    for box in picture.boxes:
        names = [marks[n] for n in box.operations if n in marks]
        boxes.append(replace(box, mark=GUILTY + ", ".join(names)) if names else box)
    return replace(picture, boxes=boxes)


class Legend(NamedTuple):
    """What is below a picture: the meaning of its colors."""

    svg: str
    width: float
    height: float


NO_LEGEND = Legend("", 0.0, 0.0)


def draw(
    picture: Picture,
    *,
    width: float | None = WIDTH,
    theme: Theme = EITHER,
    legend: Legend = NO_LEGEND,
) -> str:
    """Lay out a picture and draw it; if `width` is None, in one row of any length.

    The picture runs from left to right, in rows. If many lines would have to lead from row to row,
    it runs from top to bottom instead.
    """
    return _document(arrange(picture, width), theme, legend)


class Arranged(NamedTuple):
    """A picture with the places of its boxes."""

    picture: Picture
    measured: Sequence[MeasuredBox]
    labels: Sequence[str]
    layout: Layout
    down: bool
    """Whether it runs from top to bottom."""


def arrange(picture: Picture, width: float | None = WIDTH) -> Arranged:
    """Lay out a picture as `draw` does."""
    labels = _labels(picture)
    roomy = len(picture.boxes) <= ROOMY
    measured = [measure(box, MAX_LINES if roomy else 1) for box in picture.boxes]
    room = None if width is None else width - 2 * MARGIN
    layout = _rightwards(picture, measured, labels, room)
    if room is not None and layout.around > TANGLED * (layout.rows - 1):
        wider = [_widened(one, label) for one, label in zip(measured, labels, strict=True)]
        tall = _downwards(picture, wider, labels)
        if tall.width <= room and tall.height < 3 * layout.height:
            return Arranged(picture, wider, labels, tall, True)
    return Arranged(picture, measured, labels, layout, False)


def _rightwards(
    picture: Picture, measured: Sequence[MeasuredBox], labels: Sequence[str], width: float | None
) -> Layout:
    return lay_out(
        [(box.width, box.height) for box in measured],
        [(edge.source, edge.target) for edge in picture.edges],
        labels=[text_width(label, LABEL) + STACK + 7 if label else 0.0 for label in labels],
        width=width,
    )


def _downwards(picture: Picture, measured: Sequence[MeasuredBox], labels: Sequence[str]) -> Layout:
    layout = lay_out(
        [(box.height, box.width) for box in measured],
        [(edge.source, edge.target) for edge in picture.edges],
        labels=[LABEL + STACK + 3 if label else 0.0 for label in labels],
    )
    return replace(
        layout,
        width=layout.height,
        height=layout.width,
        centers=[Point(y, x) for x, y in layout.centers],
        routes=[[Point(y, x) for x, y in route] for route in layout.routes],
    )


def _widened(box: MeasuredBox, label: str) -> MeasuredBox:
    """Return a box that is wide enough for its label below its right half."""
    return replace(box, width=max(box.width, 2 * text_width(label, LABEL) + 16))


def _document(arranged: Arranged, theme: Theme, legend: Legend) -> str:
    picture, layout = arranged.picture, arranged.layout
    description = summary(picture)
    caption = "" if _is_whole(picture) else description
    least = max(text_width(caption, LABEL), legend.width)
    width = ceil(max(layout.width, least) + 2 * MARGIN)
    below = layout.height + (CAPTION if caption else 0.0)
    height = ceil(below + legend.height + 2 * MARGIN)
    corner = f'x="{number(-MARGIN)}" y="{number(-MARGIN)}"'
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
            f'height="{height}" viewBox="{number(-MARGIN)} {number(-MARGIN)} '
            f'{width} {height}" role="img" '
            f'aria-label="{escape(description)}" font-family="{FONTS}" font-size="{LINE}" '
            f'fill="{theme.ink}">',
            f'<rect {corner} width="{width}" height="{height}" fill="{theme.paper}"/>'
            if theme.paper
            else "",
            *drawn(arranged, theme),
            f'<text x="0" y="{number(layout.height + CAPTION)}" font-size="{LABEL}" '
            f'fill="{theme.muted}">{escape(caption)}</text>'
            if caption
            else "",
            f'<g transform="translate(0 {number(below)})">{legend.svg}</g>' if legend.svg else "",
            "</svg>",
        ]
    )


def drawn(
    arranged: Arranged, theme: Theme = EITHER, attributes: Sequence[str] | None = None
) -> list[str]:
    """Return the edges, their shapes and the boxes as SVG, with attributes for each box."""
    measured, layout = arranged.measured, arranged.layout
    plain, dashed, heads = paths(layout.routes, arranged.picture.edges, down=arranged.down)
    shapes = []
    boxes = []
    given = attributes or [""] * len(measured)
    for one, center, label, each in zip(
        measured, layout.centers, arranged.labels, given, strict=True
    ):
        is_plain = len(measured) > ROOMY
        boxes.append(draw_box(one, center, theme, plain=is_plain, attributes=each))
        if label:
            x, y = center.x + one.width / 2 + 5 + (STACK if one.badge else 0), center.y - 4
            if arranged.down:
                x, y = center.x + 5, center.y + one.height / 2 + LABEL + STACK
            shapes.append(f'<text x="{number(x)}" y="{number(y)}">{label}</text>')
    return [
        f'<g fill="none" stroke="{theme.edge}"><path d="{plain}"/>' if plain else "<g>",
        f'<path d="{dashed}" stroke-dasharray="4 3"/>' if dashed else "",
        "</g>",
        f'<path d="{heads}" fill="{theme.edge}"/>' if heads else "",
        f'<g font-size="{LABEL}" fill="{theme.muted}">',
        *shapes,
        "</g>",
        *boxes,
    ]


def _labels(picture: Picture) -> list[str]:
    """Return the label after each box; results that only leave the graph have theirs in a box."""
    leaving: list[list[Edge]] = [[] for _ in picture.boxes]
    for edge in picture.edges:
        if picture.boxes[edge.target].kind == "operation":
            leaving[edge.source].append(edge)
    return [
        shape_label(edges) if edges and box.kind == "operation" else ""
        for box, edges in zip(picture.boxes, leaving, strict=True)
    ]


def _is_whole(picture: Picture) -> bool:
    """Return whether each operation has its own box, so that no caption is needed."""
    boxes = sum(1 for box in picture.boxes if box.kind == "operation")
    return picture.operations == boxes and not picture.parameters and not picture.omitted


def summary(picture: Picture) -> str:
    """Return what the picture shows, in one sentence."""
    shown = sum(1 for box in picture.boxes if box.kind == "operation")
    words = (
        f"{plural(picture.operations, 'operation')} in {shown} {'box' if shown == 1 else 'boxes'}"
    )
    marks = [box.mark for box in picture.boxes if box.mark]
    guilty = [mark.removeprefix(GUILTY) for mark in marks if mark.startswith(GUILTY)]
    others = [mark for mark in marks if not mark.startswith(GUILTY)]
    for name, found in ((GUILTY, guilty), ("marked: ", others)):
        if found:
            words += f", {name}{', '.join(visible(mark, 80) for mark in found[:4])}"
    missing = []
    if picture.parameters:
        missing.append(f"{picture.parameters} on parameters only")
    if picture.omitted:
        missing.append(f"{plural(picture.omitted, 'edge')} between distant boxes")
    return f"{words}; not drawn: {', '.join(missing)}" if missing else words

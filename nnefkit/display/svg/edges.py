"""Edges: lines with arrow heads, labeled with shapes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from nnefkit.display.folding import Edge
from nnefkit.display.layout import Point
from nnefkit.display.numbers import product
from nnefkit.display.svg.boxes import number

Segment = tuple[Point, Point]

CORNER = 6.0
"""Radius of the corners of lines that lead to the next row."""
HEAD = 6.0
"""Length of an arrow head."""


def shape_label(edges: Sequence[Edge]) -> str:
    """Return the label of the edges out of one box to boxes of operations."""
    shapes = {shape: None for edge in edges for shape in edge.shapes}
    tensors = {name: None for edge in edges for name in edge.tensors}
    if len(shapes) > 1:
        return f"{len(tensors)} tensors"
    shape = next(iter(shapes), None)
    if shape is None:
        return ""
    if len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return product(shape) if shape else "scalar"


def paths(
    routes: Sequence[Sequence[Point]], edges: Sequence[Edge], *, down: bool = False
) -> tuple[str, str, str]:
    """Path data of plain lines, of dashed ones (which skip boxes), and of arrow heads.

    A part that edges out of one box share is drawn once. With `down`, arrows point downward.
    """
    drawn: set[Segment] = set()
    plain: list[str] = []
    dashed: list[str] = []
    heads: list[str] = []
    # A part that plain and dashed edges share is plain.
    for edge, route in sorted(zip(edges, routes, strict=True), key=lambda pair: pair[0].skips):
        if len(route) < 2:
            continue
        for stretch in _new_stretches(route, drawn, down):
            (dashed if edge.skips else plain).append(_path(stretch, down))
        tip = route[-1]
        head = f"l-3 -{number(HEAD)}h6z" if down else f"l-{number(HEAD)} -3v6z"
        heads.append(f"M{number(tip.x)} {number(tip.y)}{head}")
    return "".join(plain), "".join(dashed), "".join(dict.fromkeys(heads))


def _new_stretches(route: Sequence[Point], drawn: set[Segment], down: bool) -> list[list[Point]]:
    """Return the parts of a route that are not drawn yet; it ends inside of the arrow head."""
    tip, before = route[-1], route[-2]
    end = Point(tip.x, tip.y - HEAD / 2) if down else Point(tip.x - HEAD / 2, tip.y)
    room = tip.y - before.y if down else tip.x - before.x
    points = [*route[:-1], end] if room > HEAD / 2 else list(route)
    stretches: list[list[Point]] = []
    fresh = False
    for a, b in pairwise(points):
        if (a, b) in drawn:
            fresh = False
            continue
        drawn.add((a, b))
        if fresh:
            stretches[-1].append(b)
        else:
            stretches.append([a, b])
            fresh = True
    return stretches


def _path(points: Sequence[Point], down: bool) -> str:
    parts = [f"M{number(points[0].x)} {number(points[0].y)}"]
    for i in range(1, len(points)):
        a, b = points[i - 1], points[i]
        after = points[i + 1] if i + 1 < len(points) else None
        if a.x != b.x and a.y != b.y:
            parts.append(_curve(a, b, down))
        elif after is not None and _is_corner(a, b, after):
            parts.append(_corner(a, b, after))
        elif a.y == b.y:
            parts.append(f"H{number(b.x)}")
        else:
            parts.append(f"V{number(b.y)}")
    return "".join(parts)


def _curve(a: Point, b: Point, down: bool) -> str:
    if down:
        middle = number((a.y + b.y) / 2)
        return f"C{number(a.x)} {middle} {number(b.x)} {middle} {number(b.x)} {number(b.y)}"
    middle = number((a.x + b.x) / 2)
    return f"C{middle} {number(a.y)} {middle} {number(b.y)} {number(b.x)} {number(b.y)}"


def _is_corner(a: Point, b: Point, c: Point) -> bool:
    return (a.x == b.x and b.y == c.y and b.x != c.x) or (a.y == b.y and b.x == c.x and b.y != c.y)


def _corner(a: Point, b: Point, c: Point) -> str:
    """Return a line up to a corner, and around it."""
    before = min(CORNER, (abs(b.x - a.x) + abs(b.y - a.y)) / 2)
    behind = min(CORNER, (abs(c.x - b.x) + abs(c.y - b.y)) / 2)
    radius = min(before, behind)
    start = _towards(b, a, radius)
    end = _towards(b, c, radius)
    line = f"H{number(start.x)}" if a.y == b.y else f"V{number(start.y)}"
    return f"{line}Q{number(b.x)} {number(b.y)} {number(end.x)} {number(end.y)}"


def _towards(a: Point, b: Point, distance: float) -> Point:
    length = abs(b.x - a.x) + abs(b.y - a.y)
    share = distance / length if length else 0.0
    return Point(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share)

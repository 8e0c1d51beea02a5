"""Placement: rows and columns become pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from nnefkit.display.layout.columns import ARROW, BEND, Columns
from nnefkit.display.layout.geometry import Point
from nnefkit.display.layout.layers import Layered
from nnefkit.display.layout.rows import LANE, MARGIN


@dataclass(slots=True)
class Placement:
    """Positions of nodes, of columns, and of the lines between rows."""

    x: list[float]
    """The center of each node."""
    y: list[float]
    left: list[float]
    """The left side of each layer."""
    bend: list[float]
    """The x from which on lines out of each layer may bend."""
    wires: dict[int, list[Point]]
    """For a node at the end of a row whose line leads to the next row: the route to its entry."""
    width: float
    height: float


def place(
    graph: Layered,
    sizes: Sequence[tuple[float, float]],
    columns: Columns,
    rows: Sequence[Sequence[Sequence[int]]],
    entry_of: Mapping[int, int],
    middle: list[float],
) -> Placement:
    """Place the rows below one another; `middle` holds heights within each row."""
    depth = len(graph.layers)
    count = graph.boxes
    x = [0.0] * len(graph.layer)
    left, bend = [0.0] * depth, [0.0] * depth
    placement = Placement(x, middle, left, bend, {}, 0.0, 0.0)
    lanes = [sum(1 for node in row[-1] if node in entry_of) for row in rows]
    indent = max(lanes, default=0) * LANE
    first, top = 0, 0.0
    for number, row in enumerate(rows):
        entries = number > 0
        start = indent
        if entries:
            for node in row[0]:
                x[node] = start
            start += ARROW if len(row[0]) == 1 and len(row[1]) == 1 else BEND
        body = row[1:] if entries else row
        for i, layer in enumerate(body, first):
            left[i] = start
            bend[i] = start + columns.boxes[i] + columns.labels[i]
            for node in layer:
                x[node] = start + (sizes[node][0] / 2 if node < count else 0.0)
            start = bend[i] + columns.bends[i]
        first += len(body)
        ends_here = start - columns.gaps[first - 1]
        bottom = _lower(row, sizes, middle, top, count)
        right = ends_here
        if lanes[number]:
            right = max(bend[first - 1], ends_here + MARGIN)
            _wire(row[-1], entry_of, placement, right, bottom)
            right += (lanes[number] - 1) * LANE
        placement.width = max(placement.width, right)
        placement.height = bottom
        top = bottom + 2 * MARGIN + max(0, lanes[number] - 1) * LANE
    _bring_home(entry_of, placement)
    return placement


def _lower(
    row: Sequence[Sequence[int]],
    sizes: Sequence[tuple[float, float]],
    middle: list[float],
    top: float,
    count: int,
) -> float:
    """Move a row down so that it begins at `top`, and return its lower end."""
    nodes = [node for layer in row for node in layer]
    halves = [sizes[node][1] / 2 if node < count else 0.0 for node in nodes]
    highest = min(middle[node] - half for node, half in zip(nodes, halves, strict=True))
    shift = top - highest
    bottom = top
    for node, half in zip(nodes, halves, strict=True):
        middle[node] = float(ceil(middle[node] + shift))  # whole pixels are sharper
        bottom = max(bottom, middle[node] + half)
    return bottom


def _wire(
    layer: Sequence[int],
    entry_of: Mapping[int, int],
    placement: Placement,
    right: float,
    bottom: float,
) -> None:
    """Route lines after the end of a row, nested, so that none crosses another."""
    leaving = [node for node in layer if node in entry_of]
    for place_, node in enumerate(leaving):
        offset = (len(leaving) - 1 - place_) * LANE
        lane = bottom + MARGIN + offset
        placement.wires[node] = [
            Point(right + offset, placement.y[node]),
            Point(right + offset, lane),
            Point(offset, lane),
        ]


def _bring_home(entry_of: Mapping[int, int], placement: Placement) -> None:
    """Lead the lines between rows down to their entries."""
    for node, entry in entry_of.items():
        way = placement.wires[node]
        way.append(Point(way[-1].x, placement.y[entry]))
        way.append(Point(placement.x[entry], placement.y[entry]))

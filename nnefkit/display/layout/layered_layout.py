"""The layout of boxes and edges in layers, from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from nnefkit.display.layout.alignment import heights
from nnefkit.display.layout.columns import Columns, measure
from nnefkit.display.layout.geometry import Layout, Point
from nnefkit.display.layout.layers import Layered, split_into_layers
from nnefkit.display.layout.ordering import reduce_crossings
from nnefkit.display.layout.placement import place
from nnefkit.display.layout.routing import routes
from nnefkit.display.layout.rows import break_rows, row_ends

BOX_GAP = 20.0
"""Between two boxes of a column."""
LINE_GAP = 14.0
"""Between a box and a line that passes it."""
PARALLEL_GAP = 10.0
"""Between two lines."""


def lay_out(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    *,
    labels: Sequence[float] | None = None,
    width: float | None = None,
    dummy_limit: int | None = None,
) -> Layout:
    """Lay out a graph without cycles from left to right, in layers.

    Boxes do not overlap, and no edge passes through a box that is not one of its ends.

    Args:
        sizes: Width and height of each box.
        edges: Pairs of box numbers, source and target; repeats are allowed.
        labels: Width of the label after each box, above its outgoing lines.
        width: If given, columns that do not fit into it continue in the next row.
        dummy_limit: Maximum number of dummies of long edges; longer edges run above all boxes.

    Raises:
        ValueError: The edges form a cycle.
    """
    count = len(sizes)
    distinct = list(dict.fromkeys(edges))
    labels = labels if labels is not None else [0.0] * count
    graph = split_into_layers(count, distinct, dummy_limit=dummy_limit)
    reduce_crossings(graph)
    columns = measure(graph, sizes, labels)
    rows, entry_of = break_rows(graph, _row_ends(graph, columns, width))
    middle = [0.0] * len(graph.layer)
    for row in rows:
        for node, y in _row_heights(graph, row, sizes).items():
            middle[node] = y
    placement = place(graph, sizes, columns, rows, entry_of, middle)
    ways, top = routes(graph, sizes, distinct, placement, entry_of)
    if top:
        placement.y[:] = [y + top for y in placement.y]
        ways = [[Point(x, y + top) for x, y in way] for way in ways]
    by_edge = dict(zip(distinct, ways, strict=True))
    return Layout(
        placement.width,
        placement.height + top,
        [Point(placement.x[box], placement.y[box]) for box in range(count)],
        graph.layer[:count],
        len(rows),
        len(entry_of),
        [by_edge[edge] for edge in edges],
    )


def _row_ends(graph: Layered, columns: Columns, width: float | None) -> list[int]:
    """Return the last layer of each row."""
    if not graph.layers:
        return []
    if width is None or graph.detours:
        return [len(graph.layers) - 1]
    crossing = [sum(1 for node in layer if graph.after[node]) for layer in graph.layers]
    return row_ends(columns, width, crossing)


def _row_heights(
    graph: Layered, row: Sequence[Sequence[int]], sizes: Sequence[tuple[float, float]]
) -> dict[int, float]:
    """Return the y of the center of each node of a row."""
    count = graph.boxes
    gaps = []
    for layer in row:
        distances = []
        for upper, lower in pairwise(layer):
            room = PARALLEL_GAP if upper >= count and lower >= count else LINE_GAP
            if upper < count:
                room += sizes[upper][1] / 2
            if lower < count:
                room += sizes[lower][1] / 2
            if upper < count and lower < count:
                room += BOX_GAP - LINE_GAP
            distances.append(room)
        gaps.append(distances)
    return heights(row, graph.before, graph.after, gaps, count)

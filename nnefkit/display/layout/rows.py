"""Rows: a long picture continues in the next row, as text does."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.display.layout.columns import BEND, Columns
from nnefkit.display.layout.layers import Layered

LANE = 9.0
"""Distance between lines that lead from the end of a row to the next one."""
MARGIN = 12.0
"""Distance between such lines and boxes."""
ATTEMPTS = 3
CROSSING_COST = 0.12
"""Cost of one more edge that leads to the next row, relative to the empty share of a row."""
ROW_COST = 0.25
LAST_ROW = 0.3
"""Weight of the empty part of the last row, relative to one of another row."""


def row_ends(columns: Columns, width: float, crossing: Sequence[int]) -> list[int]:
    """Return the last column of each row, so that rows are full and few edges lead to the next.

    Args:
        columns: Their widths, and the room between them.
        width: The room for a row; a wider column has a row to itself.
        crossing: Number of lines from each column to the next one.
    """
    room = width
    gaps = columns.gaps
    ends: list[int] = []
    for _ in range(ATTEMPTS):
        ends = _best_ends(columns, room, crossing)
        # All rows are indented as much as the one with the most lines at its left side needs.
        indent = LANE * max([crossing[end] for end in ends[:-1]], default=0)
        starts = [0, *(end + 1 for end in ends)]
        widest = max(
            indent
            + (BEND if start else 0.0)
            + sum(columns.boxes[start : end + 1])
            + sum(gaps[start:end])
            + _room_after(columns, end, crossing)
            for start, end in zip(starts, ends, strict=False)
        )
        if widest <= width:
            break
        room -= widest - width
    return ends


def _room_after(columns: Columns, end: int, crossing: Sequence[int]) -> float:
    """Return the room after the last column of a row, where lines turn to the next row."""
    if end == len(columns.boxes) - 1:
        return 0.0
    return max(columns.labels[end], MARGIN) + LANE * crossing[end]


def _best_ends(columns: Columns, width: float, crossing: Sequence[int]) -> list[int]:
    boxes, gaps = columns.boxes, columns.gaps
    count = len(boxes)
    cost = [0.0] + [float("inf")] * count
    start_of = [0] * (count + 1)
    for end in range(count):
        last = end == count - 1
        inside = _room_after(columns, end, crossing) - gaps[end]
        for start in range(end, -1, -1):
            inside += boxes[start] + gaps[start]
            used = inside + (BEND + LANE * crossing[start - 1] if start else 0.0)
            if used > width and start < end:
                break
            empty = max(0.0, 1 - used / width) ** 2 * (LAST_ROW if last else 1.0)
            tangle = 0.0 if last else CROSSING_COST * (crossing[end] - 1)
            total = cost[start] + empty + tangle + ROW_COST
            if total < cost[end + 1]:
                cost[end + 1], start_of[end + 1] = total, start
    ends = []
    position = count
    while position:
        ends.append(position - 1)
        position = start_of[position]
    return ends[::-1]


def break_rows(graph: Layered, ends: Sequence[int]) -> tuple[list[list[list[int]]], dict[int, int]]:
    """Return the layers of each row, and the entry of each line that leads to the next row.

    Entries are further dummies, the first layer of their row.
    """
    rows: list[list[list[int]]] = []
    entry_of: dict[int, int] = {}
    start = 0
    for end in ends:
        row = [list(layer) for layer in graph.layers[start : end + 1]]
        if start:
            entries = []
            for node in graph.layers[start - 1]:
                if not graph.after[node]:
                    continue
                entry = len(graph.layer)
                entry_of[node] = entry
                entries.append(entry)
                graph.layer.append(start - 1)
                graph.after.append(graph.after[node])
                graph.before.append([])
            for node in row[0]:
                graph.before[node] = [entry_of[source] for source in graph.before[node]]
            row.insert(0, entries)
        rows.append(row)
        start = end + 1
    return rows, entry_of

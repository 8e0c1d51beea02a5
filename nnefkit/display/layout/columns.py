"""Columns: their widths, and the room between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from nnefkit.display.layout.layers import Layered

ARROW = 24.0
"""Gap with a straight edge."""
HEAD = 10.0
"""Room for the end of a straight edge after its label."""
BEND = 30.0
"""Gap in which edges bend."""
STEEPEST = 70.0
"""Gap in which edges bend by a large amount."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths, left to right."""

    boxes: list[float]
    """The widest box of each column."""
    labels: list[float]
    """Room for labels after each column, where all lines are horizontal."""
    bends: list[float]
    """Room after the labels, where lines change their heights."""

    @property
    def gaps(self) -> list[float]:
        """Room after each column."""
        return [label + bend for label, bend in zip(self.labels, self.bends, strict=True)]


def measure(
    graph: Layered, sizes: Sequence[tuple[float, float]], labels: Sequence[float]
) -> Columns:
    """Return the columns of a graph, from the `sizes` of boxes and the widths of their `labels`."""
    boxes, rooms, bends = [], [], []
    count = graph.boxes
    for nodes in graph.layers:
        wide = label = high = highest = 0.0
        bent = False
        for node in nodes:
            if node < count:
                width, height = sizes[node]
                wide = max(wide, width)
                high += height
                highest = max(highest, height)
            bent = bent or len(graph.after[node]) > 1
        for node in nodes:
            if node < count and labels[node]:
                # Boxes are at the left side of their column.
                label = max(label, labels[node] - (wide - sizes[node][0]))
        boxes.append(float(ceil(wide)))
        rooms.append(float(ceil(label)))
        bends.append(1 + high - highest if bent or len(nodes) > 1 else 0.0)
    for i in range(len(bends)):
        following = bends[i + 1] if i + 1 < len(bends) else 0.0
        high = max(bends[i], following)
        straight = HEAD if rooms[i] else ARROW
        bends[i] = min(STEEPEST, BEND + 0.06 * high // 1) if high else straight
    return Columns(boxes, rooms, bends)

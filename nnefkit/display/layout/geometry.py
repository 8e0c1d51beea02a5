"""Points, and the result of a layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Point(NamedTuple):
    """A position in the picture; y grows downward."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions of boxes and routes of edges, in pixels."""

    width: float
    height: float
    centers: Sequence[Point]
    """The center of each box."""
    layers: Sequence[int]
    """The layer of each box, from 0."""
    rows: int
    """Number of rows into which the layers are broken."""
    around: int
    """Number of lines that lead from the end of a row to the next one."""
    routes: Sequence[Sequence[Point]]
    """The route of each edge, from the right side of a box to the left side of another.

    Successive points with the same x or y are connected by a straight line, others by a curve that
    starts and ends horizontally and stays inside the rectangle that they span. Edges out of one box
    share the points of their common part.
    """

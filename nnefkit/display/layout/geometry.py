"""What the layout gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Point(NamedTuple):
    """A place in the picture; y grows downwards."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of boxes and ways of edges, in pixels."""

    width: float
    height: float
    centers: Sequence[Point]
    """The middle of each box."""
    layers: Sequence[int]
    """The layer of each box, from 0."""
    rows: int
    """Into how many rows the layers are broken."""
    around: int
    """How many lines lead from the end of a row to the next one."""
    routes: Sequence[Sequence[Point]]
    """The way of each edge, from the right side of a box to the left side of another.

    Two points that agree in x or in y have a straight line between them, two others a curve that
    leaves and arrives horizontally and stays inside of the rectangle that they span. Edges out of
    one box share the points of their common stretch.
    """

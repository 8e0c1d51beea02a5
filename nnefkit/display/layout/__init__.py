"""Layered layout of a graph: places for its boxes, ways for its edges; iterative throughout."""

from nnefkit.display.layout.geometry import Layout, Point
from nnefkit.display.layout.layered_layout import lay_out

__all__ = ["Layout", "Point", "lay_out"]

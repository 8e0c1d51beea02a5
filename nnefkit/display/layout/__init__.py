"""Layered layout of a graph: positions of its boxes, routes of its edges, without recursion."""

from nnefkit.display.layout.geometry import Layout, Point
from nnefkit.display.layout.layered_layout import lay_out

__all__ = ["Layout", "Point", "lay_out"]

"""Layered layout of a graph: places for its boxes, ways for its edges; iterative throughout."""

from nnefkit.display.layout.layered import layered
from nnefkit.display.layout.result import Layout, Point

__all__ = ["Layout", "Point", "layered"]

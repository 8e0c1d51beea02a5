"""The picture of a graph as self-contained SVG 1.1, without fonts, scripts or style sheets."""

from nnefkit.display.svg.drawing import draw, graph_picture

__all__ = ["draw", "graph_picture"]

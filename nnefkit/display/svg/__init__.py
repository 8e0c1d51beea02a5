"""The graph picture as SVG 1.1 that needs nothing beside it: no fonts, scripts, styles."""

from nnefkit.display.svg.document import draw, graph_picture

__all__ = ["draw", "graph_picture"]

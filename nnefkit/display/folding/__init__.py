"""Folding: the boxes of a picture of a graph, and the operations that each represents."""

from nnefkit.display.folding.picture import Box, Edge, Picture
from nnefkit.display.folding.plain_operation import PlainOperation
from nnefkit.display.folding.stages import BUDGET, fold_graph

__all__ = ["BUDGET", "Box", "Edge", "Picture", "PlainOperation", "fold_graph"]

"""Folding: which boxes a picture of a graph shows, and what each of them stands for."""

from nnefkit.display.folding.fold import BUDGET, picture
from nnefkit.display.folding.picture import Box, Edge, Picture
from nnefkit.display.folding.step import Step

__all__ = ["BUDGET", "Box", "Edge", "Picture", "Step", "picture"]

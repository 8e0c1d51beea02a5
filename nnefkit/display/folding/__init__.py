"""Folding: which boxes a picture of a graph shows, and what each of them stands for."""

from nnefkit.display.folding.step import Step

__all__ = ["Step"]

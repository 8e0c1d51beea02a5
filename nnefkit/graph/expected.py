"""What a call of the public face was handed: a graph, or something else."""

from __future__ import annotations

import os

from nnefkit.arguments import wrong_type
from nnefkit.graph.model import Graph


def expected_graph(value: object) -> Graph:
    """`value`, if it is a graph.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, Graph):
        return value
    hint = ""
    if isinstance(value, (str, os.PathLike)):
        hint = "nnefkit.load(path) opens a model, nnefkit.parse(text) reads a text."
    raise wrong_type("graph", "a Graph", value, hint)

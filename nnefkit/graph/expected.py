"""The check of an argument that must be a graph."""

from __future__ import annotations

import os

from nnefkit.arguments import wrong_type
from nnefkit.graph.model import Graph


def expected_graph(value: object) -> Graph:
    """Return `value` if it is a graph.

    Raises:
        InputError: It is not.
    """
    if isinstance(value, Graph):
        return value
    hint = ""
    if isinstance(value, (str, os.PathLike)):
        hint = "nnefkit.load(path) opens a model, nnefkit.parse(text) parses a string."
    raise wrong_type("graph", "a Graph", value, hint)

"""Check of an argument that must be a graph."""

from __future__ import annotations

import os

from nnefkit.arguments import wrong_type
from nnefkit.arrays import mapped_files
from nnefkit.graph.model import Graph


def expected_graph(value: object, *, data: bool = False) -> Graph:
    """Return `value` if it is a graph.

    Args:
        value: The argument.
        data: Whether the data of its variables will be read.

    Raises:
        InputError: It is not.
        StorageError: The data is mapped from a file that was changed.
    """
    if isinstance(value, Graph):
        if data:
            for file in mapped_files(variable.data for variable in value.variables):
                file.check_unchanged()
        return value
    hint = ""
    if isinstance(value, (str, os.PathLike)):
        hint = "nnefkit.load(path) opens a model, nnefkit.parse(text) parses a string."
    raise wrong_type("graph", "a Graph", value, hint)

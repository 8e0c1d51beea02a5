"""Calls of fragments, which no engine knows, replaced by what they consist of."""

from __future__ import annotations

from nnefkit import language
from nnefkit.graph import Graph
from nnefkit.operations.shapes import infer_shapes


def expanded(graph: Graph) -> Graph:
    """`graph` with the calls of fragments that it defines itself carried out (3.3.2).

    All tensors keep their names; those inside of fragments are new. Graphs that call none are given
    back as they are.

    Raises:
        DocumentError: a fragment cannot be carried out for its arguments, or the shapes do not fit.
    """
    simpler = language.expand_calls(graph)
    return graph if simpler is graph else infer_shapes(simpler)

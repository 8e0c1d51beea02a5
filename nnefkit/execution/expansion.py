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
    if not graph.declarations:
        return graph
    known = language.known_declarations(graph)
    standard = language.declarations()
    called = {op.name for op in graph.operations if op.name in known and op.name not in standard}
    bodies = [name for name in called if known[name].body is not None]
    if not bodies:
        return graph
    # Fragments call one another.
    mine = [name for name in known if name not in standard and known[name].body is not None]
    return infer_shapes(language.lower(graph, mine))

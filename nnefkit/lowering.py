"""`lower`: compound operations replaced by simpler ones, with shapes."""

from __future__ import annotations

from collections.abc import Collection

from nnefkit import language
from nnefkit.arguments import expected_names
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Graph, expected_graph
from nnefkit.operations.shape_inference import infer_shapes


def lower(graph: Graph, operations: Collection[str] | None = None) -> Graph:
    """Return a copy of `graph` in which compound operations are replaced by their bodies (4.9).

    All tensors keep their names. The ``scope`` of a new operation names the operation that it was
    a part of.

    Args:
        graph: Any graph.
        operations: Names of the operations to replace; by default all compound ones: those of the
            standard, and fragments of the graph that were kept as calls. Operations in their bodies
            are replaced only if they are named, too.

    Raises:
        UnknownNameError: There is no such operation.
        InputError: An operation is not compound, or `graph` is not a graph.
        DocumentError: The shapes of the graph do not agree, or the body of an operation cannot be
            expanded for its arguments.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = silu(x); }")
        >>> [operation.name for operation in nk.lower(graph, ["silu"]).operations]
        ['external', 'sigmoid', 'mul']
    """
    graph = expected_graph(graph)
    if operations is not None:
        operations = expected_names(operations, "operations")
        known = language.known_declarations(graph)
        for name in operations:
            if name not in known:
                raise UnknownNameError(
                    f"there is no operation '{name}'", hint=did_you_mean(str(name), known)
                )
            if known[name].body is None:
                raise InputError(
                    f"'{name}' is not a compound operation and cannot be replaced by others",
                    section="4.9",
                )
    return infer_shapes(language.lower(graph, operations))

"""`lower`: compound operations carried out by simpler ones, with the shapes of what is new."""

from __future__ import annotations

from collections.abc import Collection

from nnefkit import language
from nnefkit.arguments import expected_names
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Graph, expected_graph
from nnefkit.operations.shape_inference import infer_shapes


def lower(graph: Graph, operations: Collection[str] | None = None) -> Graph:
    """A copy of `graph` in which compound operations are replaced by what they consist of (4.9).

    All tensors keep their names. Each new operation tells in its ``scope`` what it is a part of.

    Args:
        graph: Any graph.
        operations: Names of the operations to replace; all compound ones by default: those of the
            standard, and fragments of the graph that were kept as calls. What they consist of is
            not replaced any further than these names say.

    Raises:
        UnknownNameError: there is no such operation.
        InputError: an operation is not compound, or `graph` is no graph.
        DocumentError: the shapes of the graph do not fit, or an operation has arguments that its
            definition cannot be carried out for.
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
                    f"'{name}' is no compound operation, and cannot be replaced by others",
                    section="4.9",
                )
    return infer_shapes(language.lower(graph, operations))

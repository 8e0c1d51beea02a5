"""The drawing of a graph: its operations as plain values, folded, laid out, and written as SVG."""

from __future__ import annotations

from collections.abc import Mapping

from nnefkit.arrays import Shape
from nnefkit.collector import paused_collector
from nnefkit.display.folding import PlainOperation
from nnefkit.display.protocols import GraphLike, OperationLike
from nnefkit.display.svg import graph_picture
from nnefkit.display.vocabulary import brief


def draw_graph(graph: GraphLike, marks: Mapping[int, str] | None = None) -> str:
    """Return a graph drawn as an SVG document.

    Args:
        graph: The graph.
        marks: Numbers of operations -> names, for boxes that are outlined in red as guilty.
    """
    with paused_collector():
        return graph_picture(
            (plain_operation(graph, op) for op in graph.operations),
            graph.inputs,
            graph.outputs,
            marks=marks,
        )


def plain_operation(graph: GraphLike, operation: OperationLike) -> PlainOperation:
    """Return an operation of a graph as plain values."""
    results = operation.output_names
    return PlainOperation(
        operation.name,
        operation.input_names,
        results,
        [_shape(graph, name) for name in results],
        operation.scope,
        brief(operation.name, operation.attribs, _filter_shape(graph, operation)),
    )


def _filter_shape(graph: GraphLike, operation: OperationLike) -> Shape | None:
    name = operation.inputs.get("filter", operation.inputs.get("plane_filter"))
    return _shape(graph, name) if isinstance(name, str) else None


def _shape(graph: GraphLike, name: str) -> Shape | None:
    tensor = graph.tensors.get(name)
    return None if tensor is None else tensor.shape

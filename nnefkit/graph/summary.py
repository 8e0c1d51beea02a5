"""Plain values of a graph, an operation, a tensor for the displays, which know no class of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from nnefkit.collector import paused_collector
from nnefkit.display.folding import PlainOperation
from nnefkit.display.summary import (
    GraphSummary,
    OperationRow,
    OperationSummary,
    Port,
    Proof,
    TensorSummary,
    VariableRow,
)
from nnefkit.display.svg import graph_picture
from nnefkit.display.vocabulary import brief

if TYPE_CHECKING:
    from nnefkit.graph.model import Graph, Operation, Tensor

_ITEMS = 24
"""How many items of a list are written; displays cut longer texts anyhow."""


def graph_summary(graph: Graph, *, picture: str | None = None) -> GraphSummary:
    """What the displays of a graph tell; `picture` is what `graph_svg` gives, for HTML."""
    variables = graph.variables
    # Variables of one label share their data (4.1.3).
    distinct = {(tensor.label or tensor.name).lower(): tensor for tensor in variables}.values()
    macs = [op.macs for op in graph.operations if op.macs is not None]
    return GraphSummary(
        name=graph.name,
        version=graph.version,
        path=str(graph.provenance.get("path", "")),
        extensions=graph.extensions,
        inputs=_ports(graph, graph.inputs),
        outputs=_ports(graph, graph.outputs),
        operations=operation_rows(graph),
        variables=tuple(
            VariableRow(
                tensor.name,
                tensor.label or "",
                tensor.shape,
                tensor.data,
            )
            for tensor in variables
        ),
        parameters=sum(_items(tensor) for tensor in distinct),
        bytes=sum(tensor.data.nbytes for tensor in distinct if tensor.data is not None),
        macs=sum(macs) if macs else None,
        quantized=sum(1 for tensor in graph.tensors.values() if tensor.quantization),
        proof=_proof(graph.provenance),
        picture=picture,
        text="" if graph.source is None else graph.source.text,
        text_name="graph.nnef" if graph.source is None else graph.source.name,
    )


def _proof(provenance: Mapping[str, Any]) -> Proof | None:
    if "verified" not in provenance:
        return None
    return Proof(
        str(provenance.get("source", "")),
        {str(name): str(version) for name, version in provenance.get("versions", {}).items()},
        bool(provenance["verified"]),
        str(provenance.get("engine", "")),
        provenance.get("tolerance"),
        provenance.get("largest_difference"),
    )


def graph_svg(graph: Graph) -> str:
    """The graph drawn as an SVG document."""
    with paused_collector():
        return graph_picture(
            (_step(graph, op) for op in graph.operations), graph.inputs, graph.outputs
        )


def _step(graph: Graph, operation: Operation) -> PlainOperation:
    results = operation.output_names
    return PlainOperation(
        operation.name,
        operation.input_names,
        results,
        [_shape(graph, name) for name in results],
        operation.scope,
        brief(operation.name, operation.attribs, _filter_shape(graph, operation)),
    )


def _filter_shape(graph: Graph, operation: Operation) -> tuple[int, ...] | None:
    name = operation.inputs.get("filter", operation.inputs.get("plane_filter"))
    return _shape(graph, name) if isinstance(name, str) else None


def _shape(graph: Graph, name: str) -> tuple[int, ...] | None:
    tensor = graph.tensors.get(name)
    return None if tensor is None else tensor.shape


def _ports(graph: Graph, names: Sequence[str]) -> tuple[Port, ...]:
    tensors = ((name, graph.tensors.get(name)) for name in names)
    return tuple(
        Port(name, "?", None) if tensor is None else Port(name, tensor.dtype, tensor.shape)
        for name, tensor in tensors
    )


def operation_rows(graph: Graph) -> tuple[OperationRow, ...]:
    """The rows of the table of operations.

    Parameters belong to the operation that meets the data with them: what only reshapes or
    transposes a variable passes it on.
    """
    items = {tensor.name: _items(tensor) for tensor in graph.variables}
    # Tensor computed of variables and constants alone -> those variables.
    fixed: dict[str, frozenset[str]] = {}
    rows = []
    for number, op in enumerate(graph.operations):
        results = op.output_names
        reads = [fixed.get(name) for name in op.input_names]
        own = frozenset[str]().union(*filter(None, reads))
        if op.is_weight or (reads and None not in reads):
            fixed.update(
                dict.fromkeys(results, own.union(name for name in results if name in items))
            )
            own = frozenset()
        rows.append(
            OperationRow(
                number,
                op.name,
                results,
                _shape(graph, results[0]) if results else None,
                op.macs,
                sum(map(items.__getitem__, own)),
                graph.line(op),
                op.scope,
            )
        )
    return tuple(rows)


def _items(tensor: Tensor) -> int:
    return math.prod(tensor.shape) if tensor.shape is not None else 0


def operation_summary(operation: Operation) -> OperationSummary:
    """What the displays of an operation tell."""
    return OperationSummary(
        operation.name,
        _written(operation.inputs),
        _written(operation.outputs),
        _written(operation.attribs),
        operation.dtype,
        operation.scope,
        operation.macs,
    )


def _written(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {name: _argument(value) for name, value in arguments.items()}


def _argument(value: Any) -> str:
    """A value as NNEF text; long lists are cut, since no display shows all of them."""
    if isinstance(value, (list, tuple)):
        items = ", ".join(_argument(item) for item in islice(value, _ITEMS))
        if len(value) > _ITEMS:
            items += f", … {len(value) - _ITEMS:,} more"
        return f"[{items}]" if isinstance(value, list) else f"({items})"
    if isinstance(value, bool):
        return "true" if value else "false"
    # The names of tensors are a kind of string of their own.
    if type(value) is str:
        return f"'{value}'"
    return str(value)


def tensor_summary(tensor: Tensor, *, sample: int = 4_000_000) -> TensorSummary:
    """What the displays of a tensor tell; `sample` values are looked at."""
    return TensorSummary(
        tensor.name,
        tensor.dtype,
        tensor.shape,
        tensor.data,
        tensor.label or "",
        quantization=tensor.quantization,
        origin=tensor.origin or "",
        sample=sample,
    )

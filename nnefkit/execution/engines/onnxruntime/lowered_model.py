"""ONNX models of lowered graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.onnxruntime.builder import OPSET, Node, OnnxValue
from nnefkit.execution.engines.onnxruntime.graph_lowering import (
    LoweredGraph,
    Lowering,
    lower_graph,
    named_weights,
)
from nnefkit.execution.engines.onnxruntime.operations import LOWERINGS
from nnefkit.execution.preparation.integer_arithmetic import with_integer_arithmetic
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import onnx

INLINE = 1024
"""Size in bytes up to which the data of an initializer are always in the model itself.

Larger ones that an operator's shape depends on are in it, too: ONNX Runtime infers shapes before it
sees the shared data."""


def make_model(
    lowered: LoweredGraph,
    outputs: Sequence[OnnxValue],
    name: str,
    *,
    shared: dict[str, Array] | None = None,
) -> onnx.ModelProto:
    """Return the ONNX model that computes `outputs`.

    Args:
        lowered: The graph.
        outputs: Some of its values.
        name: Name of the graph.
        shared: Filled with the data of large initializers by name, to which the model only refers;
            with None the model contains all the data.
    """
    from onnx import helper

    nodes = _used(lowered.builder.nodes, outputs)
    weights = named_weights(nodes, [value for value in outputs if value.data is not None])
    graph = helper.make_graph(
        [_node(node) for node in nodes],
        name,
        [_info(value) for value in lowered.inputs],
        [_info(value) for value in outputs],
        [_initializer(value, shared) for value in weights],
    )
    opsets = [helper.make_opsetid("", lowered.builder.opset)]
    version = helper.find_min_ir_version_for(opsets)
    return helper.make_model(
        graph, opset_imports=opsets, ir_version=version, producer_name="nnefkit"
    )


def _used(nodes: Sequence[Node], outputs: Sequence[OnnxValue]) -> list[Node]:
    """Return the nodes that the outputs need: some lowerings bypass nodes of others."""
    wanted = {id(value) for value in outputs}
    used = []
    for node in reversed(nodes):
        if any(id(value) in wanted for value in node.outputs):
            used.append(node)
            wanted.update(map(id, node.inputs))
    used.reverse()
    return used


def exported_model(
    graph: Graph,
    *,
    opset: int = OPSET,
    codes: bool = False,
    shared: dict[str, Array] | None = None,
    lowerings: Mapping[str, Lowering] = LOWERINGS,
) -> onnx.ModelProto:
    """Return the ONNX model of `graph`, whose shapes are all known.

    Its inputs are those of the graph, then the variables that it updates; its outputs those of
    the graph, then the new values of these variables, in the same order. Tensors keep their names.

    Args:
        graph: A graph without calls of fragments.
        opset: The version of the ONNX operators.
        codes: Whether quantization is expressed by integer codes, where ONNX can.
        shared: As for `make_model`.
        lowerings: The lowering of each operation, by its name.

    Raises:
        ExecutionError: An operation cannot be expressed in ONNX, or a variable has no values.
    """
    graph = with_integer_arithmetic(graph)
    names = tuple(dict.fromkeys((*graph.outputs, *updates(graph).values())))
    lowered = lower_graph(
        graph, names, opset=opset, portable=True, codes=codes, lowerings=lowerings
    )
    outputs = [_named(lowered, name) for name in names]
    return make_model(lowered, outputs, graph.name, shared=shared)


def _named(lowered: LoweredGraph, name: str) -> OnnxValue:
    """Return an output under its own name, even if its value is that of another tensor."""
    value = lowered.outputs[name]
    if value.name == name:
        return value
    copy = lowered.builder.node("Identity", [value], value.shape)
    copy.name = name
    return copy


def _node(node: Node) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node(
        node.kind,
        [value.name if value is not None else "" for value in node.inputs],
        [value.name for value in node.outputs],
        name=node.outputs[0].name,
        **{key: _attribute(value) for key, value in node.attributes.items()},
    )


def _attribute(value: Any) -> Any:
    from onnx import helper

    if isinstance(value, np.dtype):
        return helper.np_dtype_to_tensor_dtype(value)
    return list(value) if isinstance(value, tuple) else value


def _info(value: OnnxValue) -> onnx.ValueInfoProto:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    return helper.make_tensor_value_info(value.name, kind, value.shape)


def _initializer(value: OnnxValue, shared: dict[str, Array] | None) -> onnx.TensorProto:
    import onnx
    from onnx import helper, numpy_helper

    data = np.asarray(value.data)
    data = np.ascontiguousarray(data, data.dtype.newbyteorder("=")).reshape(data.shape)
    if shared is None or value.inline or data.nbytes <= INLINE:
        return numpy_helper.from_array(data, value.name)
    shared[value.name] = data
    entries: Mapping[str, str] = {
        "location": "memory",
        "offset": "0",
        "length": str(data.nbytes),
    }
    return onnx.TensorProto(
        name=value.name,
        data_type=helper.np_dtype_to_tensor_dtype(data.dtype),
        dims=data.shape,
        data_location=onnx.TensorProto.EXTERNAL,
        external_data=[
            onnx.StringStringEntryProto(key=key, value=text) for key, text in entries.items()
        ],
    )

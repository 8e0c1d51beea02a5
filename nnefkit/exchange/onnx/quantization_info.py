"""Pairs of QuantizeLinear and DequantizeLinear as quantization info (5.3) instead of operations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.onnx.opened_model import OnnxModel
from nnefkit.exchange.onnx.python_values import array_of
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.graph.operation import renamed

if TYPE_CHECKING:
    from onnx import NodeProto

_ALGORITHM = "zero_point_linear_quantize"


def with_quantization_info(graph: Graph, model: OnnxModel) -> Graph:
    """Return a graph whose pairs of quantization and dequantization are quantization info.

    Left as operations are those of a tensor that is also read, or returned, before it is rounded;
    of an input that is returned after it is rounded; of a tensor that has info already; and those
    whose parameters are computed. Their results are in ``provenance["quantized_by_operations"]``.
    Weights that the model stores as codes get info if the graph stores them in the same layout;
    others are in floating point with the same values.

    Args:
        graph: The graph as it was read, with the pairs as operations.
        model: The model.
    """
    changed = _PairRewriting(graph)
    for op in graph.operations:
        if op.name == _ALGORITHM:
            changed.take(op)
    result = changed.result()
    tensors = dict(result.tensors)
    grids = _coded_weights(model)
    for variable in result.variables:
        if (line := _line_of(variable, grids)) is not None:
            tensors[variable.name] = replace(variable, quantization=line)
    facts = {**graph.provenance, "quantized_by_operations": tuple(changed.left)}
    if any(tensors[variable.name].quantization for variable in result.variables):
        facts["weights"] = "codes"
    return replace(result, tensors=FrozenDict(tensors), provenance=FrozenDict(facts))


class _PairRewriting:
    """Replaces operations by quantization info of the tensors that they read."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.lines: dict[str, FrozenDict] = {}
        """Line by name of the tensor before it is rounded."""
        self.names: dict[str, str] = {}
        """New names of tensors."""
        self.removed: set[int] = set()
        self.parameters: set[str] = set()
        self.left: list[str] = []

    def take(self, op: Operation) -> None:
        """Turn an operation into info if 5.3 can express it."""
        name, source = op.output_names[0], op.inputs["x"]
        values = [self._value(op.inputs[key]) for key in ("zero_point", "scale")]
        if (
            not isinstance(source, Identifier)
            or any(value is None for value in values)
            or not self._can_have_line(source, name)
        ):
            self.left.append(name)
            return
        zero_point, scale = values
        self.lines[source] = FrozenDict(
            {"op-name": _ALGORITHM, "zero_point": zero_point, "scale": scale, **op.attribs}
        )
        self.removed.add(id(op))
        self.parameters.update(n for n in op.input_names if n != source)
        if self.graph.producers[source].name == "external":
            self.names[name] = source
        else:
            self.names[source] = name

    def _can_have_line(self, source: str, name: str) -> bool:
        graph = self.graph
        producer = graph.producers[source]
        return (
            len(graph.consumers[source]) == 1
            and source not in graph.outputs
            and graph.tensors[source].dtype == "scalar"
            and producer.name not in ("variable", "constant", "update")
            and id(producer) not in self.removed
            and not (producer.name == "external" and name in graph.outputs)
        )

    def _value(self, argument: Any) -> Any:
        """Return a parameter as a literal; None if it is computed."""
        if not isinstance(argument, Identifier):
            return argument
        data = self.graph.tensors[argument].data
        return None if data is None else np.asarray(data).tolist()

    def result(self) -> Graph:
        """Return the graph with the info that was taken."""
        graph = self.graph
        operations = [op for op in graph.operations if id(op) not in self.removed]
        read = {name for op in operations for name in op.input_names}
        unread = self.parameters - read - set(graph.outputs)
        renamed_operations = tuple(
            replace(
                op,
                inputs=FrozenDict(renamed(dict(op.inputs), self.names)),
                outputs=FrozenDict(renamed(dict(op.outputs), self.names)),
            )
            for op in operations
            if unread.isdisjoint(op.output_names)
        )
        tensors = {tensor.name: tensor for tensor in self._tensors(unread)}
        return replace(graph, operations=renamed_operations, tensors=FrozenDict(tensors))

    def _tensors(self, unread: Collection[str]) -> Iterator[Tensor]:
        """Yield the tensors that remain, under their new names."""
        tensors, replaced = self.graph.tensors, set(self.names.values())
        for name, tensor in tensors.items():
            if name in unread or self.names.get(name) in self.lines:
                continue  # a parameter, or the rounded form of an input
            line = self.lines.get(name)
            new = self.names.get(name)
            if new is not None:
                origin = tensors[new].origin
                yield replace(tensor, name=new, quantization=line, origin=origin)
            elif line is not None:
                yield replace(tensor, quantization=line)
            elif name not in replaced:
                yield tensor


# -- weights ---------------------------------------------------------------------------------------


def _coded_weights(model: OnnxModel) -> dict[bytes, tuple[Array, Array, Any, int, int]]:
    """Return the weights that the model stores as codes, by a digest of their values.

    Each is its zero point and scale, the dtype of its codes, its rank and its axis.
    """
    found: dict[bytes, tuple[Array, Array, Any, int, int]] = {}
    for node, (codes, scale, *zero) in _dequantized_weights(model):
        attributes = {each.name: each.i for each in node.attribute}
        axis = attributes.get("axis", 1) % max(codes.ndim, 1)
        if codes.dtype.kind not in "iu" or attributes.get("block_size") or scale.ndim > 1:
            continue
        point = zero[0] if zero else np.zeros((), codes.dtype)
        centered = codes.astype(np.float64) - _along(codes, point, axis).astype(np.float64)
        numbers = centered.astype(np.float32) * _along(codes, scale, axis).astype(np.float32)
        found[_digest(numbers)] = (point, scale, codes.dtype, codes.ndim, axis)
    return found


def _dequantized_weights(model: OnnxModel) -> Iterator[tuple[NodeProto, list[Array]]]:
    """Yield the nodes that dequantize weights, with the weights: codes, scale and zero point."""
    stored = {each.name: each for each in model.proto.graph.initializer}
    for node in model.proto.graph.node:
        names = [name for name in node.input if name]
        if node.op_type != "DequantizeLinear" or not all(name in stored for name in names):
            continue
        try:
            yield (
                node,
                [
                    model.weights[name] if stored[name].data_location else array_of(stored[name])
                    for name in names
                ],
            )
        except (ValueError, LookupError, TypeError):  # broken: no node that was read needs it
            continue


def _along(codes: Array, parameter: Array, axis: int) -> Array:
    """Return a parameter in a shape that broadcasts to the codes."""
    if parameter.size == 1:
        return parameter.reshape(())
    return parameter.reshape([-1 if i == axis else 1 for i in range(codes.ndim)])


def _digest(values: Array) -> bytes:
    return blake2b(np.ascontiguousarray(values, np.float32).tobytes(), digest_size=16).digest()


def _line_of(
    variable: Tensor, grids: Mapping[bytes, tuple[Array, Array, Any, int, int]]
) -> FrozenDict | None:
    """Return the line of a variable whose values the model stores as codes."""
    data = variable.data
    if data is None or data.dtype.kind != "f" or variable.dtype != "scalar":
        return None
    known = grids.get(_digest(data))
    if known is None:
        return None
    zero_point, scale, dtype, rank, axis = known
    if data.ndim != rank:
        # A bias of the model has one axis, one of the graph has two.
        if rank != 1 or data.ndim != 2 or data.shape[0] != 1:
            return None
        axis = 1
    size = max(zero_point.size, scale.size)
    if size > 1 and data.shape[axis] != size:
        return None
    shape = (*(1 for _ in range(axis)), size) if size > 1 else ()
    points = np.broadcast_to(zero_point.reshape(-1).astype(np.int64), (size,)).reshape(shape)
    steps = np.broadcast_to(scale.reshape(-1).astype(np.float64), (size,)).reshape(shape)
    return FrozenDict(
        {
            "op-name": _ALGORITHM,
            "zero_point": points.tolist() if points.any() else 0,
            "scale": steps.tolist(),
            "bits": 8 * dtype.itemsize,
            "signed": dtype.kind == "i",
            "symmetric": False,
        }
    )

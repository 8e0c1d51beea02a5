"""The lowering of graphs: each operation to ONNX operators of the same meaning."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from nnefkit.errors import ExecutionError, NnefError
from nnefkit.execution.dtypes import numpy_dtype, scalar_dtype, stored
from nnefkit.execution.engine import failed_operation
from nnefkit.execution.engines.onnxruntime.builder import (
    MINIMUM_OPSET,
    OPSET,
    Builder,
    Node,
    OnnxValue,
)
from nnefkit.execution.engines.onnxruntime.operations import LOWERINGS
from nnefkit.execution.lowering.call_arguments import Literals, attributes, bind
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph, Operation
from nnefkit.operation_names import SOURCES

Lowering = Callable[..., Any]
OPERATIONS = frozenset((*SOURCES, *LOWERINGS))
"""Names of the operations that can be expressed in ONNX."""


@dataclass(frozen=True)
class LoweredGraph:
    """A graph as ONNX nodes."""

    builder: Builder
    inputs: tuple[OnnxValue, ...]
    """The externals, then the variables that the graph updates."""
    outputs: Mapping[str, OnnxValue]
    """Tensor name -> its value, which may be an input, a weight, or that of another tensor."""
    operations: tuple[Operation, ...]
    """The operations that the outputs depend on, without externals, variables and constants."""


def lower_graph(
    graph: Graph,
    outputs: Collection[str],
    *,
    opset: int = OPSET,
    scalar: np.dtype[Any] | None = None,
    portable: bool = False,
    codes: bool = False,
    careful: bool = False,
    lowerings: Mapping[str, Lowering] = LOWERINGS,
) -> LoweredGraph:
    """Lower the operations that some tensors depend on.

    Args:
        graph: All its shapes are known.
        outputs: Names of the tensors to compute.
        opset: The version of the ONNX operators.
        scalar: The dtype of the tensors of data-type scalar; by default the one that engines use.
        portable: Whether to use operators that onnxruntime itself cannot run in float64.
        codes: Whether quantization is expressed by integer codes, where ONNX can.
        careful: Whether maxima and minima are right for NaN and minus infinity, too.
        lowerings: The lowering of each operation, by its name.

    Raises:
        ExecutionError: An operation cannot be expressed in ONNX, or a variable has no values.
    """
    if opset < MINIMUM_OPSET:
        raise ExecutionError(
            f"opset {opset} of ONNX lacks operators that are needed",
            hint=f"Use opset {MINIMUM_OPSET} or later.",
        )
    builder = Builder(scalar or scalar_dtype(graph), opset, portable, codes, careful)
    return _GraphLowering(graph, builder, lowerings).lower(outputs)


class _GraphLowering:
    def __init__(self, graph: Graph, builder: Builder, lowerings: Mapping[str, Lowering]) -> None:
        self.graph = graph
        self.lowerings = lowerings
        self.scalar = builder.scalar
        self.builder = builder
        self.updated = updates(graph)
        self.values: dict[str, OnnxValue] = {}
        self.inputs: list[OnnxValue] = []
        self.numbered: set[int] = set()
        """Intermediate values, by their ids."""

    def lower(self, outputs: Collection[str]) -> LoweredGraph:
        operations = []
        for op in self.graph.needed(outputs):
            if op.is_source:
                self._introduce(op)
            else:
                self._lower(op)
                operations.append(op)
        inputs = [value for value in self.inputs if value.name not in self.updated]
        inputs += [value for value in self.inputs if value.name in self.updated]
        results = {name: self.values[name] for name in outputs}
        return LoweredGraph(self.builder, tuple(inputs), results, tuple(operations))

    def _introduce(self, op: Operation) -> None:
        tensor = self.graph.tensors[op.output_names[0]]
        if op.name == "external" or tensor.name in self.updated:
            dtype = numpy_dtype(tensor.dtype, self.scalar)
            value = OnnxValue(tuple(tensor.shape or ()), dtype, tensor.name)
            self.inputs.append(value)
        else:
            data = stored(tensor, self.scalar)
            value = OnnxValue(data.shape, data.dtype, tensor.name, data)
        self.values[tensor.name] = value

    def _lower(self, op: Operation) -> None:
        start = len(self.builder.nodes)
        results = self._results(op)
        for name, value in zip(op.output_names, results, strict=True):
            # An intermediate value of an operation may be the result of a later one.
            if value.data is None and (not value.name or id(value) in self.numbered):
                value.name = name
                self.numbered.discard(id(value))
            self.values[name] = value
        self._name_intermediates(op.output_names[0] if op.output_names else op.name, start)

    def _results(self, op: Operation) -> Sequence[OnnxValue]:
        """Add the nodes that compute `op`; return its results."""
        lowering = self.lowerings.get(op.name)
        if lowering is None:
            raise ExecutionError(f"ONNX has no operators for '{op.name}'")
        lowering = partial(lowering, self.builder, **attributes(op))
        call = bind(op, lowering, partial(_OnnxLiterals, self.graph, op, self.builder))
        try:
            results = call(*[self.values[name] for name in op.input_names])
        except NnefError:
            raise
        except (ValueError, OverflowError, MemoryError) as error:
            # The attributes are too large for an array of weights.
            shapes = {name: self.values[name].shape for name in op.input_names}
            raise failed_operation(self.graph, op, shapes, error) from error
        return [results] if isinstance(results, OnnxValue) else results

    def _name_intermediates(self, name: str, start: int) -> None:
        """Name the intermediate values of an operation."""
        number = 0
        for node in self.builder.nodes[start:]:
            for value in node.outputs:
                if not value.name:
                    number += 1
                    value.name = f"{name}.{number}"
                    self.numbered.add(id(value))


class _OnnxLiterals(Literals):
    """The literals of one operation as initializers."""

    def __init__(self, graph: Graph, op: Operation, builder: Builder) -> None:
        super().__init__(graph, op, builder.scalar)
        self._builder = builder

    def argument(self, value: Any) -> OnnxValue:
        """Return an initializer of rank 0."""
        return self._builder.constant(value, self.dtype(value))


def named_weights(nodes: Sequence[Node], more: Sequence[OnnxValue] = ()) -> list[OnnxValue]:
    """Return the initializers that nodes read, and those of `more`; all get names."""
    weights: dict[int, OnnxValue] = {}
    for value in (*more, *(v for node in nodes for v in node.inputs)):
        if value is not None and value.data is not None:
            weights.setdefault(id(value), value)
    values = (value for node in nodes for value in (*node.inputs, *node.outputs))
    # A tensor called `constant` has reshaped forms that are called `constant.4`, for example.
    taken = {value.name for value in (*more, *values) if value is not None}
    numbered = (name for number in count(1) if (name := f"constant.{number}") not in taken)
    for value in weights.values():
        if not value.name:
            value.name = next(numbered)
    return list(weights.values())

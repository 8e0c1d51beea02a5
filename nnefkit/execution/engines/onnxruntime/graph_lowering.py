"""Lowering a graph: each operation to the ONNX operators that say the same (4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.errors import ExecutionError, NnefError
from nnefkit.execution.dtypes import numpy_dtype, scalar_dtype, stored
from nnefkit.execution.engine import failed_operation
from nnefkit.execution.engines.onnxruntime.builder import MINIMUM_OPSET, OPSET, Builder, Node, Value
from nnefkit.execution.engines.onnxruntime.operations import LOWERINGS
from nnefkit.execution.variables import updates
from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.operation_names import SOURCES

OPERATIONS = frozenset((*SOURCES, *LOWERINGS))
"""Names of the operations that ONNX can say."""


@dataclass(frozen=True)
class Lowered:
    """A graph as ONNX nodes."""

    builder: Builder
    inputs: tuple[Value, ...]
    """The externals, then the variables that the graph updates."""
    outputs: Mapping[str, Value]
    """Tensor name -> its value, which may be an input, a weight, or that of another tensor."""
    operations: tuple[Operation, ...]
    """Those that are needed for the outputs, without externals, variables and constants."""


def lower(
    graph: Graph,
    outputs: Collection[str],
    *,
    opset: int = OPSET,
    scalar: np.dtype[Any] | None = None,
    portable: bool = False,
    codes: bool = False,
) -> Lowered:
    """Lowers the operations that some tensors need.

    Args:
        graph: All its shapes are known.
        outputs: Names of the tensors to compute.
        opset: The version of the ONNX operators.
        scalar: What tensors of data-type scalar are computed in; None as the engines do.
        portable: Whether to use operators that onnxruntime itself cannot run in float64.
        codes: Whether quantization becomes codes, where ONNX has such.

    Raises:
        ExecutionError: ONNX cannot say an operation, or a variable has no values.
    """
    if opset < MINIMUM_OPSET:
        raise ExecutionError(
            f"opset {opset} of ONNX lacks operators that are needed",
            hint=f"Opsets from {MINIMUM_OPSET} on have them.",
        )
    builder = Builder(scalar or scalar_dtype(graph), opset, portable, codes)
    return _GraphLowering(graph, builder).lower(outputs)


class _GraphLowering:
    def __init__(self, graph: Graph, builder: Builder) -> None:
        self.graph = graph
        self.scalar = builder.scalar
        self.builder = builder
        self.updated = updates(graph)
        self.values: dict[str, Value] = {}
        self.inputs: list[Value] = []

    def lower(self, outputs: Collection[str]) -> Lowered:
        done = []
        for op in self.graph.needed(outputs):
            if op.is_source:
                self._introduce(op)
            else:
                self._lower(op)
                done.append(op)
        inputs = [value for value in self.inputs if value.name not in self.updated]
        inputs += [value for value in self.inputs if value.name in self.updated]
        results = {name: self.values[name] for name in outputs}
        return Lowered(self.builder, tuple(inputs), results, tuple(done))

    def _introduce(self, op: Operation) -> None:
        tensor = self.graph.tensors[op.output_names[0]]
        if op.name == "external" or tensor.name in self.updated:
            dtype = numpy_dtype(tensor.dtype, self.scalar)
            value = Value(tuple(tensor.shape or ()), dtype, tensor.name)
            self.inputs.append(value)
        else:
            data = stored(tensor, self.scalar)
            value = Value(data.shape, data.dtype, tensor.name, data)
        self.values[tensor.name] = value

    def _lower(self, op: Operation) -> None:
        attribs = dict(op.attribs)
        if op.name == "cast":
            attribs["dtype"] = op.dtype or "scalar"
        number = self._number(op)
        inputs = [self._argument(value, number) for value in op.inputs.values()]
        start = len(self.builder.nodes)
        lowering = LOWERINGS.get(op.name)
        if lowering is None:
            raise ExecutionError(f"ONNX has no operators for '{op.name}'")
        try:
            results = lowering(self.builder, *inputs, **attribs)
        except NnefError:
            raise
        except (ValueError, OverflowError, MemoryError) as error:
            # Attributes so large that no array of weights for them can be made.
            shapes = {name: self.values[name].shape for name in op.input_names}
            raise failed_operation(self.graph, op, shapes, error) from error
        if isinstance(results, Value):
            results = [results]
        for name, value in zip(op.output_names, results, strict=True):
            if not value.name and value.data is None:
                value.name = name
            self.values[name] = value
        self._name_the_rest(op.output_names[0] if op.output_names else op.name, start)

    def _name_the_rest(self, name: str, start: int) -> None:
        """Names what lies between the inputs and the results of an operation."""
        number = 0
        for node in self.builder.nodes[start:]:
            for value in node.outputs:
                if not value.name:
                    number += 1
                    value.name = f"{name}.{number}"

    def _number(self, op: Operation) -> np.dtype[Any] | None:
        """What whole numbers among the arguments become: beside scalars they are scalars too."""
        names = (*op.input_names, *op.output_names)
        scalar = any(self.graph.tensors[name].dtype == "scalar" for name in names)
        return self.scalar if scalar else None

    def _argument(self, value: Any, number: np.dtype[Any] | None) -> Any:
        if isinstance(value, Identifier):
            return self.values[value]
        if isinstance(value, (list, tuple)):
            return [self._argument(item, number) for item in value]
        if isinstance(value, (bool, np.bool_)):
            return self.builder.constant(value, np.bool_)
        dtype = number or (np.dtype(np.int64) if isinstance(value, int) else self.scalar)
        return self.builder.constant(value, dtype)


def named_weights(nodes: Sequence[Node], more: Sequence[Value] = ()) -> list[Value]:
    """The initializers that nodes read, and those of `more`, all of them with names."""
    found: dict[int, Value] = {}
    for value in (*more, *(v for node in nodes for v in node.inputs)):
        if value is not None and value.data is not None:
            found.setdefault(id(value), value)
    for number, value in enumerate(found.values(), 1):
        if not value.name:
            value.name = f"constant.{number}"
    return list(found.values())

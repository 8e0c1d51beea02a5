"""The lowering of graphs: each operation to TFLite operators of the same meaning."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nnefkit import language
from nnefkit.errors import ExecutionError, NnefError
from nnefkit.execution.dtypes import numpy_dtype, stored
from nnefkit.execution.engine import failed_operation
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.operations import FRAGMENTS, LOWERINGS
from nnefkit.execution.lowering.call_arguments import Literals, attributes, bind
from nnefkit.execution.lowering.constant_folding import folded
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph, Operation
from nnefkit.operations.shape_inference import infer_shapes

COMPOUND = frozenset(("linear_quantize", "min_max_linear_quantize", "zero_point_linear_quantize"))
"""Operations that are computed by the operations in their definitions (4.9)."""


@dataclass(frozen=True)
class LoweredTflite:
    """A graph as TFLite operators."""

    builder: TfliteBuilder
    inputs: tuple[TfliteValue, ...]
    """The externals, then the variables that the graph updates."""
    values: Mapping[str, TfliteValue]
    """Tensor name -> its value, which may be an input, a constant, or that of another tensor."""


def simplified(graph: Graph, outputs: Collection[str]) -> Graph:
    """Return a graph that is easier to lower.

    Compound operations without a lowering are replaced by simpler ones, and what depends on weights
    alone is computed.

    Args:
        graph: Its shapes are known, and its variables have values.
        outputs: Names of the tensors to compute.
    """
    if any(op.name in COMPOUND for op in graph.operations):
        graph = infer_shapes(language.lower(graph, COMPOUND))
    return folded(graph, outputs)


def lower_graph(graph: Graph, outputs: Collection[str], *, coded: bool = False) -> LoweredTflite:
    """Lower the operations that some tensors depend on.

    Args:
        graph: All its shapes are known, and its images are channels-last.
        outputs: Names of the tensors to compute.
        coded: Whether values have the quantization info of their tensors.

    Raises:
        ExecutionError: An operation cannot be expressed in TFLite, or a variable has no values.
    """
    return _TfliteLowering(graph, coded).lower(outputs)


class _TfliteLowering:
    def __init__(self, graph: Graph, coded: bool) -> None:
        self.graph = graph
        self.coded = coded
        self.builder = TfliteBuilder()
        self.updated = updates(graph)
        self.values: dict[str, TfliteValue] = {}
        self.inputs: list[TfliteValue] = []
        self.numbered: set[int] = set()
        """Intermediate values, by their ids."""

    def lower(self, outputs: Collection[str]) -> LoweredTflite:
        for op in self.graph.needed(outputs):
            if op.is_source:
                self._introduce(op)
            else:
                self._lower(op)
        inputs = [value for value in self.inputs if value.name not in self.updated]
        inputs += [value for value in self.inputs if value.name in self.updated]
        return LoweredTflite(self.builder, tuple(inputs), self.values)

    def _introduce(self, op: Operation) -> None:
        tensor = self.graph.tensors[op.output_names[0]]
        if op.name == "external" or tensor.name in self.updated:
            dtype = numpy_dtype(tensor.dtype, self.builder.scalar)
            value = TfliteValue(tuple(tensor.shape or ()), dtype, tensor.name)
            self.inputs.append(value)
        else:
            data = stored(tensor, self.builder.scalar)
            value = TfliteValue(data.shape, data.dtype, tensor.name, data)
            value.is_weight = op.name == "variable"
        if self.coded:
            value.line = tensor.quantization
        self.values[tensor.name] = value

    def _lower(self, op: Operation) -> None:
        start = len(self.builder.operators)
        results = self._results(op)
        for name, value in zip(op.output_names, results, strict=True):
            self.values[name] = self._named(op, name, value)
        self._name_intermediates(op.output_names[0] if op.output_names else op.name, start)

    def _named(self, op: Operation, name: str, value: TfliteValue) -> TfliteValue:
        """Return the value of a tensor, with its name."""
        line = self.graph.tensors[name].quantization if self.coded else None
        # An intermediate value of an operation may be the result of a later one.
        is_new = value.data is None and (not value.name or id(value) in self.numbered)
        if not is_new and value.line != line and (line or op.name == "copy"):
            value = self.builder.op("COPY", [value], value.shape)
            is_new = True
        if is_new:
            value.name, value.line = name, line
            self.numbered.discard(id(value))
        return value

    def _results(self, op: Operation) -> Sequence[TfliteValue]:
        """Add the operators that compute `op`; return its results."""
        lowering: Callable[..., Any] | None = LOWERINGS.get(op.name) or FRAGMENTS.get(op.name)
        if lowering is None:
            raise ExecutionError(f"TFLite has no operators for '{op.name}'")
        lowering = partial(lowering, self.builder, **attributes(op))
        call = bind(op, lowering, partial(_TfliteLiterals, self.graph, op, self.builder))
        try:
            results = call(*[self.values[name] for name in op.input_names])
        except NnefError:
            raise
        except (ValueError, OverflowError, MemoryError) as error:
            # The attributes are too large for an array of weights.
            shapes = {name: self.values[name].shape for name in op.input_names}
            raise failed_operation(self.graph, op, shapes, error) from error
        return [results] if isinstance(results, TfliteValue) else results

    def _name_intermediates(self, name: str, start: int) -> None:
        """Name the intermediate values of an operation."""
        number = 0
        for operator in self.builder.operators[start:]:
            for value in operator.outputs:
                if not value.name:
                    number += 1
                    value.name = f"{name}.{number}"
                    self.numbered.add(id(value))


class _TfliteLiterals(Literals):
    """The literals of one operation as constants."""

    def __init__(self, graph: Graph, op: Operation, builder: TfliteBuilder) -> None:
        super().__init__(graph, op, builder.scalar)
        self._builder = builder

    def argument(self, value: Any) -> TfliteValue:
        """Return a constant of rank 0."""
        return self._builder.constant(value, self.dtype(value))

"""Operations of a graph, each computed on its own, on any engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.execution.dtypes import scalar_dtype
from nnefkit.execution.engine import Engine, failed_operation
from nnefkit.execution.lowering.kernels import bind_kernel
from nnefkit.execution.preparation.integer_arithmetic import rounded_integers
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.graph.cut import external
from nnefkit.operations.custom import definitions, in_effect

Values = Callable[[str], Array]
"""Returns the present values of a tensor."""


class SingleOperations:
    """Computes the operations of a graph one at a time.

    The reference kernels are called directly. Other engines are given a graph of one operation, so
    that nothing is fused.

    Args:
        graph: Without calls of fragments; its shapes are known, except after custom operations
            without a shape rule.
        engine: The engine; it supports the graph. None calls the reference kernels.

    Raises:
        ExecutionError: The engine computes with codes, several operations at once.
    """

    def __init__(self, graph: Graph, engine: Engine | None) -> None:
        if engine is not None and engine.annotated:
            raise ExecutionError(
                f"the engine '{engine.name}' computes several operations at once, on codes",
                hint="nk.trace(graph, inputs, engine) has the tensors between them; "
                "nk.step(graph, inputs, quantized=True) goes through them in numpy.",
            )
        self.graph = graph
        self.scalar = scalar_dtype(graph)
        self._engine = engine
        self._definitions = definitions()
        self._rounded = rounded_integers(graph)
        self._fixed: set[str] = set()
        for op in graph.operations:
            if op.name != "external" and self._fixed.issuperset(op.input_names):
                self._fixed.update(op.output_names)
        self._kernels: Sequence[Callable[..., Any] | None] = ()
        if engine is None:
            self._kernels = [
                None if op.is_source else bind_kernel(graph, op, self.scalar)
                for op in graph.operations
            ]

    def compute(self, number: int, values: Values) -> dict[str, Array]:
        """Return the results of an operation by name.

        Args:
            number: Index of the operation.
            values: Returns the values of the tensors that it reads.

        Raises:
            ExecutionError: It failed.
        """
        op = self.graph.operations[number]
        arrays = {name: values(name) for name in op.input_names}
        try:
            results = self._results(number, op, arrays)
        except Exception as error:
            if self._engine is not None and isinstance(error, ExecutionError):
                raise
            raise self._failed(op, arrays, error) from error
        try:
            _refuse_rounded(results, self._rounded)
        except ExecutionError as error:
            raise self._failed(op, arrays, error) from None
        return results

    def _failed(
        self, op: Operation, arrays: Mapping[str, Array], error: Exception
    ) -> ExecutionError:
        shapes = {name: array.shape for name, array in arrays.items()}
        return failed_operation(self.graph, op, shapes, error)

    def _results(self, number: int, op: Operation, arrays: Mapping[str, Array]) -> dict[str, Array]:
        if self._engine is None:
            kernel = self._kernels[number]
            if kernel is None:  # sources are not computed
                return {}
            with np.errstate(all="ignore"):
                computed = kernel(*(arrays[name] for name in op.input_names))
            if isinstance(computed, np.ndarray):
                computed = (computed,)
            return dict(zip(op.output_names, map(np.asarray, computed), strict=True))
        if op.name == "update":
            return {op.output_names[0]: arrays[str(op.inputs["value"])].copy()}
        alone = self._alone(op, arrays)
        feeds = {name: arrays[name] for name in alone.inputs}
        with in_effect(self._definitions):
            results = self._engine.prepare(alone, op.output_names)(feeds)
        return {name: results[name] for name in op.output_names}

    def _alone(self, op: Operation, arrays: Mapping[str, Array]) -> Graph:
        """Return a graph of one operation; weights that it reads are variables in it."""
        graph = self.graph
        operations: list[Operation] = []
        tensors: dict[str, Tensor] = {name: graph.tensors[name] for name in op.output_names}
        inputs: list[str] = []
        for name, array in arrays.items():
            tensor = replace(graph.tensors[name], shape=array.shape, quantization=None)
            if name in self._fixed:
                tensor = replace(tensor, data=array, label=name)
                operations.append(_variable(tensor, array))
            else:
                tensor = replace(tensor, data=None, label=None)
                operations.append(external(tensor))
                inputs.append(name)
            tensors[name] = tensor
        if self.scalar.itemsize > 4:
            # A variable of float64 decides in which precision a graph is computed.
            name = "precision"
            while name in tensors:
                name += "_"
            array = np.zeros(1, self.scalar)
            tensors[name] = Tensor(name, "scalar", (1,), array, name)
            operations.append(_variable(tensors[name], array))
        return replace(
            graph,
            inputs=tuple(inputs),
            outputs=op.output_names,
            operations=(*operations, op),
            tensors=FrozenDict(tensors),
        )


def _variable(tensor: Tensor, array: Array) -> Operation:
    return Operation(
        "variable",
        FrozenDict(),
        FrozenDict(output=Identifier(tensor.name)),
        FrozenDict(shape=list(array.shape), label=tensor.name),
        dtype=tensor.dtype,
    )


def _refuse_rounded(results: Mapping[str, Array], whole: Collection[str]) -> None:
    """Refuse integers that scalars do not represent, and that become integers again.

    Raises:
        ExecutionError: There is one.
    """
    for name, array in results.items():
        exact = 2 ** (np.finfo(array.dtype).nmant + 1) if name in whole else 0
        if exact and bool((np.abs(array) >= exact).any()):
            raise ExecutionError(
                f"it computes integers of {exact:,} and more, which {array.dtype} rounds",
                hint="nk.run and nk.trace compute them as integers.",
            )

"""Counts and statistics of a graph, for its card and for the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from nnefkit.arrays import Shape
from nnefkit.display.operation_table import OperationRows, element_count
from nnefkit.display.protocols import GraphLike, GraphTensorLike
from nnefkit.display.statistics import Statistics, statistics
from nnefkit.operation_names import SOURCES

BUDGET = 2_000_000
"""Maximum number of values of variables examined."""
MAX_VARIABLES = 400
"""Maximum number of variables examined: many small ones cost more than their values do."""


class Port(NamedTuple):
    """An input or an output of a graph."""

    name: str
    dtype: str
    """``"?"`` if no operation defines it, as in a document with errors."""
    shape: Shape | None


class Examined(NamedTuple):
    """Statistics of the variables of a graph, as far as the budget reached."""

    statistics: tuple[Statistics | None, ...]
    """One for each variable; None if there are no values or the budget was spent."""
    examined: int
    """Number of values that were examined."""
    available: int
    """Number of all values."""
    nan: int
    infinite: int


class GraphSummary:
    """Facts about a graph, each computed when it is first read."""

    def __init__(self, graph: GraphLike) -> None:
        self.graph = graph

    @cached_property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs, with dtypes and shapes."""
        return self._ports(self.graph.inputs)

    @cached_property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs, with dtypes and shapes."""
        return self._ports(self.graph.outputs)

    def _ports(self, names: Sequence[str]) -> tuple[Port, ...]:
        tensors = ((name, self.graph.tensors.get(name)) for name in names)
        return tuple(
            Port(name, "?", None) if tensor is None else Port(name, tensor.dtype, tensor.shape)
            for name, tensor in tensors
        )

    @cached_property
    def computations(self) -> OperationRows:
        """Rows of the operations, without externals, variables and constants."""
        return OperationRows(self.graph, sources=False)

    @cached_property
    def histogram(self) -> tuple[tuple[str, int], ...]:
        """Number of calls of each operation, the most frequent first; without sources."""
        counts = Counter(op.name for op in self.graph.operations if op.name not in SOURCES)
        return tuple(sorted(counts.items(), key=lambda item: -item[1]))

    @cached_property
    def macs(self) -> int | None:
        """Multiply-accumulates of one run, as far as they are known; None where none are."""
        macs = [op.macs for op in self.graph.operations if op.macs is not None]
        return sum(macs) if macs else None

    @cached_property
    def macs_unknown(self) -> int:
        """Number of operations whose MACs are unknown: custom ones, and those without shapes."""
        operations = self.graph.operations
        return sum(1 for op in operations if op.macs is None and op.name not in SOURCES)

    @cached_property
    def parameters(self) -> int:
        """Number of elements of all variables; those of one label share their data (4.1.3)."""
        return sum(element_count(tensor) for tensor in self._distinct.values())

    @cached_property
    def bytes(self) -> int:
        """Size of the values of all variables in memory."""
        return sum(
            tensor.data.nbytes for tensor in self._distinct.values() if tensor.data is not None
        )

    @cached_property
    def _distinct(self) -> dict[str, GraphTensorLike]:
        return {(tensor.label or tensor.name).lower(): tensor for tensor in self.graph.variables}

    @cached_property
    def quantized(self) -> int:
        """Number of tensors with an entry in ``graph.quant``."""
        return sum(1 for tensor in self.graph.tensors.values() if tensor.quantization)

    @cached_property
    def examined(self) -> Examined:
        """Statistics of the variables, in their order, until the budget is spent."""
        results: list[Statistics | None] = []
        budget, calls = BUDGET, MAX_VARIABLES
        available = nan = infinite = 0
        for variable in self.graph.variables:
            values = variable.data
            available += 0 if values is None else values.size
            if values is None or budget <= 0 or calls <= 0:
                results.append(None)
                continue
            one = statistics(values, limit=min(BUDGET // 32, budget))
            results.append(one)
            budget -= one.examined
            calls -= 1
            nan, infinite = nan + one.nan, infinite + one.infinite
        return Examined(tuple(results), BUDGET - budget, available, nan, infinite)

"""The table of the operations of a graph: one row each, with costs and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, overload

from nnefkit.arrays import Shape
from nnefkit.display.numbers import LARGEST
from nnefkit.display.protocols import GraphLike, OperationLike, TensorLike
from nnefkit.operation_names import SOURCES, WEIGHTS

if TYPE_CHECKING:
    import pandas as pd


class OperationRow(NamedTuple):
    """One operation."""

    number: int
    """Its position among the operations of the graph, from 0."""
    operation: str
    results: tuple[str, ...]
    """Names of the tensors that it computes."""
    shape: Shape | None
    """Shape of the first result."""
    macs: int | None = None
    parameters: int = 0
    """Number of elements of the variables that it reads."""
    line: int | None = None
    scope: tuple[str, ...] = ()


class OperationRows(Sequence[OperationRow]):
    """The rows of some operations, in the order of the graph, each made when it is read.

    Parameters are counted at the operation that combines them with data, not at one that only
    reshapes or transposes a variable.
    """

    def __init__(self, graph: GraphLike, *, sources: bool = True) -> None:
        self._graph = graph
        self._operations = graph.operations
        self._numbers = [
            number
            for number, operation in enumerate(graph.operations)
            if sources or operation.name not in SOURCES
        ]

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> OperationRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[OperationRow]: ...
    def __getitem__(self, index: int | slice) -> OperationRow | Sequence[OperationRow]:
        if isinstance(index, slice):
            return [self._row(number) for number in self._numbers[index]]
        return self._row(self._numbers[index])

    def _row(self, number: int) -> OperationRow:
        operation = self._operations[number]
        results = operation.output_names
        first = self._graph.tensors.get(results[0]) if results else None
        return OperationRow(
            number,
            operation.name,
            results,
            None if first is None else first.shape,
            operation.macs,
            self._parameters(operation),
            self._graph.line(operation),
            operation.scope,
        )

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """Numbers of elements of the variables."""
        return {tensor.name: element_count(tensor) for tensor in self._graph.variables}

    @cached_property
    def _fixed(self) -> dict[str, OperationLike]:
        """The operations that compute the tensors that depend on variables and constants alone."""
        fixed: dict[str, OperationLike] = {}
        for operation in self._operations:
            if operation.name not in WEIGHTS:
                reads = operation.input_names
                if not reads or not all(map(fixed.__contains__, reads)):
                    continue
            fixed.update(dict.fromkeys(operation.output_names, operation))
        return fixed

    def _parameters(self, operation: OperationLike) -> int:
        fixed = self._fixed
        waiting = [name for name in operation.input_names if name in fixed]
        if operation.name in WEIGHTS or len(waiting) == len(operation.input_names):
            return 0
        seen = set(waiting)
        while waiting:
            for name in fixed[waiting.pop()].input_names:
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
        return sum(self._sizes[name] for name in seen if name in self._sizes)


def element_count(tensor: TensorLike) -> int:
    """Return the number of elements of a tensor, 0 while its shape is unknown.

    Above `LARGEST` it is `LARGEST`: products of many extents would take long.
    """
    if tensor.shape is None or 0 in tensor.shape:
        return 0
    total = 1
    for extent in tensor.shape:
        total *= extent
        if total >= LARGEST:
            return LARGEST
    return total


def operation_frame(graph: GraphLike) -> pd.DataFrame:
    """One row for each operation, in the order of the graph; unknown values are missing.

    Columns: ``operation``, ``result`` (names, joined by commas if there are several), ``shape``
    (a tuple), ``macs``, ``parameters``, ``line``, ``scope``. The index is the operation's number.
    """
    import pandas as pd

    rows = list(OperationRows(graph))
    frame = pd.DataFrame(
        {
            "operation": [row.operation for row in rows],
            "result": [", ".join(row.results) for row in rows],
            "shape": pd.Series([row.shape for row in rows], dtype=object),
            "macs": pd.array([row.macs for row in rows], dtype="Int64"),
            "parameters": [row.parameters for row in rows],
            "line": pd.array([row.line for row in rows], dtype="Int64"),
            "scope": ["/".join(row.scope) for row in rows],
        }
    )
    frame.index = pd.Index([row.number for row in rows], name="number")
    return frame

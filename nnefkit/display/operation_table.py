"""The table of the operations of a graph: one row each, with costs and parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from nnefkit.arrays import Shape
from nnefkit.display.protocols import GraphLike, TensorLike
from nnefkit.operation_names import WEIGHTS

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


def operation_rows(graph: GraphLike) -> tuple[OperationRow, ...]:
    """Rows of all operations, in the order of the graph.

    Parameters are counted at the operation that combines them with data, not at one that only
    reshapes or transposes a variable.
    """
    sizes = {tensor.name: element_count(tensor) for tensor in graph.variables}
    tensors = graph.tensors
    # The variables of each tensor that is computed from variables and constants alone.
    fixed: dict[str, frozenset[str]] = {}
    rows = []
    for number, op in enumerate(graph.operations):
        results = op.output_names
        reads = [fixed.get(name) for name in op.input_names]
        own = frozenset[str]().union(*filter(None, reads))
        if op.name in WEIGHTS or (reads and None not in reads):
            variables = own.union(name for name in results if name in sizes)
            fixed.update(dict.fromkeys(results, variables))
            own = frozenset()
        first = tensors.get(results[0]) if results else None
        rows.append(
            OperationRow(
                number,
                op.name,
                results,
                None if first is None else first.shape,
                op.macs,
                sum(map(sizes.__getitem__, own)),
                graph.line(op),
                op.scope,
            )
        )
    return tuple(rows)


def element_count(tensor: TensorLike) -> int:
    """Return the number of elements of a tensor, 0 while its shape is unknown."""
    return math.prod(tensor.shape) if tensor.shape is not None else 0


def operation_frame(graph: GraphLike) -> pd.DataFrame:
    """One row for each operation, in the order of the graph; unknown values are missing.

    Columns: ``operation``, ``result`` (names, joined by commas if there are several), ``shape``
    (a tuple), ``macs``, ``parameters``, ``line``, ``scope``. The index is the operation's number.
    """
    import pandas as pd

    rows = operation_rows(graph)
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

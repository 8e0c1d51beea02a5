"""The operation that produces the first NaN of a run, and the one that hides it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nnefkit.analysis.causes import weight_tensors
from nnefkit.analysis.compared_tensor import ComparedTensor
from nnefkit.graph import Graph


class FirstNan(NamedTuple):
    """Where NaN arises in a run."""

    tensor: ComparedTensor
    """The first tensor that holds NaN."""
    is_upstream_unknown: bool
    """Whether a tensor before it was not compared, so that the NaN may arise there."""
    hiding: ComparedTensor | None
    """The first tensor without NaN although its operation reads one with NaN."""


def first_nan(rows: Iterable[ComparedTensor], graph: Graph | None, side: int) -> FirstNan | None:
    """Return where the first NaN arises in one of the two runs; None if there is none.

    Args:
        rows: The compared tensors, in the order of the graph.
        graph: The graph, if it is known.
        side: 0 for the first run, 1 for the second.
    """
    rows = [row for row in rows if row.metrics is not None]
    counts = [row.metrics.nan[side] for row in rows if row.metrics is not None]
    first = next((row for row, count in zip(rows, counts, strict=True) if count), None)
    if first is None:
        return None
    if graph is None or first.number < 0:
        return FirstNan(first, False, None)
    compared = {name for row in rows for name in (row.name, row.other)}
    op = graph.operations[first.number]
    unknown = set(op.input_names).difference(compared, weight_tensors(graph))
    return FirstNan(first, bool(unknown), _hiding(rows, counts, graph))


def _hiding(rows: list[ComparedTensor], counts: list[int], graph: Graph) -> ComparedTensor | None:
    pairs = list(zip(rows, counts, strict=True))
    with_nan = {name for row, count in pairs if count for name in (row.name, row.other)}
    for row, count in pairs:
        names = graph.operations[row.number].input_names if row.number >= 0 else ()
        if not count and not with_nan.isdisjoint(names):
            return row
    return None

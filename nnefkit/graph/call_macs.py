"""MACs of fragment calls: those of the operations that they stand for."""

from __future__ import annotations

from dataclasses import replace

from nnefkit.graph.model import Graph
from nnefkit.graph.operation import Operation


def with_macs_of(graph: Graph, expanded: Graph) -> Graph:
    """Return `graph` with the MACs of `expanded`, in which its fragment calls are expanded.

    The MACs of a call are the sum over its operations, and None where those of one are unknown.
    """
    calls = {op.output_names[0] for op in graph.operations if op.output_names}
    macs: dict[str, int | None] = {}
    for op in expanded.operations:
        # The scope of an operation names each call that it came from by its first result.
        owner = next((name for name in _owners(op) if name in calls), "")
        before = macs.get(owner, 0)
        macs[owner] = None if before is None or op.macs is None else before + op.macs
    operations = tuple(
        replace(op, macs=macs.get(op.output_names[0], 0)) if op.output_names else op
        for op in graph.operations
    )
    return replace(graph, operations=operations)


def _owners(op: Operation) -> list[str]:
    return [*(call.partition(":")[2] for call in op.scope), *op.output_names]

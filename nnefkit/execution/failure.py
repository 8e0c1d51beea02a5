"""What is said of an operation that failed while it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnefkit.errors import Diagnostic, ExecutionError, NnefError
from nnefkit.graph import Graph, Operation


def failure(
    graph: Graph, op: Operation, shapes: Mapping[str, Sequence[int]], error: BaseException
) -> ExecutionError:
    """An error that names the operation, its line, its inputs and what went wrong."""
    known = [name for name in dict.fromkeys(op.input_names) if name in shapes]
    names = ", ".join(f"{name} {list(shapes[name])}" for name in known)
    result = f", which computes '{op.output_names[0]}'," if op.output_names else ""
    reason = error.diagnostics[0].message if isinstance(error, NnefError) else str(error)
    if isinstance(error, MemoryError):
        reason = "there is not enough memory" + (f": {reason}" if reason else "")
    elif not isinstance(error, NnefError):
        reason = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    message = f"operation '{op.name}'{result} failed: {reason}"
    hint = f"Its inputs were {names}." if names else ""
    if graph.source is None or op.span is None:
        return ExecutionError(Diagnostic("failed-operation", message, hint=hint))
    return ExecutionError(graph.source.diagnostic("failed-operation", message, op.span, hint=hint))

"""Graphs prepared for an engine: calls expanded, reduced to needed operations, all supported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from nnefkit import language
from nnefkit.errors import Diagnostic, ExecutionError
from nnefkit.execution.engine import Engine
from nnefkit.graph import Graph, Operation
from nnefkit.operations.custom import custom_kernels
from nnefkit.operations.registry import KERNELS
from nnefkit.operations.shape_inference import infer_shapes


def expanded(graph: Graph) -> Graph:
    """Return `graph` with the calls of fragments that it defines itself expanded (3.3.2).

    All tensors keep their names; those inside fragments are new. A graph without such calls is
    returned as it is.

    Raises:
        DocumentError: A fragment cannot be expanded for its arguments, or the shapes do not fit.
    """
    simpler = language.expand_calls(graph)
    return graph if simpler is graph else infer_shapes(simpler)


def restricted(graph: Graph, wanted: Iterable[str]) -> Graph:
    """Return `graph` with all its inputs, but only the operations that the tensors `wanted` need.

    Variables of float64 stay too: they decide in which precision the graph is computed.
    """
    wide = (v.name for v in graph.variables if v.data is not None and v.data.dtype == np.float64)
    needed = {id(op) for op in graph.needed({*wanted, *wide})}
    operations = (op for op in graph.operations if op.name == "external" or id(op) in needed)
    return replace(graph, operations=tuple(operations))


def is_runnable(engine: Engine, graph: Graph) -> bool:
    """Whether `engine` can run all of `graph`, and all its variables have values."""
    return not engine.unsupported(graph) and all(v.data is not None for v in graph.variables)


def refuse_unsupported(engine: Engine, graph: Graph, *, fallback: bool = True) -> None:
    """Raise an error that names everything in `graph` that `engine` cannot run.

    Args:
        engine: The engine.
        graph: The graph to run.
        fallback: Whether another engine could run the operations that this one cannot.

    Raises:
        ExecutionError: There is such an operation, or a variable without values.
    """
    diagnostics = [*_unsupported(engine, graph, fallback), *_without_values(graph)]
    if diagnostics:
        raise ExecutionError(diagnostics, file=graph.source.name if graph.source else "")


def _unsupported(engine: Engine, graph: Graph, fallback: bool) -> Iterator[Diagnostic]:
    hints = {id(op): _hint(engine, graph, op, fallback) for op in engine.unsupported(graph)}
    operations = [op for op in graph.operations if id(op) in hints]
    for op, subject in _grouped(operations, hints):
        message = f"the engine '{engine.name}' cannot run {subject}"
        yield _diagnostic(graph, op, "unsupported-operation", message, hints[id(op)])


def _without_values(graph: Graph) -> Iterator[Diagnostic]:
    for op in graph.operations:
        if op.name == "variable" and graph.tensors[op.output_names[0]].data is None:
            label = graph.tensors[op.output_names[0]].label
            message = f"variable '{op.output_names[0]}'"
            message += f" (label '{label}') has no values" if label else " has no values"
            hint = "Load the model with nk.load, or set values: graph.with_data({name: array})."
            yield _diagnostic(graph, op, "missing-values", message, hint)


MAX_ALIKE = 20
"""Maximum number of operations with the same reason that are reported one by one."""


def _grouped(
    operations: list[Operation], hints: Mapping[int, str]
) -> Iterator[tuple[Operation, str]]:
    """Yield operations and how to name them; many with the same hint are grouped into one."""
    alike: dict[str, list[Operation]] = {}
    for op in operations:
        alike.setdefault(hints[id(op)], []).append(op)
    for op in operations:
        group = alike[hints[id(op)]]
        if len(group) <= MAX_ALIKE:
            results = op.output_names
            yield op, f"'{op.name}'" + (f", which computes '{results[0]}'" if results else "")
        elif op is group[0]:
            counts = Counter(each.name for each in group)
            names = ", ".join(f"{name} ({count})" for name, count in counts.items())
            yield op, f"{len(group):,} operations: {names}"


def _hint(engine: Engine, graph: Graph, op: Operation, fallback: bool) -> str:
    """Return why an engine cannot run an operation, and how to run it anyway."""
    has_kernel = op.is_source or op.name in KERNELS or op.name in custom_kernels()
    if fallback and not has_kernel:
        return (
            f"nk.register_operation('{op.name}', kernel=...) defines it for numpy, "
            "custom_operations=... passes a registry that does."
        )
    reason = engine.why_unsupported(graph, op)
    return f"{reason} fallback='numpy' runs just that in numpy.".strip() if fallback else reason


def _diagnostic(graph: Graph, op: Operation, code: str, message: str, hint: str) -> Diagnostic:
    if graph.source is not None:
        return graph.source.diagnostic(code, message, op.span, hint=hint)
    return Diagnostic(code, message, hint=hint)

"""`profile`: measured time of each operation, beside what it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnefkit.analysis.costs.cost import WIDTHS, cost
from nnefkit.analysis.costs.cost_result import Cost
from nnefkit.analysis.costs.operation_cost import OperationCost, total
from nnefkit.analysis.costs.profile_result import Profile
from nnefkit.analysis.costs.timed_operation import TimedOperation
from nnefkit.custom_operations import CustomOperations
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import InputError
from nnefkit.execution import Session
from nnefkit.execution.dtypes import scalar_dtype
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph, Operation, expected_graph
from nnefkit.operations.flop_rules import elements


class _TimedRun(NamedTuple):
    seconds: Mapping[str, float]
    groups: Mapping[str, tuple[str, ...]]
    total: float


def profile(
    graph: Graph,
    inputs: Any,
    engine: str = "numpy",
    *,
    repeat: int = 20,
    warmup: int = 3,
    quantized: bool = False,
    custom_operations: CustomOperations | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Profile:
    """Measure the time of each operation over several runs, beside its cost.

    No tensor is recorded, so that the engine runs as it always does. What it does in one step, such
    as a convolution and the `relu` after it, has one time, which belongs to all of these
    operations. Engines that do not report times of operations (`onnxruntime`, `tract`) have one
    time for the whole run.

    Args:
        graph: The graph, with weights.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        engine: Name of the engine; `nnefkit.engines` lists them.
        repeat: Number of measured runs, of which medians and quartiles are taken.
        warmup: Number of runs before these, which are not measured.
        quantized: Whether each tensor with quantization info is quantized, as in `nnefkit.run`.
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.
        progress: Whether to show a progress bar; None shows it if it takes more than a second. An
            interrupt (``KeyboardInterrupt``) ends the measurement with the runs until then.
        **options: Options of the engine, such as ``threads=2`` or ``fallback="numpy"``.

    Returns:
        The times, the longest share first in displays.

    Raises:
        InputError: An input does not fit, or a number of runs is out of range.
        UnknownNameError: There is no such engine or option.
        ExecutionError: The engine cannot run the graph, or an operation failed.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [8, 8]); y = matmul(x, x); }")
        >>> profile = nk.profile(graph, np.ones((8, 8)), repeat=5)
        >>> profile.repeat, profile["y"].flops, profile["y"].seconds > 0
        (5, 1024, True)
    """
    graph = expected_graph(graph, data=True)
    _check_count("repeat", repeat, 1)
    _check_count("warmup", warmup, 0)
    runs: list[_TimedRun] = []
    delay = 0.0 if progress else math.inf if progress is False else None
    with Session(
        graph, engine, quantized=quantized, custom_operations=custom_operations, **options
    ) as session:
        try:
            with ProgressBar(warmup + repeat, graph.name, "run", delay=delay) as bar:
                for number in range(warmup + repeat):
                    session.reset()
                    run = session.trace(inputs, [], progress=False).run
                    if number >= warmup:
                        runs.append(_TimedRun(run.seconds, run.groups, run.total))
                    bar.update(1)
        except KeyboardInterrupt:
            if not runs:
                raise
    costs = _costs(session.graph, custom_operations)
    rows = _rows(session.graph, costs, runs)
    totals = np.array([run.total for run in runs])
    low, median, high = np.quantile(totals, [0.25, 0.5, 0.75]).tolist()
    return Profile(
        rows, session.graph, session.engine, len(runs), repeat, warmup, median, low, high, costs
    )


def _check_count(name: str, value: Any, least: int) -> None:
    if type(value) is not int or value < least:
        raise InputError(f"'{name}' must be an integer of at least {least}, not {value!r}")


def _costs(graph: Graph, custom_operations: CustomOperations | None) -> Cost | None:
    """Return the costs of the graph; None if shapes are unknown."""
    if any(tensor.shape is None for tensor in graph.tensors.values()):
        return None
    return cost(graph, custom_operations=custom_operations)


def _rows(
    graph: Graph, costs: Cost | None, runs: Sequence[_TimedRun]
) -> tuple[TimedOperation, ...]:
    """Return the timed steps, in the order of the graph."""
    known = {row.tensor: row for row in costs.operations} if costs is not None else {}
    operations = {op.output_names[0]: op for op in graph.computations if op.output_names}
    steps = _steps([name for name in operations if name in _running(graph, known)], runs)
    whole = sum(float(np.median(times)) for _, times in steps.values())
    numbers = {op.output_names[0]: i for i, op in enumerate(graph.operations) if op.output_names}
    rows = []
    for first, (names, times) in steps.items():
        low, median, high = np.quantile(times, [0.25, 0.5, 0.75]).tolist()
        macs, flops, moved = _work(graph, names, operations, known)
        rows.append(
            TimedOperation(
                first,
                operations[_costliest(names, known)].name,
                numbers[first],
                graph.line(operations[first]),
                names,
                median,
                low,
                high,
                float(np.min(times)),
                median / whole if whole else 0.0,
                macs,
                flops,
                moved,
            )
        )
    return tuple(sorted(rows, key=lambda row: row.number))


def _running(graph: Graph, known: Mapping[str, OperationCost]) -> set[str]:
    """Return the tensors that each run computes."""
    wanted = [*graph.outputs, *updates(graph).values()]
    needed = {name for op in graph.needed(wanted) for name in op.output_names}
    return needed - {name for name, row in known.items() if row.once}


def _work(
    graph: Graph,
    names: Sequence[str],
    operations: Mapping[str, Operation],
    known: Mapping[str, OperationCost],
) -> tuple[int | None, int | None, int | None]:
    """Return the MACs, FLOPs and bytes of a step; None for what is unknown."""
    if not all(name in known for name in names):
        return None, None, None
    work = total(known[name] for name in names)
    moved = _traffic(graph, names, operations, known)
    return (None, None, moved) if work.unknown else (work.macs, work.flops, moved)


def _costliest(names: Sequence[str], known: Mapping[str, OperationCost]) -> str:
    return max(names, key=lambda name: (known[name].flops or 0) if name in known else 0)


def _steps(
    names: Sequence[str], runs: Sequence[_TimedRun]
) -> dict[str, tuple[tuple[str, ...], np.ndarray[Any, Any]]]:
    """Return first result of each step -> its operations, by first result, and its times.

    What the engine does not time is one step, with the rest of the time of the run.
    """
    running = set(names)
    first = runs[0]
    steps: dict[str, tuple[tuple[str, ...], np.ndarray[Any, Any]]] = {}
    timed = np.zeros(len(runs))
    left = set(names)
    for name, group in first.groups.items():
        members = tuple(member for member in group if member in running)
        times = np.array([run.seconds.get(name, math.nan) for run in runs])
        if members and np.isfinite(times).all():
            steps[members[0]] = members, times
            timed += times
            left.difference_update(members)
    has_untimed = not first.seconds or any(map(math.isnan, first.seconds.values()))
    if left and has_untimed:
        rest = tuple(name for name in names if name in left)
        totals = np.array([run.total for run in runs])
        steps[rest[0]] = rest, np.maximum(totals - timed, 0.0)
    return steps


def _traffic(
    graph: Graph,
    names: Sequence[str],
    operations: Mapping[str, Operation],
    known: Mapping[str, OperationCost],
) -> int:
    """Return the bytes that a step reads and writes, without what only flows inside of it."""
    if len(names) == 1:
        row = known[names[0]]
        return row.bytes_read + row.bytes_written
    widths = {**WIDTHS, "scalar": scalar_dtype(graph).itemsize}

    def size(name: str) -> int:
        tensor = graph.tensors[name]
        return elements(tensor.shape or ()) * widths.get(tensor.dtype, 1)

    inside = [operations[name] for name in names]
    made = {name for op in inside for name in op.output_names}
    read = {name for op in inside for name in op.input_names} - made
    mine = {id(op) for op in inside}
    leaving = {
        name
        for name in made
        if name in graph.outputs or any(id(op) not in mine for op in graph.consumers.get(name, ()))
    }
    return sum(map(size, read | leaving))

"""`cost`: arithmetic, memory traffic and peak memory of a graph, from its shapes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nnefkit.analysis.costs.cost_result import Cost
from nnefkit.analysis.costs.labels import operation_labels
from nnefkit.analysis.costs.live_memory import LiveMemory
from nnefkit.analysis.costs.operation_cost import OperationCost, total
from nnefkit.analysis.quantization.plan import constant_tensors
from nnefkit.custom_operations import CustomOperations, using
from nnefkit.display.graph_summary import GraphSummary
from nnefkit.display.numbers import plural
from nnefkit.errors import ArgumentError, Diagnostic, InputError, did_you_mean
from nnefkit.execution.dtypes import scalar_dtype
from nnefkit.execution.preparation.runnable_graph import expanded
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph, Identifier, Operation, expected_graph
from nnefkit.operations.custom import Definition, definitions
from nnefkit.operations.flop_rules import elements
from nnefkit.operations.registry import FLOPS, READS, VIEWS
from nnefkit.operations.work import Work, work

WIDTHS = {"integer": 8, "logical": 1}
"""Bytes of an element, by data-type."""
_BYTES = {"int8": 1, "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


def cost(
    graph: Graph, *, dtype: str | None = None, custom_operations: CustomOperations | None = None
) -> Cost:
    """Compute what a run of a graph costs: arithmetic, memory traffic and peak memory.

    Nothing is run, and weights need no values: all numbers follow from the shapes, by the formulas
    in the documentation ("Costs"). Each operation reads its arguments from memory and writes its
    results to it; engines that fuse operations move less.

    Args:
        graph: The graph, with all its shapes.
        dtype: What scalars are counted as: ``"float32"``, ``"float64"``, ``"float16"``,
            ``"bfloat16"``, or ``"int8"`` for a quantized model. None is what engines compute in,
            ``"float32"`` unless variables are of float64. Integers have 8 bytes, logicals 1.
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.
            The cost of one that was registered without ``macs`` is unknown.

    Returns:
        The cost of each operation, of blocks and of the whole.

    Raises:
        InputError: Shapes are unknown, or there is no such dtype.
        ArgumentError: Operations violate their declarations.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [1, 8]); y = softmax(x); }")
        >>> nk.cost(graph).flops
        40
    """
    graph = expected_graph(graph)
    dtype = str(scalar_dtype(graph)) if dtype is None else dtype
    if dtype not in [*_BYTES]:
        known = ", ".join(_BYTES)
        hint = did_you_mean(str(dtype), _BYTES) or f"There are: {known}."
        raise InputError(f"'dtype' must be the name of a type of scalars, not {dtype!r}", hint=hint)
    with using(custom_operations):
        customs = definitions()
        simpler = expanded(graph)
    _check_shapes(simpler)
    return _Costs(graph, simpler, dtype, customs).result()


def _check_shapes(graph: Graph) -> None:
    missing = [
        (name, op)
        for op in graph.operations
        for name in op.output_names
        if name not in graph.tensors or graph.tensors[name].shape is None
    ]
    if not missing:
        return
    name, op = missing[0]
    hint = "nk.infer_shapes(graph) computes them."
    if op.name not in FLOPS:
        hint = (
            f"nk.register_operation('{op.name}', shape=..., macs=...) adds a shape rule; then "
            "nk.infer_shapes(graph) computes them."
        )
    raise InputError(
        f"costs follow from shapes, but those of {plural(len(missing), 'tensor')} are unknown, "
        f"first that of '{name}', which '{op.name}' computes",
        hint=hint,
    )


class _Costs:
    """The costs of one graph, and of the graph with fragments expanded."""

    def __init__(
        self, graph: Graph, simpler: Graph, dtype: str, customs: Mapping[str, Definition]
    ) -> None:
        self._graph, self._simpler, self._dtype = graph, simpler, dtype
        self._customs = customs
        self._width = {**WIDTHS, "scalar": _BYTES[dtype]}
        self._sizes = {
            name: elements(tensor.shape) * self._width.get(tensor.dtype, 1)
            for name, tensor in simpler.tensors.items()
            if tensor.shape is not None
        }
        self._fixed = constant_tensors(simpler)
        self._number = _numbers(graph)
        self._counted: set[str] = set()
        """Variables, by label, that an operation before reads."""

    def result(self) -> Cost:
        graph, fixed = self._simpler, self._fixed
        operations = [op for op in graph.operations if not op.is_source]
        running = [op for op in operations if not _is_once(op, fixed)]
        memory = LiveMemory(graph, running, fixed, self._sizes)
        live = dict(zip(map(id, running), memory.bytes, strict=True))
        labels = operation_labels(graph, fixed)
        parts: dict[int, list[OperationCost]] = {}
        for op in operations:
            number = self._owner(op)
            row = self._row(op, number, live.get(id(op)), labels)
            parts.setdefault(number, []).append(row)
        return Cost(
            tuple(self._joined(parts[number]) for number in sorted(parts)),
            self._graph,
            self._dtype,
            sum(self._sizes[name] for name in self._resident(running)),
            memory.peak([self._owner(op) for op in running]),
            GraphSummary(self._graph).parameters,
        )

    def _owner(self, op: Operation) -> int:
        """Return the index in the given graph of an operation, or of the call that it is from."""
        for name in op.output_names:
            if name in self._number:
                return self._number[name]
        for call in op.scope:
            name = call.partition(":")[2]
            if name in self._number:
                return self._number[name]
        return len(self._graph.operations) - 1

    def _row(
        self, op: Operation, number: int, live: int | None, labels: Mapping[str, str]
    ) -> OperationCost:
        inputs = [self._shape(value) for value in op.inputs.values()]
        outputs = [self._shape(value) for value in op.outputs.values()]
        try:
            done = work(op, inputs, outputs, self._customs.get(op.name))
        except ArgumentError as error:
            raise self._located(error, op) from error
        names = op.output_names
        return OperationCost(
            names[0] if names else "",
            op.name,
            number,
            self._graph.line(self._graph.operations[number]),
            done.macs,
            done.flops,
            self._parameters(op),
            self._read(op, done),
            0 if op.name in VIEWS else sum(self._sizes[name] for name in names),
            live,
            _is_once(op, self._fixed),
            op.scope,
            labels[names[0]] if names else "",
            "unknown" if done.flops is None else "at most" if done.is_bound else "",
        )

    def _shape(self, value: Any) -> Any:
        if isinstance(value, Identifier):
            return self._simpler.tensors[value].shape
        if isinstance(value, (list, tuple)):
            return [self._shape(each) for each in value]
        return ()

    def _read(self, op: Operation, done: Work) -> int:
        if op.name not in READS and op.name not in VIEWS:
            # An operation that reads a tensor twice needs it once.
            return sum(self._sizes[name] for name in dict.fromkeys(op.input_names))
        return sum(
            count * self._width.get(self._simpler.tensors[value].dtype, 1)
            for value, count in zip(op.inputs.values(), done.reads, strict=True)
            if isinstance(value, Identifier)
        )

    def _parameters(self, op: Operation) -> int:
        """Return the elements of the variables that an operation reads and none before it.

        Variables that are reshaped or transposed first count at the operation that combines them
        with data.
        """
        if _is_once(op, self._fixed):
            return 0
        count = 0
        tensors, producers = self._simpler.tensors, self._simpler.producers
        waiting = list(op.input_names)
        while waiting:
            name = waiting.pop()
            source = producers.get(name)
            if source is None or name in self._counted:
                continue
            if source.name == "variable":
                label = (tensors[name].label or name).lower()
                if label not in self._counted:
                    count += elements(tensors[name].shape)
                self._counted.update((name, label))
            elif name in self._fixed:
                self._counted.add(name)
                waiting += source.input_names
        return count

    def _resident(self, running: Sequence[Operation]) -> set[str]:
        """Return the weights in memory during runs, those that share data once."""
        kept = self._fixed.union(updates(self._simpler))
        read = {name for op in running for name in op.input_names}
        tensors, producers = self._simpler.tensors, self._simpler.producers
        found: dict[str, str] = {}
        for name in read.union(self._simpler.outputs):
            if name in kept:
                source = producers[name]
                is_variable = source.name == "variable"
                found[(tensors[name].label or name).lower() if is_variable else name] = name
        return set(found.values())

    def _joined(self, rows: Sequence[OperationCost]) -> OperationCost:
        """Return the row of an operation of the given graph, the sum over those of its call."""
        first = rows[0]
        op = self._graph.operations[first.number]
        if len(rows) == 1 and first.operation == op.name:
            return first
        chosen = [row for row in rows if not row.once] or rows
        sums = total(chosen)
        notes = [row.note for row in chosen]
        note = "unknown" if "unknown" in notes else max(notes)
        return OperationCost(
            "".join(op.output_names[:1]),
            op.name,
            first.number,
            first.line,
            None if sums.unknown else sums.macs,
            None if sums.unknown else sums.flops,
            sums.parameters,
            sums.bytes_read,
            sums.bytes_written,
            max((r.live_bytes or 0 for r in chosen), default=0) if not chosen[0].once else None,
            chosen[0].once,
            op.scope,
            next((row.label for row in chosen if row.label), ""),
            note,
        )

    def _located(self, error: ArgumentError, op: Operation) -> ArgumentError:
        problem = error.diagnostics[0]
        names = ", ".join(op.output_names)
        message = f"operation '{op.name}', which computes '{names}': {problem.message}"
        source = self._graph.source
        if source is not None and op.span is not None:
            return ArgumentError(
                source.diagnostic(problem.code, message, op.span, hint=problem.hint)
            )
        return ArgumentError(Diagnostic(problem.code, message, hint=problem.hint))


def _is_once(op: Operation, fixed: frozenset[str]) -> bool:
    names = op.output_names
    return bool(names) and fixed.issuperset(names)


def _numbers(graph: Graph) -> dict[str, int]:
    """Return the index of the operation that computes each tensor."""
    return {name: i for i, op in enumerate(graph.operations) for name in op.output_names}
